"""Attempt a few held-out tasks again at each quarter of the training, so that you can compare replies to one prompt over time.

The numbers of the training stay as they are: the generator puts the state of the random numbers back (tests/train/test_during.py).
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from transformers import TrainerCallback

from ...evaluation.attempts import attempts
from ...planning.run_plan import RunPlan
from ...plugins.environment_calls import tasks_of
from ...records import Rollout, Score
from ...storage.run_folder import RunFolder
from ..held_out_sampling import held_out_sampling

QUARTERS = (1, 2, 3)


class ProbeEvaluation(TrainerCallback):  # type: ignore[misc]
    """Keep one attempt at each of the first `evaluation.during` tasks. With several processes it does nothing."""

    def __init__(self, run: RunPlan, folder: RunFolder, tokenizer: Any) -> None:
        self.run = run
        self.folder = folder
        self.tokenizer = tokenizer
        settings = run.recipe.evaluation
        self.count = min(settings.tasks, settings.during)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        moments = {state.max_steps * quarter // 4 for quarter in QUARTERS}
        if not self.count or not has_whole_model(args) or state.global_step not in moments:
            return
        for rollouts, scores in held_out_attempts(self.run, model, self.tokenizer, self.count):
            self.folder.append_evaluation("during", rollouts, scores, step=state.global_step)


def held_out_attempts(
    run: RunPlan, model: Any, tokenizer: Any, count: int
) -> Iterator[tuple[list[Rollout], list[Score]]]:
    """Yield one attempt at each of the first `count` held-out tasks, by the model that is being trained."""
    from ...rollout.hf_model import HFModel

    recipe = run.recipe
    tasks = list(islice(tasks_of(run.environment, recipe.evaluation.split), count))
    sampling = replace(held_out_sampling(recipe), samples=1)
    # The layers of a wrapped model contain the adapter.
    generator = HFModel(model.get_base_model() if recipe.lora else model, tokenizer)
    return attempts(tasks, run.environment, run.rewards, generator, sampling, limits=recipe.sessions)


def has_whole_model(args: Any) -> bool:
    """True if this is the only process and it holds the whole model, not a shard."""
    sharing = [os.environ.get(f"ACCELERATE_USE_{library}") for library in ("DEEPSPEED", "FSDP")]
    return bool(args.world_size == 1) and "true" not in sharing
