"""Rules about distillation and preferences: a teacher that fits, settings that these methods cannot follow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..contracts import takes_group
from ..errors import R1Error, RecipeError, nearest
from ..recipe.key_groups import teacher_key
from ..recipe.schema import Recipe
from ..scoring.isolation import unwrapped
from .model_source import ModelSource, model_folder
from .run_plan import RunPlan


def preference_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem for each setting that method dpo cannot follow."""
    errors: list[R1Error] = []
    if recipe.data is not None and recipe.data.held_out:
        errors.append(
            RecipeError("recipe key 'data.held_out' is for method sft: dpo is evaluated on tasks (--env NAME)")
        )
    if recipe.data is not None and recipe.data.turns != "last":
        errors.append(RecipeError("recipe key 'data.turns' is for method sft: a pair has one reply on each side"))
    if recipe.trainer.get("sync_ref_model"):
        errors.append(
            RecipeError(
                "recipe key 'trainer.sync_ref_model' is true: no checkpoint holds a reference that moves, so a run that is "
                "stopped could not be resumed; leave it out"
            )
        )
    if recipe.quantize is not None and recipe.trainer.get("precompute_ref_log_probs"):
        errors.append(
            RecipeError("recipe key 'trainer.precompute_ref_log_probs' does not go with quantize: leave one out")
        )
    return errors


def distillation_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem for a teacher that is missing or does not fit, and for each setting that distillation cannot follow."""
    recipe = plan.recipe
    if recipe.distill is None:
        return [
            RecipeError("method distill needs a teacher: --teacher NAME (a model, a folder, a run folder, a hub id)")
        ]
    errors: list[R1Error] = []
    teachers = recipe.distill.teachers
    for part, name in teachers.items():
        if name.startswith(("http://", "https://")):
            errors.append(
                RecipeError(
                    f"recipe key {teacher_key(part)!r} is the server {name}: the loss compares the whole distributions of both models, "
                    "and a server sends a few log-probabilities: give the model itself"
                )
            )
    errors += _part_faults(plan, teachers)
    if plan.has_sessions:
        errors.append(RecipeError("method distill attempts tasks in one turn, and this environment has several"))
    grouped = [name for name, (reward, _) in plan.rewards.items() if takes_group(unwrapped(reward))]
    if grouped:
        errors.append(
            RecipeError(
                f"reward {grouped[0]!r} compares completions of one prompt, and method distill makes one of each: leave it out"
            )
        )
    if not recipe.generation.temperature:
        errors.append(RecipeError("recipe key 'generation.temperature' is 0: the loss divides by it, use 1.0"))
    for part, teacher in plan.teachers.items():
        if fault := _vocabulary_fault(plan.model, teacher):
            errors.append(RecipeError(f"recipe key {teacher_key(part)!r} is {teachers[part]!r}: {fault}"))
    return errors


def _part_faults(plan: RunPlan, teachers: Mapping[str, str]) -> list[R1Error]:
    """Return a problem where teachers of parts do not fit the parts of the environment, or the way that processes share models."""
    if set(teachers) <= {""}:
        return []
    parts = [part.name for part in getattr(unwrapped(plan.environment), "parts", ())]
    if not parts:
        return [
            RecipeError(
                "recipe key 'distill.teacher' has one teacher for each part, and the environment has no parts: use the "
                "environment mixture, or give one teacher"
            )
        ]
    errors: list[R1Error] = []
    if missing := [part for part in parts if part not in teachers]:
        errors.append(RecipeError(f"recipe key 'distill.teacher' has no teacher for {', '.join(missing)}"))
    for name in teachers:
        if name not in parts:
            errors.append(
                RecipeError(f"recipe key {teacher_key(name)!r}: no part of the mixture{nearest(name, parts)}")
            )
    if plan.sharing.get("distributed_type") in ("DEEPSPEED", "FSDP"):
        errors.append(
            RecipeError(
                "several teachers are not shared out between processes: use launch.accelerate ddp, or one teacher"
            )
        )
    return errors


def _vocabulary_fault(model: ModelSource, teacher: ModelSource) -> str | None:
    """Return the difference of two models' vocabularies; None if there is none, or their files are not here."""
    student_folder, teacher_folder = model_folder(model), model_folder(teacher)
    if student_folder is None or teacher_folder is None:
        return None
    sizes = [_read(folder / "config.json").get("vocab_size") for folder in (student_folder, teacher_folder)]
    if None not in sizes and sizes[0] != sizes[1]:
        return (
            f"it has {sizes[1]} tokens and the model {sizes[0]}; the loss compares the two distributions token by token, so "
            "both need one vocabulary: take a teacher of the same family"
        )
    words = [
        _read(folder / "tokenizer.json").get("model", {}).get("vocab") for folder in (student_folder, teacher_folder)
    ]
    if words[0] is not None and words[1] is not None and words[0] != words[1]:
        return "its tokens mean other texts than the model's: take a teacher with the same tokenizer"
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
