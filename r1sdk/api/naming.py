"""The names that a caller gives: recipes, rewards and environments by name, as mappings, or as objects of the program."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import R1Error, RecipeError, RunError, nearest
from ..evaluation.evaluation_folder import part_folder, read_plan, whole_part
from ..planning.build import build_environment
from ..planning.named_recipe import resolve_recipe
from ..plugins.loading import load_plugins
from ..plugins.registry import Registry
from ..recipe.layers import dotted, flattened
from ..recipe.schema import Recipe
from ..storage.run_folder import RunFolder

Sets = Sequence[str] | Mapping[str, Any]
"""Recipe keys with dots: `{"trainer.learning_rate": 1e-5}`, or as the command line has them, `["trainer.learning_rate=1e-5"]`."""

Rewards = str | Sequence[str | Mapping[str, Any]] | Mapping[str, Any]
"""Rewards: `"accuracy,format=0.2"`, a list, or a mapping of names to weights, to functions, or to (function, weight)."""

Objects = dict[tuple[str, str], Any]


def load_recipe(recipe: str | Path | Mapping[str, Any] | None = None, settings: Sets = (), **keys: Any) -> Recipe:
    """Return a recipe with all its keys: defaults < recipe < `settings` < `keys`. Raises: R1Error.

    `recipe`: a registered name, a file, a mapping of keys, or None for the settings of `env` and `model`.
    """
    return resolve_recipe(load_plugins(), as_start(recipe), as_sets(settings), keys)[0]


def as_start(recipe: str | Path | Mapping[str, Any] | Recipe | None) -> str | Path | Mapping[str, Any] | None:
    """Return a recipe as the resolver takes it: a name, a file or a mapping."""
    return recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else recipe


def as_sets(settings: Sets) -> list[str]:
    """Return settings as `--set` has them: KEY=VALUE, the value in YAML."""
    if isinstance(settings, str):
        return [settings]
    if not isinstance(settings, Mapping):
        return list(settings)
    import json

    return [f"{key}={json.dumps(value, default=str)}" for key, value in settings.items()]


def unread_keys(
    command: str, sets: Sequence[str], read: Sequence[str], instead: Mapping[str, str] | None = None
) -> list[R1Error]:
    """Return a problem for each recipe key in `sets` that `command` does not read; `read` names those that it does, or their groups.

    `instead`: keys -> the flag that has the same effect there, or `nothing: ` and the reason.
    """
    errors: list[R1Error] = []
    for key, value in (pair for text in sets if "=" in text for pair in flattened(dotted(text))):
        group = key.partition(".")[0]
        if group not in Recipe.model_fields or any(f"{key}.".startswith(f"{name}.") for name in read):
            continue
        flag = (instead or {}).get(key)
        reason = f"{command} does not read it"
        if flag is not None:
            reason = flag.removeprefix("nothing: ") if flag.startswith("nothing: ") else f"write {flag} {value}"
        errors.append(RecipeError(f"--set {key}={value}: {reason}"))
    return errors


def split_names(text: str) -> list[str]:
    """Return the names of a list with commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def take_objects(env: Any, rewards: Any) -> tuple[Any, Any, Objects]:
    """Split what was given into names for the recipe and objects by kind and name. Raises: RecipeError."""
    objects: Objects = {}
    if env is not None and not isinstance(env, (str, Mapping)):
        if not isinstance(env, Environment):
            raise RecipeError(
                f"env must be a name, a mapping, or an object with tasks(split) and verify(rollout), got {env!r:.80}"
            )
        name = _snake(type(env).__name__)
        objects["environment", name] = env
        env = name
    if isinstance(rewards, Mapping):
        listed = []
        for name, given in rewards.items():
            target, weight = given if isinstance(given, tuple) and len(given) == 2 else (given, 1.0)
            if isinstance(target, (int, float)) and not isinstance(target, bool):
                listed.append({"name": name, "weight": target})
            elif isinstance(target, Mapping):
                listed.append({"name": name, **target})
            elif callable(target):
                objects["reward", name] = target
                listed.append({"name": name, "weight": weight})
            else:
                raise RecipeError(
                    f"reward {name!r} must be a weight, a mapping, or a function of a rollout, got {given!r:.80}"
                )
        rewards = listed
    elif rewards is not None and not isinstance(rewards, str):
        rewards = list(rewards)
    return env, rewards, objects


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")


