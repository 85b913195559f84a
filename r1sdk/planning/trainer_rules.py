"""Rules about TRL's own arguments: which there are, which r1sdk sets, and which cannot go together."""

from collections.abc import Mapping
from typing import Any

from ..errors import R1Error, RecipeError, nearest
from ..recipe.asynchronous import KEY, does_anyway
from ..recipe.key_hints import key_hint
from ..recipe.losses import LOSSES, loss_settings
from ..recipe.schema import Recipe
from ..recipe.tracker_names import tracker_errors
from ..recipe.trl_fields import CONFIGS, trainer_fields
from ..recipe.trl_values import value_errors
from .parallel import world

OWNED = {  # trainer arguments that r1sdk sets itself -> the recipe key to use instead
    "num_generations": "generation.samples",
    "max_completion_length": "generation.max_tokens",
    "temperature": "generation.temperature",
    "top_p": "generation.top_p",
    "top_k": "generation.top_k",
    "use_vllm": "generation.backend",
    "vllm_mode": "generation.vllm.mode",
    "vllm_server_base_url": "generation.vllm.url",
    "vllm_server_host": "generation.vllm.url",
    "vllm_server_port": "generation.vllm.url",
    "vllm_server_timeout": "generation.vllm.start_timeout_s",
    "vllm_tensor_parallel_size": "generation.vllm.tensor_parallel_size",
    "vllm_gpu_memory_utilization": "generation.vllm.gpu_memory_utilization",
    "vllm_max_model_length": "generation.vllm.max_model_len",
    "reward_weights": "rewards: [{name: ..., weight: ...}]",
    "seed": "seed",
    "data_seed": "seed",
    "output_dir": "output_dir, or --out",
    "resume_from_checkpoint": "--resume",
    "eval_strategy": "evaluation.tasks",
    "do_eval": "evaluation.tasks",
    "model_init_kwargs": "dtype and attention",
    "max_tool_calling_iterations": "sessions.turns",
    "remove_unused_columns": "nothing: r1sdk keeps the column that holds the task",
}
OWNED |= {
    "trust_remote_code": "trust_remote_code, a key of the recipe",
    "load_best_model_at_end": "nothing: r1sdk saves the last model, and evaluates before and after training",
    "metric_for_best_model": "nothing: r1sdk saves the last model",
    "greater_is_better": "nothing: r1sdk saves the last model",
    "push_to_hub": "--push-to-hub OWNER/NAME",
    "hub_model_id": "--push-to-hub OWNER/NAME",
    "chat_template_kwargs": "template_args, which evaluation and generation follow, too",
}
OWNED_SFT = {
    "completion_only_loss": "nothing: the reply alone carries loss",
    "assistant_only_loss": "data.turns: last, or all",
    "dataset_text_field": "data.completion_column",
    "dataset_kwargs": "nothing: r1sdk writes the rows",
    "dataset_num_proc": "nothing: r1sdk writes the rows",
    "truncation_mode": "nothing: demonstrations over trainer.max_length are left out, not cut",
    "chat_template_path": "chat_template, a key of the recipe",
    "eos_token": "nothing: the token that the chat template puts behind a reply ends it",
    "pad_token": "nothing: the tokenizer's own, or the end token, which is masked",
    "eval_packing": "nothing: the trainer evaluates nothing",
}
OWNED_ASYNC = {
    "max_staleness": f"{KEY}.max_staleness",
    "weight_sync_steps": f"{KEY}.sync_every",
    "weight_sync_timeout": f"{KEY}.sync_timeout_s",
    "vllm_server_base_url": f"{KEY}.url",
    "vllm_server_timeout": f"{KEY}.start_timeout_s",
    "request_timeout": f"{KEY}.request_timeout_s",
    "max_inflight_tasks": f"{KEY}.max_staleness",
    "dtype": "dtype",
}
OWNED_DPO = {
    "dataset_num_proc": "nothing: r1sdk writes the rows",
    "truncation_mode": "nothing: pairs over trainer.max_length are left out, not cut",
    "padding_free": "nothing: r1sdk pads each batch",
}
OWNED_DISTILL = {
    "beta": "distill.divergence",
    "teacher_model_name_or_path": "distill.teacher",
    "teacher_model_revision": "distill.teacher",
    "teacher_model_init_kwargs": "dtype and attention",
}
OWNED_BY = {"sft": OWNED_SFT, "dpo": OWNED_DPO, "distill": OWNED_DISTILL, "async": OWNED_ASYNC}
ATTENTION = ("auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3", "flex_attention")


