"""Find the recipe of a command and lay the layers over it: defaults < recipe file < `--set` < flags, the same everywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RecipeError
from ..plugins.registry import Registry
from ..recipe.layers import dotted, fold, read_layer
from ..recipe.schema import Recipe, load_recipe
from .stages import is_pipeline


def resolve_recipe(
    registry: Registry,
    start: str | Path | Mapping[str, Any] | None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[Recipe, str]:
    """Return the recipe that a caller asked for, and where it begins. Raises: R1Error.

    `start`: a recipe's name or file, the keys of one, or None for the settings of the environment and the model that `sets`
    and `flags` name. `defaults` lie over `start`. `sets`: KEY=VALUE with dots. `flags`: recipe keys; None values are left out.
    """
    given = fold([*map(dotted, sets), without_none(flags or {})])
    if isinstance(start, Mapping):
        return load_recipe(None, start, defaults or {}, given), "given"
    path, why = find_recipe(
        registry,
        None if start is None else str(start),
        *(named_in(given, key) for key in ("env", "model", "method")),
    )
    if is_pipeline(path):
        raise RecipeError(f"recipe {start!r} has stages, and this takes one run: r1 train {start} --dry-run shows them")
    return load_recipe(path, defaults or {}, given), f"{path.name if why == 'given' else why}"


def without_none(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the keys that were not given, in mappings too."""
    found = {key: without_none(value) if isinstance(value, Mapping) and value else value for key, value in keys.items()}
    return {key: value for key, value in found.items() if value is not None and not (value == {} and keys[key])}


def named_in(layer: Mapping[str, Any], key: str) -> str | None:
    """Return the name that `layer` gives for `key`."""
    value = layer.get(key)
    name = value.get("name") if isinstance(value, Mapping) else value
    return name if isinstance(name, str) else None


def find_recipe(
    registry: Registry, name: str | None, env: str | None, model: str | None, method: str | None = None
) -> tuple[Path, str]:
    """Return the recipe file to start from, and the reason.

    A given `name` is a file, or a registered recipe. Without one it is the registered recipe `ENV/MODEL`, which holds
    settings that were measured for that pair and one method, or else `default`. Raises: R1Error.
    """
    if name is not None:
        file = Path(name).expanduser()
        if file.is_file():
            return file, "given"
        if file.suffix in (".yaml", ".yml"):
            raise RecipeError(
                f"no recipe file {name!r}; registered recipes: {', '.join(registry.names('recipe')) or 'none'}"
            )
        return Path(registry.get("recipe", name).target), "given"
    default = Path(registry.get("recipe", "default").target)
    pair = f"{env}/{model or read_layer(default).get('model')}"
    if pair in registry.names("recipe") and _is_for(Path(registry.get("recipe", pair).target), method):
        return Path(registry.get("recipe", pair).target), f"{pair}, measured for this environment and model"
    return default, "default"


def _is_for(path: Path, method: str | None) -> bool:
    layer = read_layer(path)
    return "stages" not in layer and method in (None, layer.get("method", "grpo"))
