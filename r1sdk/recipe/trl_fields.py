"""The argument names that the installed TRL takes, read from its source without importing it.

Importing a TRL config costs seconds (torch, transformers); a mistyped key of a recipe is found in milliseconds.
"""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import R1Error

_SOURCES = {  # method -> the files that define its config, from the base up
    "grpo": ("transformers/training_args.py", "trl/trainer/base_config.py", "trl/trainer/grpo_config.py"),
    "async": (
        "transformers/training_args.py",
        "trl/trainer/base_config.py",
        "trl/experimental/async_grpo/async_grpo_config.py",
    ),
    "sft": ("transformers/training_args.py", "trl/trainer/base_config.py", "trl/trainer/sft_config.py"),
    "dpo": ("transformers/training_args.py", "trl/trainer/base_config.py", "trl/trainer/dpo_config.py"),
    "distill": ("transformers/training_args.py", "trl/trainer/base_config.py", "trl/trainer/distillation_config.py"),
}
CONFIGS = {
    "grpo": "GRPOConfig",
    "async": "AsyncGRPOConfig",
    "sft": "SFTConfig",
    "dpo": "DPOConfig",
    "distill": "DistillationConfig",
}
_CLASSES = {"TrainingArguments", "_BaseConfig", *CONFIGS.values()}


@cache
def trainer_fields(method: str) -> dict[str, Any]:
    """Every field of TRL's config for `method` with its default (None where that is no plain literal).

    Raises: R1Error where TRL is not installed.
    """
    return {name: _default(statement.value) for name, statement in _fields(method).items()}


@cache
def trainer_types(method: str) -> dict[str, frozenset[str]]:
    """The types of every field, as its annotation names them: {"int", "None"}. Raises: R1Error where TRL is not installed."""
    types = {}
    for name, statement in _fields(method).items():
        parts = ast.unparse(statement.annotation).replace("Literal[False]", "False").split(" | ")
        types[name] = frozenset(part.partition("[")[0] for part in parts)
    return types


def _fields(method: str) -> dict[str, ast.AnnAssign]:
    found: dict[str, ast.AnnAssign] = {}
    for source in _SOURCES[method]:
        for node in parsed(source).body:
            if isinstance(node, ast.ClassDef) and node.name in _CLASSES:
                for statement in node.body:
                    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                        found[statement.target.id] = statement
    return found


@cache
def parsed(source: str) -> ast.Module:
    """The source of an installed package, `package/module.py`. Raises: R1Error where it is not installed."""
    package, _, rest = source.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise R1Error(f"training needs {package}: pip install 'r1sdk[train]'")
    return ast.parse((Path(spec.submodule_search_locations[0]) / rest).read_text(encoding="utf-8"))


def _default(value: ast.expr | None) -> Any:
    """The literal default of `x: int = 3` or `x: int = field(default=3, ...)`; None for anything else."""
    if isinstance(value, ast.Call):
        value = next((keyword.value for keyword in value.keywords if keyword.arg == "default"), None)
    try:
        return None if value is None else ast.literal_eval(value)
    except ValueError:
        return None
