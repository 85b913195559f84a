"""The batch of a run in one sentence: prompts, completions, and updates of the weights."""

from collections.abc import Mapping
from typing import Any

from ..errors import R1Error
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from ..recipe.trl_fields import trainer_fields
from .parallel import world


def batch_sentence(recipe: Recipe) -> str:
    """Return `one step: 16 prompts x 8 completions = 128 rollouts, 1 update`; empty for a method that does not train.

    TRL counts a step for each update: completions are generated in one batch, which `steps_per_generation` and
    `num_iterations` may divide and repeat over several steps.
    """
    if recipe.method == "generate":
        return ""
    overlapped = recipe.method == "grpo" and recipe.experimental_async is not None
    try:
        known: Mapping[str, Any] = trainer_fields("async" if overlapped else recipe.method)
    except R1Error:  # the trainer is not installed here: another machine trains
        return ""

    def given(key: str, default: int) -> int:
        value = recipe.trainer.get(key)
        return int(value if value is not None else known.get(key) or default)

    processes, accumulation = world(recipe.launch), given("gradient_accumulation_steps", 1)
    per_device = given("per_device_train_batch_size", 8)
    update = per_device * accumulation * processes
    factors = [(processes, "processes"), (per_device, "at a time"), (accumulation, "accumulated")]
    shared = [f"{number} {word}" for number, word in factors if word == "at a time" or number > 1]
    parts = f" ({' x '.join(shared)})" if len(shared) > 1 else ""
    if METHODS[recipe.method].reads_rows:
        example = "pair" if recipe.method == "dpo" else "demonstration"
        return f"one step: {_count(update, example)}{parts}, 1 update"
    if recipe.method == "distill":
        return f"one step: {_count(update, 'prompt')} x 1 completion = {_count(update, 'rollout')}{parts}, 1 update"
    if overlapped:
        return f"one step: {_count(update, 'rollout')}{parts}, 1 update"
    samples, repeats = recipe.generation.samples, given("num_iterations", 1)
    generated = recipe.trainer.get("generation_batch_size") or (
        per_device * processes * given("steps_per_generation", accumulation)
    )
    updates = max(1, generated // update) * repeats
    what = f"{_count(generated // samples, 'prompt')} x {samples} completions = {generated} rollouts"
    if updates == 1:
        return f"one step: {what}{parts}, 1 update"
    again = f", each rollout used {repeats} times" if repeats > 1 else ""
    return f"{updates} steps: {what}; each step is 1 update on {_count(update, 'rollout')}{parts}{again}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
