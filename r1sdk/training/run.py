"""The process that trains: `python -m r1sdk.training.run RUN_DIR`, started by `launch` on a prepared run folder.

It finds the recipe in the folder, composes the run anew, and continues from the last whole checkpoint if there is one. Where several
train together each is one of these; the main one alone writes the folder.
Exit status: 0 finished, 1 an error that the user can act on, 130 interrupted.
"""

import argparse
import ctypes
import gc
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import R1Error, RunError, raise_all
from ..planning.batch import too_few_tasks
from ..planning.hardware import Hardware
from ..planning.resolve import plan_run
from ..planning.run_plan import RunPlan
from ..plugins.environment_calls import tasks_of
from ..plugins.guard import check_forks
from ..plugins.loading import load_plugins
from ..plugins.registry import Registry
from ..recipe.methods import METHODS
from ..report import leave_report
from ..scoring.gold_check import GoldCheck, check_gold, enforce, enforce_suspects
from ..storage.run_folder import RunFolder
from .monitor.disk_full import drop_half_written, fills, give_back, keep_room, out_of_room
from .monitor.plugin_watch import PluginWatch
from .process_group import ProcessGroup, is_peer_failure, join, rank_from_env

if TYPE_CHECKING:
    from .monitor.callback import StopRequest

INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1


def main(path: Path, registry: Registry | None = None) -> int:
    """Train the run at `path`, with the installed plugins or those of `registry`. Returns the exit status."""
    folder = RunFolder.open(path)
    try:
        if rank_from_env() == 0:
            folder.lock(wait_s=15.0)
            if folder.status().get("state") == "finished":  # by the process that held it until now
                raise RunError(f"{path} was finished by another process in the meantime: nothing is left to resume")
    except R1Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _quiet()
    try:
        with PluginWatch(folder, rank_from_env(), may_exit=registry is None) as watch:
            return _main(folder, registry, watch)
    finally:
        if rank_from_env() == 0:
            give_back(folder)
            with suppress(OSError):  # it prints, and the disk of the log may be full
                leave_report(folder)
            folder.unlock()


