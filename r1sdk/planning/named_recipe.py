"""Find the recipe of a command and lay the layers over it: defaults < recipe file < `--set` < flags, the same everywhere."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.table_files import is_table
from ..errors import R1Error, RecipeError
from ..plugins.building import fields_of
from ..plugins.entry import kind_of
from ..plugins.registry import Registry
from ..recipe.layers import dotted, fold, overlay, read_layer
from ..recipe.losses import without_loss
from ..recipe.schema import DEFAULT_REWARDS, Recipe, load_recipe, raise_with_rest, rewards_by_name
from .stages import is_pipeline

LARGEST_BYTES = 1 << 20  # of a recipe


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
    problems: list[R1Error] = []
    given = fold([*_assigned(sets, problems), without_none(flags or {})])
    if isinstance(start, Mapping):
        below, origin = (without_loss(start) if "loss" in given else dict(start)), "given"
    else:
        path, why = find_recipe(
            registry,
            None if start is None else str(start),
            *(named_in(given, key) for key in ("env", "model", "method")),
        )
        if is_pipeline(path):
            raise RecipeError(
                f"recipe {start!r} has stages, and this takes one run: r1 train {start} --dry-run shows them"
            )
        layer = read_layer(path)
        below, origin = (without_loss(layer) if "loss" in given else layer), path.name if why == "given" else why
    given = with_plugin_options(given, below, registry, problems)
    named = named_in(overlay(below, given), "env")
    try:
        recipe = load_recipe(None, below, defaults or {}, given, options=lambda: option_keys(registry, named))
    except RecipeError as error:
        raise_with_rest([*problems, error], error.rest)
    if problems:
        raise_with_rest(problems, recipe)
    return _with_environment(recipe, registry), origin


def resolve_rest(
    errors: list[R1Error],
    registry: Registry,
    start: str | Path | Mapping[str, Any] | None,
    sets: Sequence[str],
    flags: Mapping[str, Any],
) -> Recipe:
    """Return the recipe of `resolve_recipe`; where some of its keys are at fault, the rest, with the error added to `errors`."""
    try:
        return resolve_recipe(registry, start, sets, flags)[0]
    except RecipeError as error:
        if not isinstance(error.rest, Recipe):
            raise
        errors.append(error)
        return error.rest


def _assigned(sets: Sequence[str], problems: list[R1Error]) -> list[dict[str, Any]]:
    """Return the layers of `sets`; those that cannot be read are added to `problems`."""
    layers = []
    for text in sets:
        try:
            layers.append(dotted(text))
        except RecipeError as error:
            problems.append(error)
    return layers


def with_plugin_options(
    given: Mapping[str, Any], below: Mapping[str, Any], registry: Registry, problems: list[R1Error]
) -> dict[str, Any]:
    """Move options that are given by a plugin's name, `countdown.level=easy`, to where a recipe has them.

    `below`: the recipe that `given` will lie on. A plugin that the recipe does not use is added to `problems`.
    """
    moved = {key: value for key, value in given.items() if key in Recipe.model_fields}
    whole = overlay(below, moved)
    env, estimator = named_in(whole, "env"), named_in(whole, "advantage")
    rewards = rewards_by_name(whole.get("rewards", [reward.name for reward in DEFAULT_REWARDS]))
    for name, options in given.items():
        if name in Recipe.model_fields:
            continue
        used = {reward.get("name"): reward for reward in rewards or () if isinstance(reward, dict)}
        if not isinstance(options, Mapping):
            moved[name] = options
        elif name == env:
            moved = overlay(moved, {"env": {"name": env, "options": options}})
        elif name in used:
            used[name]["options"] = {**(used[name].get("options") or {}), **options}
            moved["rewards"] = rewards
        elif name == estimator:
            moved = overlay(moved, {"advantage": {"name": name, "options": options}})
        elif any((kind, name) in registry.entries for kind in ("environment", "reward", "advantage")):
            there = ", ".join(filter(None, [env, estimator, *map(str, used)]))
            problems.append(RecipeError(f"--set {name}.…: this recipe does not use {name}; it uses {there}"))
        else:
            moved[name] = options
    return moved


def option_keys(registry: Registry, env: str | None) -> list[str]:
    """Return the full keys of the options of `env`; of every environment if that one is not known."""
    names = [env] if ("environment", env) in registry.entries else registry.names("environment")
    targets = [entry.target for name in names for entry in registry.entries["environment", str(name)]]
    return list(dict.fromkeys(f"env.options.{option.name}" for target in targets for option in fields_of(target)))


def _with_environment(recipe: Recipe, registry: Registry) -> Recipe:
    """Return `recipe`. Raises: RecipeError if it names a file where an environment belongs."""
    name = recipe.env.name
    if ("environment", name) not in registry.entries and is_data_file(name):
        raise RecipeError(
            f"environment {name!r} is a file: train on its rows with --env file --set env.options.source={name}\n"
            f"  demonstrations for SFT: r1 train --method sft --data {name}"
        )
    return recipe


def is_data_file(name: str) -> bool:
    """True if `name` is a file on this machine or ends like a table of rows."""
    path = Path(name).expanduser()
    return name != "" and (path.is_file() or is_table(path))


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
        if file.is_file() and (file.suffix in (".yaml", ".yml") or not is_table(file) or _is_json_recipe(file)):
            return file, "given"
        if file.suffix in (".yaml", ".yml"):
            raise RecipeError(
                f"no recipe file {name!r}; registered recipes: {', '.join(registry.names('recipe')) or 'none'}"
            )
        if ("recipe", name) not in registry.entries and (hint := _meant(file, name, registry)):
            raise RecipeError(f"no recipe {name!r}: {hint}")
        return Path(registry.get("recipe", name).target), "given"
    default = Path(registry.get("recipe", "default").target)
    pair = f"{env}/{model or read_layer(default).get('model')}"
    if pair in registry.names("recipe") and _is_for(Path(registry.get("recipe", pair).target), method):
        return Path(registry.get("recipe", pair).target), f"{pair}, measured for this environment and model"
    return default, "default"


def pipeline_for(registry: Registry, env: str | None, model: str | None) -> str | None:
    """Return the registered recipe `ENV/MODEL` if it has stages, and so is none that one run can start from."""
    default = Path(registry.get("recipe", "default").target)
    pair = f"{env}/{model or read_layer(default).get('model')}"
    return pair if pair in registry.names("recipe") and is_pipeline(Path(registry.get("recipe", pair).target)) else None


def _is_json_recipe(file: Path) -> bool:
    """True if a JSON file holds one object with the keys of a recipe, and no columns of a table."""
    if file.suffix != ".json" or file.stat().st_size > LARGEST_BYTES:
        return False
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(found, dict):
        return False
    return "stages" in found or any(isinstance(found.get(key), str | dict) for key in ("env", "method", "trainer"))


def _meant(file: Path, name: str, registry: Registry) -> str:
    """Return advice for a name that is no recipe: a recipe file without its ending, a table of rows, an environment."""
    if (file / "recipe.yaml").is_file() or (file / "seeds.yaml").is_file() or (file / "pipeline.yaml").is_file():
        again = f"; train again as it did: r1 train {name}/recipe.yaml" if (file / "recipe.yaml").is_file() else ""
        return (
            f"that is a run folder: continue it with r1 train --resume {name}; train its model further with "
            f"--model {name}{again}"
        )
    if file.is_dir():
        return f"that is a folder: a model in it is --model {name}"
    for ending in (".yaml", ".yml"):
        if (written := file.with_name(file.name + ending)).is_file():
            return f"did you mean the file {written}?"
    if is_data_file(name):
        return f"that is a file of rows: r1 train --env file --set env.options.source={name}"
    for kind, flag in (("environment", "--env"), ("model", "--model"), ("reward", "--rewards")):
        if (kind, name) in registry.entries:
            return f"that is {kind_of(kind)}: write {flag} {name}"
    return ""


def _is_for(path: Path, method: str | None) -> bool:
    layer = read_layer(path)
    return "stages" not in layer and method in (None, layer.get("method", "grpo"))
