"""Measure the accuracy at checkpoints, keep the best one, and go back to a healthy one where the policy has collapsed."""

import math
import time
from typing import Any

from transformers import TrainerCallback

from ...evaluation.statistics import estimate
from ...planning.run_plan import NoEnvironment, RunPlan
from ...storage.checkpoints import checkpoint_step
from ...storage.jsonl import Damage
from ...storage.rollbacks import Rollback, learning_rate_factor
from ...storage.run_folder import RunFolder
from .callback import RunCallback
from .collapse import collapse, last_healthy
from .probe_evaluation import has_whole_model, held_out_attempts

EVALUATIONS = 10  # of a run at most, so that they cost little beside the training


class CheckpointEvaluation(TrainerCallback):  # type: ignore[misc]
    """Attempt the first `keep_best.tasks` held-out tasks at the scheduled checkpoints, except for the last one.

    Put it before callbacks that save for other reasons: a checkpoint of a stop must not add an evaluation that the run without
    the stop does not have. With several processes it does nothing.
    """

    def __init__(self, run: RunPlan, folder: RunFolder, tokenizer: Any) -> None:
        self.run = run
        self.folder = folder
        self.tokenizer = tokenizer
        settings = run.recipe.keep_best
        evaluated = 0 if isinstance(run.environment, NoEnvironment) else run.recipe.evaluation.tasks
        self.count = 0 if settings is None else min(settings.tasks, evaluated)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self._evaluate(args, state, control, model)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self._evaluate(args, state, control, model)

    def _evaluate(self, args: Any, state: Any, control: Any, model: Any) -> None:
        if (
            not self.count
            or not control.should_save
            or state.global_step >= state.max_steps
            or not has_whole_model(args)
        ):
            return
        done = max((row["step"] for row in self.folder.checkpoint_accuracies()), default=0)
        if state.global_step < done + state.max_steps // EVALUATIONS or state.global_step == done:
            return
        made = held_out_attempts(self.run, model, self.tokenizer, self.count)
        verdicts = [(rollout.task.id, rollout.verdict) for some, _ in made for rollout in some]
        values = {task or str(at): verdict.value if verdict else None for at, (task, verdict) in enumerate(verdicts)}
        found = estimate([[value] for value in values.values()])
        if found.mean is None:
            return
        self.folder.append_checkpoint_accuracy(
            {"step": state.global_step, "accuracy": found.mean, "n": found.n, "values": values, "time": time.time()}
        )
        print(f"accuracy at the checkpoint of step {state.global_step}: {found}", flush=True)


class CollapseWatch(TrainerCallback):  # type: ignore[misc]
    """End the training where the policy has certainly collapsed, or warn of it, as the recipe says. Put it after `run_callback`."""

    def __init__(self, run: RunPlan, folder: RunFolder, run_callback: RunCallback) -> None:
        self.settings = run.recipe.on_collapse
        self.samples = run.recipe.generation.samples
        self.folder = folder
        self.run_callback = run_callback
        self.rollback: Rollback | None = None
        self._start = _start(run, folder)
        self._warned = any(line["name"] == "policy_collapsed" for line in folder.metrics("warning"))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs or not state.is_world_process_zero or self._warned:
            return
        lines, accuracies = self.run_callback.lines, [*self._start, *self.folder.checkpoint_accuracies()]
        rollouts = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        prompts, rollbacks = max(1, rollouts // self.samples), self.folder.rollbacks()
        reason = collapse(lines, accuracies, prompts, rollbacks[-1].to if rollbacks else 0)
        if reason is None:
            return
        if self.settings.action == "warn":
            self._warned = True
            text = f"the policy has collapsed: {reason}; stop the run, and lower trainer.learning_rate or look at the rewards"
            found = {"kind": "warning", "step": state.global_step, "time": time.time(), "name": "policy_collapsed"}
            self.folder.append_metrics({**found, "text": text})
            return
        ends = len(rollbacks) >= self.settings.most
        self.rollback = Rollback(
            at=state.global_step,
            to=last_healthy([*map(checkpoint_step, self.folder.undamaged_checkpoints())], lines, accuracies, prompts),
            reason=reason,
            learning_rate=1.0 if ends else float(self.settings.rate_factor),
            ends=ends,
        )
        print(self.rollback.text, flush=True)
        control.should_save = False
        control.should_training_stop = True


def _start(run: RunPlan, folder: RunFolder) -> list[dict[str, Any]]:
    """Return the accuracy of the model that training began with, on the tasks of the checkpoints, as that of step 0."""
    settings, values = run.recipe.keep_best, dict[str, Any]()
    for line in folder.evaluation_rollouts("before", Damage()):
        key = line["task"].get("id") or str(len(values))
        if settings is None or len(values) == settings.tasks:
            break
        values.setdefault(key, (line["verdict"] or {}).get("value"))
    found = estimate([[value] for value in values.values()])
    return [] if found.mean is None else [{"step": 0, "accuracy": found.mean, "n": found.n, "values": values}]


class LowerLearningRate(TrainerCallback):  # type: ignore[misc]
    """Lower the learning rate that a checkpoint brings, for the rollbacks that were made after it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_train_begin(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, lr_scheduler: Any = None, **_: Any
    ) -> None:
        factor = learning_rate_factor(self.folder.rollbacks(), state.global_step)
        if math.isclose(factor, 1.0):
            return
        for group in optimizer.param_groups:
            for key in ("lr", "initial_lr"):
                if key in group:
                    group[key] = group[key] * factor
        for name in ("base_lrs", "_last_lr"):
            if rates := getattr(lr_scheduler, name, None):
                setattr(lr_scheduler, name, [rate * factor for rate in rates])
