"""Recipe and Registry in, `Run` out: every name, option and number is checked before a model is loaded."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .adapters import TrlReward, missing_columns
from .contracts import FROM_RECIPE, Demonstrator, Environment
from .demonstrations import Demonstrations, FromEnvironment, FromFile, FromHub
from .errors import PluginError, R1Error, RecipeError, nearest, raise_all
from .isolation import bounded, isolation_of, unwrapped
from .parallel import parallel_errors, world
from .plugins import Registry
from .recipe import Collect, Data, Recipe, WeightedReward, read_layer
from .records import Rollout, Task
from .scoring import Rewards
from .tracking import tracker_errors
from .trl_fields import trainer_fields

OWNED = {  # trainer arguments that r1sdk sets itself -> what to write instead
    "num_generations": "generation.samples",
    "max_completion_length": "generation.max_tokens",
    "temperature": "generation.temperature",
    "top_p": "generation.top_p",
    "top_k": "generation.top_k",
    "use_vllm": "generation.backend",
    "reward_weights": "rewards: [{name: ..., weight: ...}]",
    "seed": "seed",
    "data_seed": "seed",
    "output_dir": "output_dir, or --out",
    "resume_from_checkpoint": "--resume",
    "eval_strategy": "evaluation.tasks",
    "do_eval": "evaluation.tasks",
    "model_init_kwargs": "dtype and attention",
    "remove_unused_columns": "nothing: r1sdk keeps the column that holds the task",
}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from: a folder, a hub id, or a function `(folder, seed)` that writes a folder."""

    name: str
    folder: Path | None = None
    hub_id: str | None = None
    make: Callable[[Path, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe with everything that it names, found and built."""

    recipe: Recipe
    environment: Environment
    rewards: Rewards
    model: ModelSource
    demonstrations: Demonstrations | FromHub | None = None  # method sft
    left_out: frozenset[int] = frozenset()  # places of training tasks, from 0, whose gold answers cannot be verified


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
    errors += _method_errors(recipe) + _trainer_errors(recipe) + parallel_errors(registry, recipe)
    if draw and environment is not None and not isinstance(environment, NoEnvironment):
        for split in _splits(recipe):
            task = attempt(first_task, environment, recipe.env.name, split)
            if task is not None and split == "train":
                errors += _column_errors(rewards or {}, task)
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
    if _HUB_ID.fullmatch(data.name) and not path.suffix:
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
    from .workers.packing import pack

    try:
        pack(function)
    except R1Error as error:
        raise PluginError(
            f"{what} is to be called in a worker process: {error}\n"
            "  make it a function or a frozen dataclass of a module, with options that can be pickled"
        ) from error


def _column_errors(rewards: Rewards, task: Task) -> list[R1Error]:
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


def resolve_model(registry: Registry, name: str) -> ModelSource:
    """Looked up among the registered models, then as a folder (a run folder: the model it trained), then as a hub id.

    Raises: R1Error that says what was tried.
    """
    if ("model", name) in registry.entries:
        target = registry.get("model", name).target
        return ModelSource(name, make=target) if callable(target) else ModelSource(name, folder=Path(target))
    path = Path(name).expanduser()
    if path.is_dir():
        for folder in (path / "model", path):
            if (folder / "config.json").is_file():
                return ModelSource(name, folder=folder.resolve())
        raise R1Error(f"model {name!r}: the folder has no config.json, nor a model/ of a finished run")
    if _HUB_ID.fullmatch(name) and not path.exists():
        return ModelSource(name, hub_id=name)
    known = registry.names("model")
    raise R1Error(
        f"no model {name!r}{nearest(name, known)}\n"
        f"  tried: registered models ({', '.join(known) or 'none'}), the folder {path}, a hub id (owner/name)"
    )


def _method_errors(recipe: Recipe) -> list[R1Error]:
    """A problem for each key that the method does not read."""
    keys = {"data": (recipe.data, None, "sft"), "collect": (recipe.collect, Collect(), "generate")}
    errors: list[R1Error] = [
        RecipeError(f"recipe key {key!r} is for method {method}, and this is {recipe.method}: --method {method}")
        for key, (value, unset, method) in keys.items()
        if recipe.method != method and value != unset
    ]
    if recipe.method == "generate" and recipe.launch.accelerate:
        errors.append(RecipeError("method generate is one process: for more, have a server generate (collect.server)"))
    return errors


def _trainer_errors(recipe: Recipe) -> list[R1Error]:
    errors: list[R1Error] = []
    if recipe.method == "generate":
        return errors
    try:
        known = trainer_fields(recipe.method)
    except R1Error as error:
        return [error]
    for key, value in recipe.trainer.items():
        if key in OWNED:
            errors.append(RecipeError(f"recipe key 'trainer.{key}' is set by r1sdk: use {OWNED[key]}"))
        elif key not in known:
            config = {"grpo": "GRPOConfig", "sft": "SFTConfig"}[recipe.method]
            errors.append(RecipeError(f"recipe has no key 'trainer.{key}'{nearest(key, known)} (TRL's {config})"))
        elif isinstance(known[key], (int, float)) and isinstance(value, str):
            errors.append(RecipeError(f"recipe key 'trainer.{key}' takes a number or true or false, got {value!r}"))
    errors += tracker_errors(recipe.trainer.get("report_to"))
    if recipe.trainer.get("save_total_limit") == 1:
        # The trainer deletes the old checkpoint before the new one is known to be whole.
        errors.append(RecipeError("recipe key 'trainer.save_total_limit' must be 2 or more, or a kill could lose both"))
    if recipe.optimizer == "muon" and recipe.lora is not None:
        errors.append(
            RecipeError("optimizer muon steps the matrices of the model, and lora trains adapters: choose one")
        )
    if recipe.method == "grpo":
        errors += _batch_errors(recipe, known)
        if recipe.optimizer != "trainer":
            errors.append(RecipeError(f"recipe key 'optimizer' is {recipe.optimizer!r}: that is for method sft only"))
        if not recipe.generation.temperature:
            errors.append(
                RecipeError("recipe key 'generation.temperature' is 0: GRPO compares completions that differ")
            )
    return errors


def _batch_errors(recipe: Recipe, known: Mapping[str, Any]) -> list[R1Error]:
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
