"""The values that the trainer's arguments take, read from the installed TRL and transformers without importing them.

A wrong value would be found only once the model is loaded and evaluated, minutes later.
"""

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from ..errors import R1Error, RecipeError, nearest
from .trl_fields import parsed, trainer_types

_ENUMERATIONS = {  # argument -> the class of its values, and where it stands
    "lr_scheduler_type": ("transformers/trainer_utils.py", "SchedulerType"),
    "optim": ("transformers/training_args.py", "OptimizerNames"),
    "save_strategy": ("transformers/trainer_utils.py", "SaveStrategy"),
    "logging_strategy": ("transformers/trainer_utils.py", "IntervalStrategy"),
    "hub_strategy": ("transformers/trainer_utils.py", "HubStrategy"),
}
_COMPARED = (  # arguments whose values are read from comparisons in the trainer's source
    "loss_type",
    "importance_sampling_level",
    "scale_rewards",
    "multi_objective_aggregation",
    "vllm_importance_sampling_mode",
    "packing_strategy",
)
_LOCAL_NAMES = {  # of a variable that holds the argument where it is compared
    ("sft", "packing_strategy", "packing_strategy"),
    ("sft", "packing_strategy", "strategy"),
    ("dpo", "loss_type", "loss_type"),
}
_TRAINERS = {
    "grpo": ("trl/trainer/grpo_trainer.py", "trl/trainer/grpo_config.py"),
    "sft": ("trl/trainer/sft_trainer.py", "trl/trainer/sft_config.py", "trl/data_utils.py"),
    "dpo": ("trl/trainer/dpo_trainer.py", "trl/trainer/dpo_config.py"),
}
_HINTS = {
    ("loss_type", "gspo"): "GSPO is importance_sampling_level: sequence with loss_type: grpo",
    ("loss_type", "drgrpo"): "write dr_grpo",
    ("loss_type", "sft"): "write nll",
    ("optim", "adamw"): "write adamw_torch",
    ("optim", "adamw_hf"): "write adamw_torch",
    ("optim", "muon"): "Muon is the recipe's own key: optimizer: muon (method sft)",
    ("lr_scheduler_type", "wsd"): "write warmup_stable_decay",
    ("lr_scheduler_type", "none"): "write constant",
}
_PACKAGES = {  # part of an optimizer's name -> the package it comes from
    "bnb": "bitsandbytes",
    "8bit": "bitsandbytes",
    "paged": "bitsandbytes",
    "ademamix": "bitsandbytes",
    "lion": "bitsandbytes",
    "torch_4bit": "torchao",
    "torch_8bit": "torchao",
    "galore": "galore_torch",
    "lomo": "lomo_optim",
    "grokadamw": "grokadamw",
    "schedule_free": "schedulefree",
    "apollo": "apollo_torch",
    "stable_adamw": "optimi",
    "anyprecision": "torchdistx",
}
_GIVEN = {"self", "optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}  # to a schedule, by the trainer
_RANGES: Mapping[str, tuple[tuple[str, ...], Callable[[float], bool]]] = {  # in words -> arguments, and the test
    "a whole number from 1": (
        ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "num_iterations")
        + ("steps_per_generation", "generation_batch_size", "precompute_ref_batch_size", "max_length")
        + ("ref_model_sync_steps", "torch_empty_cache_steps", "dataloader_prefetch_factor", "ddp_timeout"),
        lambda value: value >= 1,
    ),
    "a number from 0": (
        ("learning_rate", "weight_decay", "adam_epsilon", "max_grad_norm", "warmup_steps", "neftune_noise_alpha")
        + ("beta", "epsilon", "epsilon_high", "delta", "dataloader_num_workers")
        + ("vllm_importance_sampling_clip_max", "vllm_importance_sampling_clip_min"),
        lambda value: value >= 0,
    ),
    "a number above 0": (
        ("num_train_epochs", "repetition_penalty", "sapo_temperature_neg", "sapo_temperature_pos", "discopop_tau"),
        lambda value: value > 0,
    ),
    "a number from 0 up to, but not, 1": (("adam_beta1", "adam_beta2"), lambda value: 0 <= value < 1),
    "a number from 0 to 1": (
        ("min_p", "label_smoothing_factor", "label_smoothing", "ref_model_mixup_alpha", "top_entropy_quantile"),
        lambda value: 0 <= value <= 1,
    ),
    "a whole number from 1, or a share of all steps below 1": (
        ("logging_steps", "save_steps"),
        lambda value: 0 < value < 1 or (value >= 1 and value == int(value)),
    ),
    "a whole number from 1, or -1: the epochs then decide": (("max_steps",), lambda value: value == -1 or value >= 1),
}
_RANGE_OF = {key: (words, allows) for words, (keys, allows) in _RANGES.items() for key in keys}


