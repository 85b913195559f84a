"""Build the environment, the rewards and the demonstrations that a recipe names."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..contracts import FROM_RECIPE, Demonstrator, Environment
from ..data.demonstrations import Demonstrations, FromEnvironment, FromFile, FromHub
from ..data.row_faults import why_empty
from ..data.row_formats import RowColumns
from ..errors import PluginError, R1Error, RecipeError, nearest, raise_all
from ..plugins.environment_calls import tasks_of
from ..plugins.registry import Registry
from ..recipe.key_groups import Data
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from ..records import Task
from ..scoring.isolation import isolation_of, unwrapped, with_timeout
from ..scoring.score_rollouts import Rewards
from .model_source import HUB_ID


def build_demonstrations(
    registry: Registry, recipe: Recipe, environment: Environment | None = None, check: bool = True
) -> Demonstrations | FromHub:
    """Find the demonstrations of `recipe` and check their rows; without `data` they come from `environment`. Raises: R1Error."""
    data = recipe.data or Data(name=recipe.env.name)
    learns = METHODS[recipe.method].learns_from
    if learns == "pairs" and (recipe.data is None or ("environment", data.name) in registry.entries):
        raise RecipeError(
            "method dpo learns from a file of pairs: make one with r1 generate --pairs, and name it with --data FILE"
        )
    if recipe.data is None or ("environment", data.name) in registry.entries:
        shows = environment if recipe.data is None else build_environment(registry, data.name, data.options)
        if not isinstance(shows, Demonstrator):
            raise RecipeError(
                f"environment {data.name!r} has no demonstrations, and method sft needs them: name a file with --data"
            )
        return FromEnvironment(shows, recipe.evaluation.split, data.held_out)
    if data.options:
        raise RecipeError(f"recipe key 'data.options' is for an environment, and {data.name!r} is none")
    path = Path(os.path.expandvars(data.name)).expanduser()
    columns = RowColumns(
        data.prompt_column,
        data.completion_column,
        data.system_column,
        data.reasoning_column,
        data.turns,
        data.thought_marks,
        "pairs" if learns == "pairs" else "demonstrations",
        data.chosen_column,
        data.rejected_column,
    )
    if path.exists():
        rows = FromFile(path, data.held_out, recipe.seed, columns, data.skip_bad)
        if check:
            rows.check()
        return rows
    if HUB_ID.fullmatch(data.name) and not path.suffix:
        return FromHub(data.name, data.config, data.split, data.held_out, recipe.seed, columns, data.skip_bad)
    raise R1Error(
        f"no data {data.name!r}{nearest(data.name, registry.names('environment'))}\n"
        f"  tried: the file or folder {path}, the environments, a data set on the hub (owner/name)"
    )


def build_environment(
    registry: Registry, name: str, options: Mapping[str, Any], timeout_s: float | None = None
) -> Environment:
    """The named environment; with `timeout_s` its `verify` is isolated. Raises: R1Error."""
    environment = registry.build("environment", name, options)
    if not isinstance(environment, Environment):
        raise PluginError(
            f"environment {name!r} must have tasks(split) and verify(rollout), see docs/write-an-environment.md"
        )
    isolated: Environment = with_timeout(environment, timeout_s)
    _check_isolation(f"environment {name!r}", isolated, environment.verify)
    return isolated


def first_task(environment: Environment, name: str, split: str) -> Task:
    """The first task of `split`, drawn to see that there is one. Raises: R1Error."""
    try:
        task = next(tasks_of(environment, split), None)
    except R1Error as error:
        raise PluginError(f"environment {name!r}: {error}") from None
    except Exception as error:
        raise PluginError(
            f"environment {name!r} has no tasks in split {split!r}: {type(error).__name__}: {error}"
        ) from error
    if task is None:
        reason = why_empty(environment, split)
        raise PluginError(f"environment {name!r} has no tasks in split {split!r}{f': {reason}' if reason else ''}")
    return task


def build_rewards(registry: Registry, recipe: Recipe, keys: Mapping[str, Any] | None = None) -> Rewards:
    """The recipe's rewards by name, with their weights. Raises: R1Error with every one at fault.

    `keys`: the recipe keys that `from_recipe` options are filled from; None: all of the recipe.
    """
    keys = recipe.model_dump() if keys is None else keys
    built: dict[str, tuple[Any, float]] = {}
    errors: list[R1Error] = []
    for reward in recipe.rewards:
        try:
            filled = _recipe_options(registry, "reward", reward.name, reward.options, keys)
            options = {**reward.options, **filled}
            target = with_timeout(registry.build("reward", reward.name, options), reward.timeout_s)
            _check_isolation(f"reward {reward.name!r}", target, unwrapped(target))
            built[reward.name] = (target, reward.weight)
        except R1Error as error:
            errors.append(error)
    if not recipe.rewards and recipe.method == "grpo":
        errors.append(RecipeError("GRPO needs at least one reward, e.g. --rewards accuracy,format"))
    raise_all(errors)
    return built


def build_advantage(registry: Registry, recipe: Recipe, keys: Mapping[str, Any] | None = None) -> Any:
    """The recipe's advantage estimator; None for TRL's own. Raises: R1Error. `keys`: see `build_rewards`."""
    given = recipe.advantage
    if given is None:
        return None
    keys = recipe.model_dump() if keys is None else keys
    filled = _recipe_options(registry, "advantage", given.name, given.options, keys)
    return registry.build("advantage", given.name, {**given.options, **filled})


def _check_isolation(what: str, target: Any, function: Any) -> None:
    """Raises: PluginError where `function` is to be called in a worker process, and cannot be sent to one."""
    if isolation_of(target) is None:
        return
    from ..workers.packing import pack

    try:
        pack(function)
    except R1Error as error:
        raise PluginError(
            f"{what} is to be called in a worker process: {error}\n"
            "  make it a function or a frozen dataclass of a module, with options that can be pickled"
        ) from error


def _recipe_options(
    registry: Registry, kind: str, name: str, options: Mapping[str, Any], keys: Mapping[str, Any]
) -> dict[str, Any]:
    """The `from_recipe` options of a plugin that it was not given, filled in. Raises: R1Error."""
    target = registry.get(kind, name).target
    filled = {}
    for field in dataclasses.fields(target) if dataclasses.is_dataclass(target) else ():
        if FROM_RECIPE not in field.metadata or options.get(field.name) is not None:
            continue
        key = field.metadata[FROM_RECIPE]
        value: Any = keys
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            raise PluginError(
                f"{kind} {name!r} takes its option {field.name!r} from the recipe key {key!r}, which is not set"
                f"\n  set that key, or give the option: {{name: {name}, options: {{{field.name}: ...}}}}"
            )
        filled[field.name] = value
    return filled