def _main(folder: RunFolder, registry: Registry | None, watch: PluginWatch) -> int:
    processes = ProcessGroup(rank_from_env())
    try:
        if processes.main:
            keep_room(folder)
        processes = join()
        finished = train(folder, processes, registry, watch)
        processes.barrier()
        processes.close()
    except R1Error as error:
        _failed(folder, str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if processes.main:
            folder.set_status("interrupted", message="stopped before a step could end")
        return INTERRUPTED
    except BaseException as error:
        if fills(error):
            return _disk_full(folder, error)
        if is_peer_failure(error):
            _failed(folder, f"another process of the run has gone: see {folder.log_file}", is_peer_failure=True)
            print(f"error: another process has gone: {error}", file=sys.stderr)
            return 1
        where = f"{processes.name}: " if processes.world > 1 else ""
        _failed(folder, f"{where}{type(error).__name__}: {error}", traceback=True)
        if isinstance(error, SystemExit):  # its status, 0 for one, would be that of this process
            traceback.print_exc()
            return 1
        raise
    return 0 if finished else INTERRUPTED


def _failed(folder: RunFolder, message: str, **more: Any) -> None:
    """Say so, unless another process of this run has: it was first, and the others fail because it did."""
    if folder.status().get("state") != "failed":
        folder.set_status("failed", message=message, **more)


def _disk_full(folder: RunFolder, error: BaseException) -> int:
    message = out_of_room(folder, error)
    with suppress(OSError):
        _failed(folder, message)
    drop_half_written(folder)
    with suppress(OSError):
        _failed(folder, message)  # there was no room to say so before
        print(f"error: {message}", file=sys.stderr, flush=True)
    return 1


def plan_here(folder: RunFolder, registry: Registry) -> RunPlan:
    """Resolve the folder's recipe for this process, whose torch knows whether models run on a GPU. Raises: R1Error."""
    import torch

    machine = replace(Hardware.here(), cuda=torch.cuda.is_available())
    return plan_run(folder.recipe(), registry, machine, trains_here=True)


def train(
    folder: RunFolder,
    processes: ProcessGroup,
    registry: Registry | None = None,
    watch: PluginWatch | None = None,
) -> bool:
    """Evaluate, train, save, evaluate. Returns True if the run came to its end. Raises: R1Error.

    After a rollback everything is built again, as in a process that resumes, so that a kill changes no number.
    `registry`: None loads the installed plugins.
    """
    from .monitor.callback import StopRequest

    stop = StopRequest()
    stop.install()
    while (finished := _train(folder, processes, registry, watch, stop)) is None:
        gc.collect()  # the model and the optimizer that collapsed
    return finished


def _train(
    folder: RunFolder,
    processes: ProcessGroup,
    registry: Registry | None,
    watch: PluginWatch | None,
    stop: "StopRequest",
) -> bool | None:
    """Train from the last checkpoint on. Returns True if the run came to its end, and None if it must go back. Raises: R1Error."""
    from ..rollout.hf_model import end_tokens
    from .chat_tokenizer import settle_ending
    from .held_out_evaluation import evaluate_model
    from .model_card import without_trainers_card, write_model_cards
    from .models import holds_whole_model, load_model, training_options
    from .monitor.callback import PluginSteps, RunCallback, resume_step, train_missing_steps
    from .monitor.checkpoint_watch import CheckpointEvaluation, CollapseWatch, LowerLearningRate
    from .monitor.probe_evaluation import ProbeEvaluation
    from .monitor.trackers import Trackers
    from .save import save
    from .sft.sft_run import check_run_lengths, tokenizer_for
    from .trl.task_sampler import known_rates
    from .vllm.sampler_engine import announce, sampler

    report = folder.set_status if processes.main else _silent
    report("running", phase="loading")
    plan = plan_here(folder, registry or load_plugins())
    watch = watch or PluginWatch(folder, processes.rank, may_exit=False)
    watch.begin(plan.recipe.seed, plan.recipe.limits.plugin_timeout_s)
    announce(plan, folder, processes)
    if plan.recipe.method == "generate":
        from .generation_run import collect_into

        collect_into(plan, folder)
        return True
    checkpoint = processes.run_on_main(folder.rewind)
    if checkpoint and processes.main:
        print(f"resuming at step {resume_step(checkpoint)}", flush=True)

    left_out = processes.run_on_main(lambda: _unverifiable(plan, folder))
    plan = replace(plan, left_out=left_out, pass_rates=processes.run_on_main(lambda: known_rates(plan)))
    where = processes.run_on_main(lambda: _locate(plan, folder))
    tokenizer = tokenizer_for(plan, where)
    check_run_lengths(plan, tokenizer, where)
    _seed(plan.recipe.seed)
    model = load_model(where, **training_options(plan))
    settle_ending(tokenizer, model)
    if checkpoint is None:  # resumed runs keep the evaluation of the model they started from
        evaluate_model(plan, folder, model, tokenizer, "before", processes)

    report("running", phase="preparing")
    caches = getattr(model.config, "use_cache", True)
    trackers = Trackers(folder)
    recorder = RunCallback(folder, stop, processes)
    collapses = CollapseWatch(plan, folder, recorder)
    callbacks = [
        PluginSteps(watch),
        LowerLearningRate(folder),
        CheckpointEvaluation(plan, folder, tokenizer),
        recorder,
        ProbeEvaluation(plan, folder, tokenizer),
        trackers,
        collapses,
    ]
    rollbacks = folder.rollbacks()
    is_over = bool(rollbacks) and rollbacks[-1].ends
    if plan.recipe.experimental_async is not None:
        from .trl.async_trainer import async_trainer

        callbacks = [
            PluginSteps(watch),
            RunCallback(folder, stop),
            trackers,
        ]  # its model cannot generate: the server's does
        ends = sorted(end_tokens(model, tokenizer))
        del model  # the trainer loads its own
        trainer = async_trainer(plan, where, tokenizer, ends, folder, callbacks)
        without_trainers_card(trainer)
        model = trainer.model
        train_missing_steps(trainer, checkpoint, stop)
    else:
        with sampler(plan, where, folder, processes) as engine:
            trainer = _trainer(plan, where, model, tokenizer, folder, callbacks, processes, engine)
            without_trainers_card(trainer)
            train_missing_steps(trainer, checkpoint, stop, is_over)
    if collapses.rollback is not None:
        report("running", phase="rolling back", message=collapses.rollback.text)
        folder.note_rollback(collapses.rollback)
        if not stop.asked:
            return None
    if stop.asked:
        report("interrupted", done=trainer.state.global_step, total=trainer.state.max_steps)
        return False

    if trainer.state.global_step == 0 and not is_over:
        raise RunError(
            "the trainer made no step: is trainer.max_steps or trainer.num_train_epochs 0, or the data empty?"
        )

    # The trainer turned it off, and whoever loads the saved model would generate without a cache.
    model.config.use_cache = caches
    save(plan, trainer, tokenizer, where, folder, processes)
    itself = plan.recipe.lora is None and plan.recipe.experimental_async is None
    if itself and holds_whole_model(trainer.accelerator):
        model = trainer.accelerator.unwrap_model(trainer.model)
    else:  # no process holds the whole model: evaluate the saved one
        model = load_model(str(folder.model), **(training_options(plan) if plan.recipe.quantize else {}))
    watch.seed_plugins("after")
    evaluate_model(plan, folder, model, tokenizer, "after", processes)
    check_forks()
    processes.run_on_main(lambda: write_model_cards(plan, folder, where, trainer.state.global_step))
    trackers.after(trainer.state.global_step)
    if processes.main:
        folder.note_rows()
    report("finished", done=trainer.state.global_step, total=trainer.state.max_steps)
    return True


def _locate(plan: RunPlan, folder: RunFolder) -> str:
    """Return where the model is that the run begins with, one that it made as it was made. Raises: R1Error."""
    from .models import locate

    made = folder.path / "base_model"
    try:
        if made.is_dir():
            folder.check_folder(made)
    except RunError as error:
        raise RunError(f"{error}\n  put them back from a copy, or delete {made}: it is made again") from None
    where = locate(plan.model, made, plan.recipe.seed)
    if made.is_dir():
        folder.note_folder(made)
    return where


def _silent(state: str, **more: Any) -> None:
    pass


def _unverifiable(plan: RunPlan, folder: RunFolder) -> frozenset[int]:
    """The places of the training tasks whose gold answers do not verify; a resumed run leaves out the same. Raises: R1Error."""
    if not METHODS[plan.recipe.method].plays:
        return frozenset()
    saved = folder.gold()
    if saved is not None:
        found = GoldCheck.from_json(saved)
    else:
        phase = "checking gold answers"
        folder.set_status("running", phase=phase)
        found = check_gold(
            tasks_of(plan.environment, "train"),
            plan.environment,
            progress=lambda done: folder.set_status("running", phase=phase, done=done),
        )
        warnings = [
            enforce(found, plan.recipe.limits.unverifiable, "train"),
            enforce_suspects(found, plan.recipe.limits.suspect, "train"),
        ]
        folder.write_gold(found.to_json())
        for warning in filter(None, warnings):
            print(f"warning: {warning}", flush=True)
            folder.append_metrics({"kind": "warning", "step": 0, "name": "gold", "text": warning})
    left_out = {fault.index for fault in found.faults}
    if plan.recipe.limits.suspect == "leave_out":
        left_out |= {suspect.index for suspect in found.suspects}
    raise_all(too_few_tasks(plan.recipe, found.tasks - len(left_out), len(left_out)))
    return frozenset(left_out)


def _trainer(
    plan: RunPlan,
    where: str,
    model: Any,
    tokenizer: Any,
    folder: RunFolder,
    callbacks: list[Any],
    processes: ProcessGroup,
    engine: Any,
) -> Any:
    if plan.recipe.method == "sft":
        from .sft.sft_trainer import sft_trainer

        return sft_trainer(plan, model, tokenizer, folder, callbacks, processes)
    if plan.recipe.method == "dpo":
        from .dpo.preference_trainer import preference_trainer

        return preference_trainer(plan, where, model, tokenizer, folder, callbacks, processes)
    if plan.recipe.method == "distill":
        from .trl.distillation import distillation_trainer

        return distillation_trainer(plan, model, tokenizer, folder, callbacks, processes, engine)
    from .trl.grpo import grpo_trainer

    return grpo_trainer(plan, model, tokenizer, folder, callbacks, processes, engine)


def _seed(seed: int) -> None:
    from transformers import set_seed

    set_seed(seed)


def _quiet() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def end_with(parent: int) -> None:
    """Have the kernel send SIGTERM, which saves and ends, when the process that started this one dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before that
            raise SystemExit(INTERRUPTED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--parent", type=int, help="end, saving, when this process dies")
    parser.add_argument(
        "--end-with-parent", action="store_true", help="the same, for the process that started this one"
    )
    given = parser.parse_args()
    if given.parent or given.end_with_parent:
        end_with(given.parent or os.getppid())
    raise SystemExit(main(given.run_dir))