def attention_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem for a kernel that transformers does not know; owner/name is a kernel on the hub."""
    name = recipe.attention.rpartition("|")[2]
    if name in ATTENTION or "/" in name:
        return []
    return [
        RecipeError(f"recipe key 'attention' is {recipe.attention!r}{nearest(name, ATTENTION)}: {', '.join(ATTENTION)}")
    ]


def trainer_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem for each argument of the trainer that is unknown, set by r1sdk, or cannot go with another."""
    errors: list[R1Error] = []
    if recipe.method == "generate":
        return errors
    kind = recipe.trainer_kind
    overlapped = kind == "async"
    owned = OWNED | OWNED_BY.get(kind, {})
    try:
        known = trainer_fields(kind)
    except R1Error as error:
        return [error]
    for key, value in recipe.trainer.items():
        if key in owned:
            errors.append(RecipeError(f"recipe key 'trainer.{key}' is set by r1sdk: {_instead(owned[key])}"))
        elif overlapped and does_anyway(key, value):
            continue
        elif key not in known:
            hint = key_hint(f"trainer.{key}", Recipe, group=known)
            errors.append(RecipeError(f"recipe has no key 'trainer.{key}'{hint} (TRL's {CONFIGS[kind]})"))
    errors += _loss_rules(recipe)
    errors += value_errors(kind, {key: value for key, value in recipe.trainer.items() if key not in owned})
    errors += tracker_errors(recipe.trainer.get("report_to"))
    if recipe.trainer.get("save_total_limit") == 1:
        # The trainer deletes the old checkpoint before the new one is known to be whole.
        errors.append(RecipeError("recipe key 'trainer.save_total_limit' must be 2 or more, or a kill could lose both"))
    if recipe.optimizer == "muon" and recipe.lora is not None:
        errors.append(
            RecipeError("optimizer muon steps the matrices of the model, and lora trains adapters: choose one")
        )
    if recipe.quantize is not None and recipe.lora is None:
        errors.append(
            RecipeError(
                f"recipe key 'quantize' is {recipe.quantize!r}: quantized weights cannot be trained, adapters on them can; "
                "add --lora 16, or leave quantize out"
            )
        )
    if recipe.method == "grpo":
        errors += [] if overlapped else _batch_rules(recipe, known)
        if not recipe.generation.temperature:
            errors.append(
                RecipeError("recipe key 'generation.temperature' is 0: GRPO compares completions that differ")
            )
    if recipe.method != "sft" and recipe.optimizer != "trainer":
        errors.append(RecipeError(f"recipe key 'optimizer' is {recipe.optimizer!r}: that is for method sft only"))
    return errors


def settings_of_loss(recipe: Recipe) -> dict[str, Any]:
    """Return the trainer's arguments that the recipe's loss is about, with the values that the run uses."""
    return {key: recipe.trainer.get(key, value) for key, value in loss_settings(recipe.loss).items()}


def _loss_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem for each argument of the trainer that makes another loss than the one the recipe names."""
    if recipe.loss is None or recipe.trainer_kind != "grpo":
        return []
    selects = LOSSES[recipe.loss].selects
    return [
        RecipeError(
            f"recipe key 'loss' is {recipe.loss!r}, which is trainer.{key} {value}, and 'trainer.{key}' is "
            f"{recipe.trainer[key]!r}: leave one of them out"
        )
        for key, value in selects.items()
        if recipe.trainer.get(key, value) != value
    ]


def _instead(what: str) -> str:
    return what.removeprefix("nothing: ") if what.startswith("nothing: ") else f"use {what}"


def _batch_rules(recipe: Recipe, known: Mapping[str, Any]) -> list[R1Error]:
    """GRPO compares whole groups: the generation batch must be a multiple of the group size."""
    samples = recipe.generation.samples
    if samples < 2:
        return [
            RecipeError(
                f"recipe key 'generation.samples' is {samples}: GRPO compares at least 2 completions of a prompt"
            )
        ]

    def given(key: str, default: int) -> Any:
        value = recipe.trainer.get(key)
        return known.get(key) or default if value is None else value

    per_device, accumulation = given("per_device_train_batch_size", 8), given("gradient_accumulation_steps", 1)
    steps = recipe.trainer.get("steps_per_generation") or accumulation
    whole, processes = recipe.trainer.get("generation_batch_size"), world(recipe.launch)
    if isinstance(whole, int):
        batch: Any = whole / processes
    else:
        batch = per_device * steps if isinstance(per_device, int) and isinstance(steps, int) else None
    if batch is None or batch % samples == 0:
        return []
    lower = int(batch - batch % samples)
    several = f" in each of {processes} processes" if processes > 1 else ""
    return [
        RecipeError(
            f"a generation batch of {batch:g} completions{several} does not divide by the group size {samples}\n"
            f"  per_device_train_batch_size {per_device} x steps_per_generation {steps}; use "
            f"{' or '.join(str(n) for n in (lower, lower + samples) if n)}, or another generation.samples"
        )
    ]
