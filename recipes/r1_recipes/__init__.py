"""First-party recipes: each YAML file under this folder, named by its path without the suffix. Those of `accelerate/` say how
the processes of a run share out the work.
"""

from collections.abc import Callable
from pathlib import Path

import r1sdk

HERE = Path(__file__).parent
ACCELERATE = HERE / "accelerate"


@r1sdk.hookimpl
def r1_register_recipes(register: Callable[[str, Path], None]) -> None:
    for path in sorted(HERE.rglob("*.yaml")):
        if path.parent != ACCELERATE:
            register(path.relative_to(HERE).with_suffix("").as_posix(), path)


@r1sdk.hookimpl
def r1_register_accelerate(register: Callable[[str, Path], None]) -> None:
    for path in sorted(ACCELERATE.glob("*.yaml")):
        register(path.stem, path)