def run_recipe(model: str | Path | None) -> dict[str, Any] | None:
    """Return the recipe keys of the run folder that `model` names; None where it names something else. Raises: R1Error."""
    if model is not None and (Path(model) / "recipe.yaml").is_file():
        # The saved model has the template of its training, arguments included.
        unchanged: dict[str, Any] = {"chat_template": None, "template_args": {}}
        return {**RunFolder.open(Path(model)).recipe().model_dump(mode="json"), **unchanged}
    if model is not None and RunFolder(Path(model)).is_without_recipe:
        raise RunError(
            f"{Path(model) / 'recipe.yaml'} is missing, and says what the run was trained on: put it back from a copy, "
            f"or name the model alone, {Path(model) / 'model'}, with --env NAME"
        )
    return None


def load_environment(
    env: str | None, settings: Sets = (), registry: Registry | None = None
) -> tuple[Environment, str, dict[str, Any]]:
    """Return the environment that `env` and `settings` name, built, with its name and its options. Raises: R1Error."""
    recipe, _ = resolve_recipe(
        registry or load_plugins(), {"model": "none", "env": {"name": ""}}, as_sets(settings), {"env": env}
    )
    named = recipe.env
    if not named.name:
        raise R1Error("name the environment with --env, e.g. --env file --set env.options.source=problems.jsonl")
    built = build_environment(registry or load_plugins(), named.name, named.options, named.timeout_s)
    return built, named.name, dict(named.options)


def model_tokens(model: str, max_tokens: int) -> tuple[Any, int | None]:
    """Return a function of tasks to their prompts' lengths in tokens, and the longest prompt that leaves room for the reply."""
    from tempfile import TemporaryDirectory

    from ..planning.model_source import resolve_model
    from ..training.models import context_length, load_tokenizer, locate, prompt_lengths

    source = resolve_model(load_plugins(), model, loads=False)
    with TemporaryDirectory(prefix="r1-") as folder:
        where = locate(source, Path(folder), 0)
        tokenizer, context = load_tokenizer(where), context_length(where)

    def lengths(tasks: Iterable[Any]) -> list[int]:
        return prompt_lengths(tasks, tokenizer)

    return lengths, None if context is None else context - max_tokens


@dataclass(frozen=True, slots=True)
class EvaluatedEnvironment:
    """One model on one environment of a saved evaluation: the environment, built again, and the rollouts."""

    model: str
    env: str
    environment: Environment
    split: str
    lines: Iterable[dict[str, Any]]  # one saved rollout each, read once from the file


def evaluated_environment(folder: Path, model: str | None = None, env: str | None = None) -> EvaluatedEnvironment:
    """Open one part of the evaluation in `folder`; None takes the only one. Raises: R1Error."""
    plan = read_plan(folder)
    model, env = _only(model, plan["models"], "--model"), _only(env, plan["envs"], "--env")
    named = plan["envs"][env]
    environment = build_environment(load_plugins(), named["name"], named["options"], named.get("timeout_s"))
    lines = whole_part(part_folder(folder, model, env))
    return EvaluatedEnvironment(model, env, environment, named["split"], lines)


def _only(given: str | None, there: Sequence[str], flag: str) -> str:
    names = list(there)
    if given is None and len(names) == 1:
        return names[0]
    if given is None or given not in names:
        hint = nearest(given, names) if given else ""
        raise R1Error(f"{flag}: one of {', '.join(names)}{f', got {given!r}' if given else ''}{hint}")
    return given