def value_errors(method: str, arguments: Mapping[str, Any]) -> list[R1Error]:
    """Return a problem for each of the trainer's `arguments` whose value it would refuse. `method`: one of `trl_fields.CONFIGS`."""
    types = trainer_types(method)
    found = [
        _typed(key, value, types[key]) or next(filter(None, (_listed(method, key, one) for one in _each(value))), None)
        for key, value in arguments.items()
        if key in types
    ]
    errors: list[R1Error] = [RecipeError(text) for text in found if text]
    return errors + [RecipeError(text) for text in _together(arguments)]


def _typed(key: str, value: Any, kinds: frozenset[str]) -> str | None:
    """Return the error in the type of a value, or None."""
    name = f"recipe key 'trainer.{key}'"
    plain = kinds <= {"int", "float", "bool", "None"}
    if value is None:
        return None if "None" in kinds else f"{name} is empty: leave it out for its default"
    if isinstance(value, bool):
        if "bool" in kinds or key == "scale_rewards" or (not value and "False" in kinds):
            return None
        return f"{name} takes {_words(kinds)}, got {str(value).lower()}"
    if isinstance(value, (int, float)):
        if kinds & {"float", "int"} and not math.isfinite(value):
            return f"{name} takes a finite number, got {value}"
        words, allows = _RANGE_OF.get(key, ("", None))
        if allows is not None and not allows(value):
            return f"{name} takes {words}, got {value:g}"
        if "float" in kinds or (isinstance(value, int) and "int" in kinds):
            return None
        if "int" in kinds:
            whole = f"; write {int(value)}" if value == int(value) else ""
            return f"{name} takes a whole number, got {value!r}{whole}"
        return f"{name} takes {_words(kinds)}, got {value!r}"
    if isinstance(value, str):
        return f"{name} takes {_words(kinds)}, got {value!r}" if plain else None
    return f"{name} takes {_words(kinds)}, got {value!r:.60}" if plain else None


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _words(kinds: frozenset[str]) -> str:
    words = {"bool": "true or false", "int": "a whole number", "float": "a number"}
    said = [
        words[kind] for kind in ("float", "int", "bool") if kind in kinds and not (kind == "int" and "float" in kinds)
    ]
    return " or ".join(said) or "a text"


def _listed(method: str, key: str, value: Any) -> str | None:
    """Return the error in a value that must be one of a list, or None."""
    if not isinstance(value, str):
        return None
    allowed = allowed_values(method, key)
    if not allowed or value in allowed:
        return None
    hint = _HINTS.get((key, value.lower()), "")
    return f"recipe key 'trainer.{key}' is {value!r}{f': {hint}' if hint else nearest(value, allowed)}; one of {', '.join(allowed)}"


def allowed_values(method: str, key: str) -> list[str]:
    """Return the texts that an argument may be; empty where it takes any."""
    if key in _ENUMERATIONS:
        return list(_enumeration(*_ENUMERATIONS[key]))
    return sorted(_compared(method, key)) if key in _COMPARED and method in _TRAINERS else []


@cache
def _enumeration(source: str, name: str) -> tuple[str, ...]:
    for node in parsed(source).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return tuple(
                str(one.value.value)
                for one in node.body
                if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
            )
    return ()


