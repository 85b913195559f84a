"""The arguments that TRL's trainers share: defaults for this machine, the recipe's own, and those that r1sdk sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..recipe.schema import Recipe


def shared_arguments(recipe: Recipe, checkpoints: Path, trainer: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the arguments of every trainer: defaults for the machine < the recipe's `trainer:` < the folder and the seed.

    `trainer`: in place of the recipe's.
    """
    return {
        **machine_arguments(recipe),
        **tracked_as(checkpoints),
        **(recipe.trainer if trainer is None else trainer),
        "output_dir": str(checkpoints),
        "seed": recipe.seed,
    }


def sampling_arguments(recipe: Recipe) -> dict[str, Any]:
    """Return how completions are sampled, by the names of TRL's trainers that sample."""
    generation = recipe.generation
    return {
        "max_completion_length": generation.max_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        "remove_unused_columns": False,
    }


def tracked_as(checkpoints: Path) -> dict[str, Any]:
    """Return the name of the run for trackers: that of its folder."""
    return {"project": "r1sdk", "run_name": checkpoints.parent.name}


def machine_arguments(recipe: Recipe) -> dict[str, Any]:
    """Return defaults for this machine. Nothing is reported to a tracker unless you ask for it."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "use_cpu": not cuda,
        "bf16": cuda and torch.cuda.is_bf16_supported() and not recipe.trainer.get("fp16"),
        "gradient_checkpointing": cuda,
        "report_to": [],
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": 50,
        "save_total_limit": 2,
        "disable_tqdm": True,
        "dataloader_pin_memory": cuda,
        "ddp_find_unused_parameters": False,
        "ddp_broadcast_buffers": False,  # buffers are constants, and a forward pass of one process alone must not wait
    }
