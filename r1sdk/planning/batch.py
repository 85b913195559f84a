"""The batch of a run: prompts, completions and updates of the weights, in one sentence, and the tasks that it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import R1Error, RecipeError
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from ..recipe.trl_fields import trainer_fields
from .parallel import world


@dataclass(frozen=True, slots=True)
class StepSizes:
    """The numbers that make a step. All are totals over the processes, but `per_device`."""

    processes: int
    per_device: int  # rollouts or examples that one process learns from at a time
    accumulation: int
    generated: int  # rollouts of one generation batch (GRPO)
    repeats: int  # times that each rollout is learnt from

    @property
    def update(self) -> int:
        """The rollouts or examples of one update of the weights."""
        return self.per_device * self.accumulation * self.processes


def step_sizes(recipe: Recipe) -> StepSizes | None:
    """Return the sizes of a step; None for a method that does not train, or if the trainer is not installed here."""
    if recipe.method == "generate":
        return None
    try:
        known: Mapping[str, Any] = trainer_fields(recipe.trainer_kind)
    except R1Error:  # another machine trains
        return None

    def given(key: str, default: int) -> int:
        value = recipe.trainer.get(key)
        return int(value if value is not None else known.get(key) or default)

    processes, accumulation = world(recipe.launch), given("gradient_accumulation_steps", 1)
    per_device = given("per_device_train_batch_size", 8)
    generated = recipe.trainer.get("generation_batch_size") or (
        per_device * processes * given("steps_per_generation", accumulation)
    )
    return StepSizes(processes, per_device, accumulation, int(generated), given("num_iterations", 1))


def batch_sentence(recipe: Recipe) -> str:
    """Return `one step: 16 prompts x 8 completions = 128 rollouts, 1 update`; empty for a method that does not train.

    TRL counts a step for each update: completions are generated in one batch, which `steps_per_generation` and
    `num_iterations` may divide and repeat over several steps.
    """
    sizes = step_sizes(recipe)
    if sizes is None:
        return ""
    factors = [(sizes.processes, "processes"), (sizes.per_device, "at a time"), (sizes.accumulation, "accumulated")]
    shared = [f"{number} {word}" for number, word in factors if word == "at a time" or number > 1]
    parts = f" ({' x '.join(shared)})" if len(shared) > 1 else ""
    if METHODS[recipe.method].reads_rows:
        example = "pair" if recipe.method == "dpo" else "demonstration"
        return f"one step: {_count(sizes.update, example)}{parts}, 1 update"
    if recipe.method == "distill":
        return f"one step: {_count(sizes.update, 'prompt')} x 1 completion = {_count(sizes.update, 'rollout')}{parts}, 1 update"
    if recipe.trainer_kind == "async":
        return f"one step: {_count(sizes.update, 'rollout')}{parts}, 1 update"
    samples, repeats, generated = recipe.generation.samples, sizes.repeats, sizes.generated
    updates = max(1, generated // sizes.update) * repeats
    what = f"{_count(generated // samples, 'prompt')} x {samples} completions = {generated} rollouts"
    if updates == 1:
        return f"one step: {what}{parts}, 1 update"
    again = f", each rollout used {repeats} times" if repeats > 1 else ""
    return f"{updates} steps: {what}; each step is 1 update on {_count(sizes.update, 'rollout')}{parts}{again}"


def prompts_of_a_batch(recipe: Recipe) -> int:
    """Return the different tasks that one generation batch takes; 0 if the trainer needs no whole batch."""
    sizes = step_sizes(recipe) if METHODS[recipe.method].plays and recipe.trainer_kind != "async" else None
    if sizes is None or (recipe.method == "grpo" and sizes.generated % recipe.generation.samples):  # refused elsewhere
        return 0
    return sizes.update if recipe.method == "distill" else sizes.generated // recipe.generation.samples


def too_few_tasks(recipe: Recipe, tasks: int, left_out: int = 0) -> list[R1Error]:
    """Return a problem if `tasks` do not fill a batch: the trainer drops an incomplete one, and would make no step."""
    needed = prompts_of_a_batch(recipe)
    if tasks >= needed:
        return []
    each = 1 if recipe.method == "distill" else recipe.generation.samples
    smaller = (
        "set a smaller trainer.per_device_train_batch_size, or use more tasks"
        if recipe.method == "distill"
        else f"let one batch have at most {max(1, tasks) * each} completions, by a smaller "
        "trainer.per_device_train_batch_size or trainer.gradient_accumulation_steps, or use more tasks"
    )
    without = f" (without {left_out} whose gold answers cannot be verified)" if left_out else ""
    return [
        RecipeError(
            f"environment {recipe.env.name!r} has {_count(tasks, 'training task')}{without}, and one generation batch takes "
            f"{needed} different ones ({needed} prompts x {each} completions): no step would be made\n  {smaller}"
        )
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
