"""The process that trains: `python -m r1sdk.train.worker RUN_DIR`, started by `launch` on a prepared run folder.

It finds the recipe in the folder, composes the run anew, and continues from the last whole checkpoint if there is one.
Exit status: 0 finished, 1 an error that the user can act on, 130 interrupted.
"""

import argparse
import ctypes
import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..compose import Run, compose
from ..errors import R1Error
from ..evaluate import evaluate
from ..goldcheck import GoldCheck, check_gold, enforce
from ..plugins import load_plugins
from ..report import leave_report
from ..runs import RunFolder
from .sampling import held_out_sampling

INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1


def main(path: Path) -> int:
    """Train the run at `path`. Returns the exit status."""
    folder = RunFolder.open(path)
    try:
        folder.lock(wait_s=15.0)
    except R1Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _quiet()
    try:
        return _main(folder)
    finally:
        leave_report(folder)


def _main(folder: RunFolder) -> int:
    try:
        finished = train(folder)
    except R1Error as error:
        folder.set_status("failed", message=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        folder.set_status("interrupted", message="stopped before a step could end")
        return INTERRUPTED
    except BaseException as error:
        folder.set_status("failed", message=f"{type(error).__name__}: {error}", traceback=True)
        raise
    return 0 if finished else INTERRUPTED


def train(folder: RunFolder) -> bool:
    """Evaluate, train, save, evaluate. Returns whether the run came to its end. Raises: R1Error."""
    from .callback import RunCallback, StopRequest, resume_step
    from .during import During
    from .models import check_lengths, load_model, load_tokenizer, locate
    from .trackers import Trackers

    stop = StopRequest()
    stop.install()
    folder.set_status("running", phase="loading")
    run = compose(folder.recipe(), load_plugins())
    checkpoint = folder.rewind()
    if checkpoint:
        print(f"resuming at step {resume_step(checkpoint)}", flush=True)

    run = _without_unverifiable(run, folder)
    where = locate(run.model, folder.path / "base_model", run.recipe.seed)
    tokenizer = load_tokenizer(where)
    check_lengths(run.environment.tasks("train"), tokenizer, where, run.recipe.generation.max_tokens)
    _seed(run.recipe.seed)
    model = load_model(where)
    if checkpoint is None:  # resumed runs keep the evaluation of the model they started from
        _evaluate(run, folder, model, tokenizer, "before")

    folder.set_status("running", phase="preparing")
    caches = getattr(model.config, "use_cache", True)
    trackers = Trackers(folder)
    callbacks = [RunCallback(folder, stop), During(run, folder, tokenizer), trackers]
    trainer = _trainer(run, model, tokenizer, folder, callbacks)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.asked:
        folder.set_status("interrupted", done=trainer.state.global_step, total=trainer.state.max_steps)
        return False

    # The trainer turned it off, and whoever loads the saved model would generate without a cache.
    model.config.use_cache = caches
    _save(trainer, tokenizer, folder)
    _evaluate(run, folder, trainer.accelerator.unwrap_model(trainer.model), tokenizer, "after")
    trackers.after(trainer.state.global_step)
    folder.set_status("finished", done=trainer.state.global_step, total=trainer.state.max_steps)
    return True


def _without_unverifiable(run: Run, folder: RunFolder) -> Run:
    """The run without the training tasks whose gold answers do not verify; a resumed run leaves out the same. Raises: R1Error."""
    if run.recipe.method != "grpo":
        return run
    saved = folder.gold()
    if saved is not None:
        found = GoldCheck.from_json(saved)
    else:
        phase = "checking gold answers"
        folder.set_status("running", phase=phase)
        found = check_gold(
            run.environment.tasks("train"),
            run.environment,
            progress=lambda done: folder.set_status("running", phase=phase, done=done),
        )
        warning = enforce(found, run.recipe.limits.unverifiable, "train")
        folder.write_gold(found.to_json())
        if warning:
            print(f"warning: {warning}", flush=True)
            folder.append_metrics({"kind": "warning", "step": 0, "name": "gold", "text": warning})
    return replace(run, left_out=frozenset(fault.index for fault in found.faults))


def _trainer(run: Run, model: Any, tokenizer: Any, folder: RunFolder, callbacks: list[Any]) -> Any:
    if run.recipe.method == "sft":
        from .sft import sft_trainer

        return sft_trainer(run, model, tokenizer, folder, callbacks)
    from .grpo import grpo_trainer

    return grpo_trainer(run, model, tokenizer, folder, callbacks)


def _evaluate(run: Run, folder: RunFolder, model: Any, tokenizer: Any, name: str) -> None:
    """The held-out evaluation, written to the folder, unless it is there or the recipe leaves it out."""
    from ..generation.hf_model import HFModel

    settings = run.recipe.evaluation
    if not settings.tasks or folder.evaluation(name) is not None:
        return
    phase = f"evaluating {name} training"
    folder.set_status("running", phase=phase)
    sampling = held_out_sampling(run.recipe)
    folder.evaluation_file(name).unlink(missing_ok=True)  # of an attempt that was cut short
    started = time.perf_counter()
    result = evaluate(
        islice(run.environment.tasks(settings.split), settings.tasks),
        run.environment,
        run.rewards,
        HFModel(model, tokenizer),
        sampling,
        progress=lambda done, total: folder.set_status("running", phase=phase, done=done, total=total),
        keep=lambda rollouts, scores: folder.append_evaluation(name, rollouts, scores),
    )
    folder.write_evaluation(name, {**result.to_json(), "seconds": time.perf_counter() - started})
    print(f"accuracy {name} training: {result.accuracy}", flush=True)


def _save(trainer: Any, tokenizer: Any, folder: RunFolder) -> None:
    """The trained model, in place only when it is whole."""
    new = folder.path / ".model.new"
    shutil.rmtree(new, ignore_errors=True)
    trainer.save_model(str(new))
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(str(new))
        (new / "training_args.bin").unlink(missing_ok=True)  # a pickle: nobody should have to load one
        shutil.rmtree(folder.model, ignore_errors=True)
        new.rename(folder.model)


def _seed(seed: int) -> None:
    from transformers import set_seed

    set_seed(seed)


def _quiet() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _end_with(parent: int) -> None:
    """Have the kernel send SIGTERM, which saves and ends, when the process that started this one dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before that
            raise SystemExit(INTERRUPTED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--parent", type=int, help="end, saving, when this process dies")
    given = parser.parse_args()
    if given.parent:
        _end_with(given.parent)
    raise SystemExit(main(given.run_dir))
