"""Hints for a recipe key or a value that does not exist: the full key of the word you typed, or the nearest form of the value."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from ..errors import R1Error, nearest

WORDS = {  # a word of other trainers' settings -> the full key here
    "lr": "trainer.learning_rate",
    "batch_size": "trainer.per_device_train_batch_size",
    "train_batch_size": "trainer.per_device_train_batch_size",
    "micro_batch_size": "trainer.per_device_train_batch_size",
    "mini_batch_size": "trainer.per_device_train_batch_size",
    "grad_accum": "trainer.gradient_accumulation_steps",
    "gradient_accumulation": "trainer.gradient_accumulation_steps",
    "steps": "trainer.max_steps",
    "iterations": "trainer.max_steps",
    "total_steps": "trainer.max_steps",
    "epochs": "trainer.num_train_epochs",
    "num_epochs": "trainer.num_train_epochs",
    "total_epochs": "trainer.num_train_epochs",
    "warmup": "trainer.warmup_steps",
    "warmup_ratio": "trainer.warmup_steps",
    "scheduler": "trainer.lr_scheduler_type",
    "lr_scheduler": "trainer.lr_scheduler_type",
    "max_grad": "trainer.max_grad_norm",
    "grad_clip": "trainer.max_grad_norm",
    "clip_grad": "trainer.max_grad_norm",
    "gradient_clipping": "trainer.max_grad_norm",
    "wd": "trainer.weight_decay",
    "kl_coef": "trainer.beta",
    "kl_loss_coef": "trainer.beta",
    "kl_beta": "trainer.beta",
    "clip_ratio": "trainer.epsilon",
    "clip_range": "trainer.epsilon",
    "ppo_epochs": "trainer.num_iterations",
    "mu": "trainer.num_iterations",
    "loss": "trainer.loss_type",
    "checkpoint_every": "trainer.save_steps",
    "save_freq": "trainer.save_steps",
    "tracker": "trainer.report_to",
    "wandb": "trainer.report_to",
    "logger": "trainer.report_to",
    "num_generations": "generation.samples",
    "group_size": "generation.samples",
    "rollouts_per_prompt": "generation.samples",
    "num_samples": "generation.samples",
    "n": "generation.samples",
    "g": "generation.samples",
    "temp": "generation.temperature",
    "max_new_tokens": "generation.max_tokens",
    "max_completion_length": "generation.max_tokens",
    "max_response_length": "generation.max_tokens",
    "response_length": "generation.max_tokens",
    "max_length": "generation.max_tokens",
    "max_seq_length": "trainer.max_length",
    "max_model_length": "generation.vllm.max_model_len",
    "use_vllm": "generation.backend",
    "engine": "generation.backend",
    "gpu_memory_utilization": "generation.vllm.gpu_memory_utilization",
    "tp": "generation.vllm.tensor_parallel_size",
    "tp_size": "generation.vllm.tensor_parallel_size",
    "model_name": "model",
    "model_name_or_path": "model",
    "model_id": "model",
    "base_model": "model",
    "torch_dtype": "dtype",
    "precision": "dtype",
    "bf16": "dtype",
    "attn_implementation": "attention",
    "flash_attention": "attention",
    "lora_r": "lora.rank",
    "lora_rank": "lora.rank",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "target_modules": "lora.targets",
    "lora_target_modules": "lora.targets",
    "use_peft": "lora",
    "load_in_4bit": "quantize",
    "load_in_8bit": "quantize",
    "source": "env.options.source",
    "level": "env.options.level",
    "environment": "env",
    "task": "env",
    "reward": "rewards",
    "reward_funcs": "rewards",
    "reward_functions": "rewards",
    "reward_weights": "rewards",
    "dataset": "data",
    "dataset_name": "data",
    "train_files": "data",
    "algorithm": "method",
    "algo": "method",
    "trainer_type": "method",
    "teacher": "distill.teacher",
    "teacher_model": "distill.teacher",
    "teacher_model_name_or_path": "distill.teacher",
    "divergence": "distill.divergence",
    "preference_data": "data",
    "ref_model": "model",
    "out": "output_dir",
    "output": "output_dir",
    "run_dir": "output_dir",
    "eval_tasks": "evaluation.tasks",
    "eval_samples": "evaluation.samples",
    "limit": "evaluation.tasks",
    "num_tasks": "evaluation.tasks",
    "num_problems": "evaluation.tasks",
    "max_examples": "evaluation.tasks",
    "num_examples": "evaluation.tasks",
    "max_gen_toks": "generation.max_tokens",
    "output_path": "output_dir",
    "out_dir": "output_dir",
    "save_dir": "output_dir",
    "max_turns": "sessions.turns",
    "max_tool_calls": "sessions.calls",
    "num_gpus": "launch.processes",
    "gpus": "launch.processes",
    "world_size": "launch.processes",
    "num_processes": "launch.processes",
    "num_nodes": "launch.nodes",
    "num_machines": "launch.nodes",
    "deepspeed": "launch.accelerate",
}
NOTES = {  # a word whose key needs more than its name
    "source": "an option of environment file",
    "warmup_ratio": "a value below 1 is a share of the steps, e.g. 0.1",
    "max_prompt_length": "no such limit: prompts are never cut, and one that leaves no room for the reply is an error",
    "max_prompt_tokens": "no such limit: prompts are never cut, and one that leaves no room for the reply is an error",
    "dataset": "for method sft or dpo; for GRPO on your own problems: --env file --set env.options.source=FILE",
    "dataset_name": "for method sft or dpo; for GRPO on your own problems: --env file --set env.options.source=FILE",
    "train_files": "for method sft or dpo; for GRPO on your own problems: --env file --set env.options.source=FILE",
    "ref_model": "the reference of dpo is the model as the run begins",
    "reward_weights": "a weight follows its reward, e.g. rewards=accuracy,format=0.2",
    "max_length": "tokens of a completion",
    "use_vllm": "vllm, transformers or auto",
    "load_in_4bit": "write quantize=4bit, with lora",
    "load_in_8bit": "write quantize=8bit, with lora",
    "bf16": "write dtype=bfloat16; trainer.bf16 is the trainer's mixed precision",
}
ELSEWHERE = ("generation", "trainer", "evaluation")  # of several keys with one leaf, those here come first
VALUES = {  # a value as other tools write it -> the value here, where that one is allowed
    "bf16": "bfloat16",
    "fp32": "float32",
    "float": "float32",
    "f32": "float32",
    "hf": "transformers",
    "huggingface": "transformers",
    "local": "transformers",
    "int4": "4bit",
    "nf4": "4bit",
    "4": "4bit",
    "int8": "8bit",
    "8": "8bit",
    "ppo": "grpo",
    "gspo": "grpo",
    "dapo": "grpo",
    "rloo": "grpo",
    "rl": "grpo",
    "supervised": "sft",
    "finetune": "sft",
    "sample": "generate",
    "gkd": "distill",
    "opd": "distill",
    "on_policy_distillation": "distill",
    "distillation": "distill",
    "kd": "distill",
    "preference": "dpo",
    "ipo": "dpo",
}


def key_hint(
    path: str, recipe: type[BaseModel], options: Iterable[str] = (), group: Iterable[str] | None = None
) -> str:
    """Return the end of a message on the unknown key `path`: `; did you mean generation.samples?`, or an empty string.

    A typo of a key in the same group comes first, then the field's words, then the same leaf anywhere in the recipe, and last
    the nearest leaf. `options`: the full keys of the options of the plugins that the recipe names. `group`: the names of the
    keys beside it; None reads them from the recipe.
    """
    parts = path.split(".")
    leaf = parts[-1].lower().replace("-", "_")
    beside = group_at(recipe, parts[:-1]) if group is None else list(group)
    keys = [*recipe_keys(recipe), *options]
    if leaf in NOTES and leaf not in WORDS:
        return f": {NOTES[leaf]}"
    same = [key for key in keys if key.rpartition(".")[2] == leaf and key != path]
    here = get_close_matches(parts[-1], beside, n=1, cutoff=0.75)
    if same and not here:
        return _meant(same, leaf)
    if leaf in WORDS and WORDS[leaf] != path:
        return _meant([WORDS[leaf]], leaf)
    if here:
        return f"; did you mean {here[0]!r}?"
    trainers = [f"trainer.{name}" for name in _trainer_names()]
    if f"trainer.{leaf}" in trainers:
        return _meant([f"trainer.{leaf}"], leaf)
    if near := nearest(parts[-1], beside):
        return near
    leaves = {key.rpartition(".")[2]: key for key in [*trainers, *keys]}
    found = get_close_matches(leaf, [*leaves, *WORDS], n=1, cutoff=0.8)
    return _meant([leaves.get(found[0]) or WORDS[found[0]]], found[0]) if found else ""


def exact_keys(word: str, recipe: type[BaseModel]) -> list[str]:
    """Return the recipe keys that a word of another tool stands for, the likeliest first: `num_generations`, `learning_rate`.

    The word is a whole key, one of `WORDS`, the last part of a key, or an argument of TRL. Empty for a word that is none of them.
    """
    leaf = word.lower().replace("-", "_")
    keys = list(recipe_keys(recipe))
    if leaf in keys:
        return [leaf]
    group, _, last = leaf.rpartition(".")
    if group == "trainer" and last in _trainer_names():
        return [leaf]
    if leaf in WORDS:
        return [WORDS[leaf]]
    same = [key for key in keys if key.rpartition(".")[2] == leaf]
    if same:
        return sorted(same, key=_place)
    return [f"trainer.{leaf}"] if leaf in _trainer_names() else []


def known_words(recipe: type[BaseModel]) -> list[str]:
    """Return every word that `exact_keys` knows."""
    return [*WORDS, *(key.rpartition(".")[2] for key in recipe_keys(recipe)), *_trainer_names()]


def _place(key: str) -> tuple[int, str]:
    group = key.partition(".")[0]
    return ELSEWHERE.index(group) if group in ELSEWHERE else len(ELSEWHERE), key


def _meant(keys: list[str], leaf: str) -> str:
    note = f" ({NOTES[leaf]})" if leaf in NOTES else ""
    return f"; did you mean {' or '.join(sorted(keys, key=_place)[:3])}?{note}"


def group_at(recipe: type[BaseModel], parts: Iterable[Any]) -> list[str]:
    """Return the names of the keys in the group at a path of the recipe."""
    model = recipe
    for part in parts:
        model = next(iter(_models(model, str(part))), model)
    return list(model.model_fields)


def _models(model: type[BaseModel], name: str) -> Iterator[type[BaseModel]]:
    if name in model.model_fields:
        yield from _within(model.model_fields[name].annotation)


def _within(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the groups of keys in an annotation: `Server | None` is a server, `tuple[WeightedReward, ...]` a reward."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _within(one)


def recipe_keys(recipe: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key of a recipe with its dots; those of a list (rewards) are left out, since no `--set` reaches them."""
    for name, info in recipe.model_fields.items():
        yield prefix + name
        if name != "rewards":
            for group in _within(info.annotation):
                yield from recipe_keys(group, f"{prefix}{name}.")


def _trainer_names() -> list[str]:
    from .trl_fields import trainer_fields

    try:
        return list(trainer_fields("grpo"))
    except R1Error:  # TRL is not installed: the hint knows the recipe's own keys alone
        return []


def value_hint(value: Any, expected: str) -> str:
    """Return `; write bfloat16`, or the nearest, for a `value` that is none of the quoted words in `expected`."""
    allowed = re.findall(r"'([^']*)'", expected)
    word = str(value).strip().lower()
    if not word:
        return ""
    by_case: Mapping[str, str] = {one.lower(): one for one in allowed}
    if found := by_case.get(word) or (VALUES.get(word) if VALUES.get(word) in allowed else None):
        return f"; write {found}"
    return nearest(word, allowed)
