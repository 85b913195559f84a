"""Disk space of a run: its checkpoints and its model, from the shape of the model and the recipe. Units are bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..recipe.schema import Recipe
from .memory import Shape, dtype_of

RECORDS = 64 << 20  # rollouts, metrics and logs of a small run


@dataclass(frozen=True, slots=True)
class Room:
    """Sizes on disk: one checkpoint, the trained model, and the largest number of checkpoints at the same time."""

    checkpoint: int
    model: int
    checkpoints: int

    @property
    def least(self) -> int:
        """Below it not even one checkpoint and the model can be written."""
        return self.checkpoint * min(1, self.checkpoints) + self.model + RECORDS

    @property
    def most(self) -> int:
        return self.checkpoint * self.checkpoints + self.model + RECORDS


def room_for(shape: Shape, recipe: Recipe, accelerate: Mapping[str, Any], cuda: bool) -> Room:
    """Return the space that a run of `recipe` needs. `accelerate`: the config by which several processes share the work."""
    trainer = recipe.trainer
    bf16 = dtype_of(recipe, cuda) == "bfloat16"
    deepspeed = accelerate.get("distributed_type") == "DEEPSPEED"
    half = bf16 or (deepspeed and bool(trainer.get("bf16", cuda)))
    each = 2 if half else 4
    if recipe.lora is not None:
        checkpoint = shape.layers * shape.linear * recipe.lora.rank * (4 + 8)  # adapters are in float32
    else:
        # AdamW's two moments; DeepSpeed also writes the float32 weights beside those in bfloat16.
        checkpoint = shape.parameters * (each + (12 if deepspeed and half else 2 * each))
    return Room(checkpoint, shape.parameters * each, _at_once(recipe))


def _at_once(recipe: Recipe) -> int:
    """A new checkpoint is written before an old one goes."""
    trainer = recipe.trainer
    if trainer.get("save_strategy") == "no" or recipe.method == "generate":
        return 0
    limit = trainer.get("save_total_limit", 2)
    steps, every = trainer.get("max_steps", 0), trainer.get("save_steps", 50)
    counted = isinstance(steps, int) and isinstance(every, int) and steps > 0 and every > 0
    made = -(-steps // every) if counted else None
    if isinstance(limit, int) and limit > 0:
        return limit + 1 if made is None else min(limit + 1, made)
    return made if made is not None else 3
