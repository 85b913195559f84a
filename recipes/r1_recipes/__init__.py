"""First-party recipes. Each YAML file under this folder is a recipe, named by its path without the suffix."""

from collections.abc import Callable
from pathlib import Path

import r1sdk

HERE = Path(__file__).parent


@r1sdk.hookimpl
def r1_register_recipes(register: Callable[[str, Path], None]) -> None:
    for path in sorted(HERE.rglob("*.yaml")):
        register(path.relative_to(HERE).with_suffix("").as_posix(), path)