@cache
def _compared(method: str, key: str) -> frozenset[str]:
    """The texts that the trainer's source compares `args.KEY` or `self.KEY` with, and the default."""
    found: set[str] = set()
    for source in _TRAINERS[method]:
        for node in ast.walk(parsed(source)):
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], (ast.Eq, ast.NotEq, ast.In, ast.NotIn)):
                continue
            left = node.left
            if (isinstance(left, ast.Attribute) and left.attr == key) or (
                isinstance(left, ast.Name) and ((method, key, left.id) in _LOCAL_NAMES)
            ):
                found |= {
                    one.value
                    for one in ast.walk(node.comparators[0])
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return frozenset(found)


@cache
def _schedules() -> dict[str, tuple[frozenset[str], frozenset[str] | None]]:
    """Per schedule: its required arguments, and all that it accepts (None: any)."""
    tree = parsed("transformers/optimization.py")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    names = {
        one.targets[0].id: str(one.value.value)
        for node in parsed("transformers/trainer_utils.py").body
        if isinstance(node, ast.ClassDef) and node.name == "SchedulerType"
        for one in node.body
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and isinstance(one.value, ast.Constant)
    }
    found = {}
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Dict)
            and getattr(node.targets[0], "id", "") == "TYPE_TO_SCHEDULER_FUNCTION"
        ):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Attribute) and isinstance(value, ast.Name) and value.id in functions:
                    found[names[key.attr]] = _parameters(functions[value.id])
    return found


def _parameters(function: ast.FunctionDef) -> tuple[frozenset[str], frozenset[str] | None]:
    given = [one.arg for one in function.args.args]
    needed = given[: len(given) - len(function.args.defaults)]
    takes = None if function.args.kwarg else frozenset(given) - _GIVEN
    return frozenset(needed) - _GIVEN, takes


def _together(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the contradictions between arguments."""
    kind, given = arguments.get("lr_scheduler_type"), arguments.get("lr_scheduler_kwargs") or {}
    if isinstance(kind, str) and kind in (schedules := _schedules()) and isinstance(given, Mapping):
        needed, takes = schedules[kind]
        if takes is not None and (extra := [key for key in given if key not in takes]):
            yield (
                f"recipe key 'trainer.lr_scheduler_kwargs': the schedule {kind} has no {', '.join(extra)}; it takes "
                f"{', '.join(sorted(takes)) or 'none'} (clear it with trainer.lr_scheduler_kwargs={{}})"
            )
        if missing := sorted(needed - set(given)):
            yield f"recipe key 'trainer.lr_scheduler_kwargs' must give {', '.join(missing)} to the schedule {kind}"
        if kind in ("cosine_with_min_lr", "cosine_warmup_with_min_lr") and not {"min_lr", "min_lr_rate"} & set(given):
            yield f"recipe key 'trainer.lr_scheduler_kwargs' must give min_lr or min_lr_rate to the schedule {kind}"
    if kind == "reduce_lr_on_plateau":
        yield "recipe key 'trainer.lr_scheduler_type' is 'reduce_lr_on_plateau', which follows an evaluation by the trainer: r1sdk has none"
    if arguments.get("bf16") is True and arguments.get("fp16") is True:
        yield "recipe keys 'trainer.bf16' and 'trainer.fp16' are both true: choose one"
    if arguments.get("save_strategy") == "best":
        yield "recipe key 'trainer.save_strategy' is 'best', which follows an evaluation by the trainer: r1sdk has none"


def missing_packages(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each argument that needs a package which is not installed, and the package."""
    optim = arguments.get("optim")
    if isinstance(optim, str):
        of_torch = "torch_" in optim  # torchao's, whatever its bits
        needed = next((one for part, one in reversed(_PACKAGES.items()) if part in optim), None)
        package = "torchao" if of_torch and needed == "bitsandbytes" else needed
        if package is not None and find_spec(package) is None:
            yield f"trainer.optim {optim}", package.replace("_", "-")
    if arguments.get("use_liger_kernel") is True and find_spec("liger_kernel") is None:
        yield "trainer.use_liger_kernel", "liger-kernel"
