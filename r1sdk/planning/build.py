"""Recipe and Registry in, `Run` out: every name, option and number is checked before a model is loaded."""

import dataclasses
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contracts import FROM_RECIPE, Demonstrator, Environment
from ..data.demonstrations import Demonstrations, FromEnvironment, FromFile, FromHub
from ..errors import PluginError, R1Error, RecipeError, nearest, raise_all
from ..plugins.registry import Registry
from ..plugins.trl_functions import TrlReward, missing_columns
from ..recipe.asynchronous import KEY
from ..recipe.key_groups import Data, WeightedReward
from ..recipe.layers import read_layer
from ..recipe.schema import Recipe
from ..records import Rollout, Task
from ..rollout.sessions import check_session
from ..scoring.isolation import bounded, isolation_of, unwrapped
from ..scoring.score_rollouts import Rewards
from .model_source import HUB_ID, ModelSource, resolve_model
from .parallel import parallel_errors
from .rules import session_errors, settings_errors


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe with everything that it names, found and built."""

    recipe: Recipe
    environment: Environment
    rewards: Rewards
    model: ModelSource
    demonstrations: Demonstrations | FromHub | None = None  # method sft
    left_out: frozenset[int] = frozenset()  # places of training tasks, from 0, whose gold answers cannot be verified
    # For a curriculum: right and wrong completions of the tasks that were rated before, by id.
    pass_rates: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


def compose(recipe: Recipe, registry: Registry, awaited: frozenset[str] = frozenset(), draw: bool = True) -> Run:
    """Everything that `recipe` names, built. Raises: R1Error with every problem that can be known now.

    `awaited`: "model", "data", or both, which an earlier stage will make. `draw`: the first task of each split is drawn.
    """
    errors: list[R1Error] = []

    def attempt(step: Callable[..., Any], *args: Any) -> Any:
        try:
            return step(*args)
        except R1Error as error:
            errors.append(error)

    env = recipe.env
    environment: Any = attempt(build_environment, registry, env.name, env.options, env.timeout_s) if env.name else None
    demonstrations = None
    if recipe.method == "sft" and "data" not in awaited and (environment is not None or recipe.data is not None):
        demonstrations = attempt(build_demonstrations, registry, recipe, environment)
    if not env.name:
        shown = demonstrations.environment if isinstance(demonstrations, FromEnvironment) else None
        environment = shown or NoEnvironment()
    rewards = attempt(build_rewards, registry, recipe)
    elsewhere = "model" in awaited or (recipe.method == "generate" and recipe.collect.server is not None)
    model = ModelSource(recipe.model) if elsewhere else attempt(resolve_model, registry, recipe.model)
    errors += settings_errors(recipe) + parallel_errors(registry, recipe)
    has_sessions = False
    if draw and environment is not None and not isinstance(environment, NoEnvironment):
        for split in _splits(recipe):
            task = attempt(first_task, environment, recipe.env.name, split)
            if task is not None and split == "train":
                errors += column_errors(rewards or {}, task)
            has_sessions |= task is not None and bool(attempt(check_session, environment, task))
    errors += session_errors(recipe) if has_sessions else []
    if recipe.experimental_async is not None:
        errors += _sending_errors(environment, rewards or {})
    raise_all(errors)
    return Run(recipe, environment, rewards, model, demonstrations)


class NoEnvironment:
    """In place of an environment where a run learns from data alone: there is nothing to judge."""

    def tasks(self, split: str) -> list[Task]:
        return []

    def verify(self, rollout: Rollout) -> None:
        return None

    def summary(self) -> str:
        return "none, so no accuracy is measured"


def build_demonstrations(
    registry: Registry, recipe: Recipe, environment: Environment | None = None
) -> Demonstrations | FromHub:
    """What `recipe` learns from, the first row looked at; without `data` that is `environment`. Raises: R1Error."""
    data = recipe.data or Data(name=recipe.env.name)
    if recipe.data is None or ("environment", data.name) in registry.entries:
        shows = environment if recipe.data is None else build_environment(registry, data.name, data.options)
        if not isinstance(shows, Demonstrator):
            raise RecipeError(
                f"environment {data.name!r} has no demonstrations, and method sft needs them: name a file with --data"
            )
        return FromEnvironment(shows, recipe.evaluation.split, data.held_out)
    if data.options:
        raise RecipeError(f"recipe key 'data.options' is for an environment, and {data.name!r} is none")
    path = Path(data.name).expanduser()
    if path.is_file():
        rows = FromFile(path, data.held_out, recipe.seed)
        rows.check()
        return rows
    if HUB_ID.fullmatch(data.name) and not path.suffix:
        return FromHub(data.name, data.config, data.split, data.held_out, recipe.seed)
    raise R1Error(
        f"no data {data.name!r}{nearest(data.name, registry.names('environment'))}\n"
        f"  tried: the file {path}, the environments, a data set on the hub (owner/name)"
    )


def _splits(recipe: Recipe) -> tuple[str, ...]:
    """The splits that a run of `recipe` draws tasks from."""
    if recipe.method == "generate":
        return (recipe.collect.split,)
    if recipe.method == "sft" and recipe.data is not None:
        return (recipe.evaluation.split,) if recipe.evaluation.tasks else ()
    return ("train", recipe.evaluation.split) if recipe.evaluation.tasks else ("train",)


def build_environment(
    registry: Registry, name: str, options: Mapping[str, Any], timeout_s: float | None = None
) -> Environment:
    """The named environment; with `timeout_s` its `verify` is isolated. Raises: R1Error."""
    environment = registry.build("environment", name, options)
    if not isinstance(environment, Environment):
        raise PluginError(
            f"environment {name!r} must have tasks(split) and verify(rollout), see docs/write-an-environment.md"
        )
    isolated: Environment = bounded(environment, timeout_s)
    _check_isolation(f"environment {name!r}", isolated, environment.verify)
    return isolated


def first_task(environment: Environment, name: str, split: str) -> Task:
    """The first task of `split`, drawn to see that there is one. Raises: R1Error."""
    try:
        task = next(iter(environment.tasks(split)), None)
    except R1Error as error:
        raise PluginError(f"environment {name!r}: {error}") from None
    except Exception as error:
        raise PluginError(
            f"environment {name!r} has no tasks in split {split!r}: {type(error).__name__}: {error}"
        ) from error
    if task is None:
        raise PluginError(f"environment {name!r} has no tasks in split {split!r}")
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
            options = {**reward.options, **_recipe_options(registry, reward, keys)}
            target = bounded(registry.build("reward", reward.name, options), reward.timeout_s)
            _check_isolation(f"reward {reward.name!r}", target, unwrapped(target))
            built[reward.name] = (target, reward.weight)
        except R1Error as error:
            errors.append(error)
    if not recipe.rewards and recipe.method == "grpo":
        errors.append(RecipeError("GRPO needs at least one reward, e.g. --rewards accuracy,format"))
    raise_all(errors)
    return built


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


def _sending_errors(environment: Environment | None, rewards: Rewards) -> list[R1Error]:
    """A problem for each judge that cannot be sent to the process in which asynchronous training judges."""
    errors: list[R1Error] = []
    for what, target in {
        "environment": environment,
        **{f"reward {name!r}": one for name, (one, _) in rewards.items()},
    }.items():
        try:
            pickle.dumps(target)
        except Exception as error:  # noqa: BLE001 - whatever someone's object makes of being pickled
            errors.append(
                PluginError(
                    f"{what} is judged in a process of its own under {KEY}, and cannot be sent there: {error}\n"
                    "  make it a function or a frozen dataclass of a module, with options that can be pickled"
                )
            )
    return errors


def column_errors(rewards: Rewards, task: Task) -> list[R1Error]:
    """A problem for each function in TRL's signature that asks for a column which the tasks do not have."""
    return [
        PluginError(
            f"reward {name!r} needs {', '.join(map(repr, missing))} of each task; task {task.id or task.prompt!r:.60} has "
            f"{', '.join(task.info) or 'no info'}{'' if task.answer is None else ', answer, solution'}"
        )
        for name, (reward, _) in rewards.items()
        if isinstance(function := unwrapped(reward), TrlReward) and (missing := missing_columns(function, task))
    ]


def _recipe_options(registry: Registry, reward: WeightedReward, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The `from_recipe` options of a reward that it was not given, filled in. Raises: R1Error."""
    target = registry.get("reward", reward.name).target
    filled = {}
    for field in dataclasses.fields(target) if dataclasses.is_dataclass(target) else ():
        if FROM_RECIPE not in field.metadata or reward.options.get(field.name) is not None:
            continue
        key = field.metadata[FROM_RECIPE]
        value: Any = keys
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            raise PluginError(
                f"reward {reward.name!r} takes its option {field.name!r} from the recipe key {key!r}, which is not set"
                f"\n  set that key, or give the option: {{name: {reward.name}, options: {{{field.name}: ...}}}}"
            )
        filled[field.name] = value
    return filled


def find_recipe(
    registry: Registry, name: str | None, env: str | None, model: str | None, method: str | None = None
) -> tuple[Path, str]:
    """The recipe file to start from, and why it is that one.

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
