"""The faults in the keys of a recipe, in words, and the rest of the recipe: it may have more."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from ..value_words import FINITE, not_finite, refusal
from .key_hints import group_at, key_hint, value_hint

NO_ENV_GIVEN = "no environment given"
NO_ENV = ""  # the name of the environment of a run that has none
Place = tuple[Any, ...]
"""The keys on the way to a value, with the places in lists."""


def key_faults(
    error: ValidationError, given: Mapping[str, Any], recipe: type[BaseModel], options: Callable[[], Iterable[str]]
) -> list[str]:
    """Return a sentence for each fault that pydantic found in the keys `given`. `options`: see `load_recipe`."""
    return [_explain(one, given, recipe, options) for one in error.errors()]


def number_faults(given: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each infinite number, and each that is not a number, in the keys `given`."""
    return [f"recipe key {shown_place(place, given)} {FINITE}, got {value}" for place, value in not_finite(given)]


def without_faults(given: Mapping[str, Any], places: Sequence[Place]) -> dict[str, Any]:
    """Return the keys `given` without those at `places`; a model and an environment that are missing have empty names."""
    rest = copy.deepcopy(dict(given))
    for place in sorted(places, key=repr, reverse=True):  # the last of a list first
        group: Any = rest
        for key in place[:-1]:
            if not isinstance(group, dict | list) or not _has(group, key):
                break
            group = group[key]
        else:
            if _has(group, place[-1]):
                del group[place[-1]]
    return {"model": "", "env": {"name": NO_ENV}, **rest}


def _has(group: Any, key: Any) -> bool:
    if isinstance(group, dict):
        return key in group
    return isinstance(group, list) and isinstance(key, int) and key < len(group)


def shown_place(place: Place, given: Mapping[str, Any]) -> str:
    """Return the key at `place` in quotes; for a part of a reward also the reward's name."""
    path = repr(".".join(map(str, place)))
    rewards = given.get("rewards")
    if (
        len(place) < 2
        or place[0] != "rewards"
        or not isinstance(rewards, list | tuple)
        or not _has(list(rewards), place[1])
    ):
        return path
    reward = rewards[place[1]]
    name = reward.get("name") if isinstance(reward, Mapping) else str(reward).partition("=")[0]
    return f"{path} ({name})" if name else path


def _explain(
    error: Any, given: Mapping[str, Any], recipe: type[BaseModel], options: Callable[[], Iterable[str]]
) -> str:
    place = error["loc"]
    path = ".".join(map(str, place))
    if error["type"] == "missing" or (error["input"] is None and path in ("env", "model")):
        return _missing(path, given)
    if error["type"] == "extra_forbidden":
        return f"recipe has no key {path!r}{key_hint(path, recipe, options())}"
    said = refusal(error, _keys_of(recipe, place))
    hint = value_hint(error["input"], error["msg"]) if error["type"] == "literal_error" or path == "loss" else ""
    colon = "" if said.startswith(("takes ", "is ")) else ":"
    return f"recipe key {shown_place(place, given)}{colon} {said}{hint}{_meant_value(path, error['input'])}"


def _keys_of(recipe: type[BaseModel], place: Place) -> str:
    """Return the first keys of the group at `place`; empty if there is no group."""
    keys = group_at(recipe, place)
    if keys == group_at(recipe, place[:-1]):
        return ""
    return ", ".join([*keys[:4], *(["..."] if len(keys) > 4 else [])])


def _meant_value(path: str, given: Any) -> str:
    """Return `; write lora: 16` where a value of the wrong kind shows which one was meant."""
    if path == "lora" and given is True:
        return "; write lora: 16, the rank of the adapters"
    if path == "rewards" and isinstance(given, Mapping):
        listed = ", ".join(f"{name}={weight}" for name, weight in given.items())
        return f"; write rewards: [{listed}]"
    return ""


def _missing(path: str, given: Mapping[str, Any]) -> str:
    data = given.get("data")
    file = data.get("name") if isinstance(data, Mapping) else data
    if path == "env" and file is not None:
        return (
            f"{NO_ENV_GIVEN}: --data {file} is for method sft: r1 train --method sft --data {file}\n"
            f"  GRPO on a file of problems: r1 train --env file --set env.options.source={file}"
        )
    if path == "env":
        return no_environment(str(given.get("method", "grpo")))
    if path == "model":
        return "no model given: use --model NAME (tiny, a folder, a hub id; r1 plugins --kind model) or set 'model' in the recipe"
    return f"recipe key {path!r} is missing: set it in the recipe or with --set {path}=VALUE"


def no_environment(method: str) -> str:
    """Return the error of a recipe without an environment, with a first command for `method`."""
    if method == "sft":
        return (
            "no data given: method sft learns from --data FILE, or from the demonstrations of --env NAME\n"
            "  a first run: r1 train --method sft --env countdown"
        )
    if method == "dpo":
        return "no data given: method dpo learns from pairs, --data FILE; r1 generate --pairs makes some"
    first = {
        "generate": "a first one: r1 generate tiny --env countdown --tasks 20",
        "distill": "a first run: r1 train distill/tiny",
    }.get(method, "a first run: r1 train --env countdown --rewards accuracy,format")
    return (
        f"{NO_ENV_GIVEN}: use --env NAME (countdown, maths, file, ...; r1 plugins --kind environment lists them) "
        f"or set 'env' in the recipe\n  {first}"
    )
