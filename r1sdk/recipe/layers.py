"""Layers of a recipe: a file, `--set`, flags, each laid over those before it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from os.path import commonprefix
from pathlib import Path
from typing import Any

from ..errors import RecipeError

NAMED_KEYS = ("env", "data", "advantage")  # may be a bare name
SHOWN = 80  # characters of a value in a message
SWITCHES = ("dynamic_sampling", "curriculum", "experimental_async")  # `{}` turns these on, as they are


def read_layer(path: Path) -> dict[str, Any]:
    """A recipe file as a layer. Raises: RecipeError where it cannot be read or is no mapping."""
    import yaml

    try:
        layer = yaml.load(path.read_text(encoding="utf-8"), _yaml_reader())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read recipe {path}: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {path} is not YAML: {error}") from None
    if layer is not None and not isinstance(layer, dict):
        raise RecipeError(f"recipe {path} must be a mapping of keys, got {type(layer).__name__}")
    return layer or {}


def read_yaml(text: str) -> Any:
    """YAML as recipes have it."""
    import yaml

    return yaml.load(text, _yaml_reader())


def write_yaml(value: Any) -> str:
    """`value` as text that `read_yaml` reads back as it is."""
    import yaml

    return str(yaml.dump(value, Dumper=_yaml_writer(), sort_keys=False, allow_unicode=True))


def dotted(assignment: str) -> dict[str, Any]:
    """`"trainer.max_steps=10"` as `{"trainer": {"max_steps": 10}}`; the value is read as YAML. Raises: RecipeError."""
    import yaml

    path, equals, value = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise RecipeError(f"--set takes key=value, e.g. --set trainer.max_steps=10; got {assignment!r}")
    try:
        layer: Any = yaml.load(value, _yaml_reader())
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {path}: the value is not YAML: {error}") from None
    return under(path, layer)


def under(path: str, value: Any) -> dict[str, Any]:
    """`value` at a dotted path: `{"trainer": {"max_steps": value}}`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


@cache
def _yaml_reader() -> Any:
    import yaml

    class Reader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """Refuse a key that stands twice: YAML would keep the last without a word."""
            seen = set()
            for key, _ in node.value:
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return _with_plain_numbers(Reader)


@cache
def _yaml_writer() -> Any:
    import yaml

    return _with_plain_numbers(type("Writer", (yaml.SafeDumper,), {}))


def _with_plain_numbers(kind: Any) -> Any:
    """`1e-6` is a number: YAML 1.1 reads it as text because it has no point. And `12:00:00` is text, no number of seconds."""
    number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$", re.ASCII)
    kind.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    clock = ("tag:yaml.org,2002:str", re.compile(r"[-+]?\d+(:\d+)+$", re.ASCII))
    found = kind.yaml_implicit_resolvers
    kind.yaml_implicit_resolvers = {**found, **{sign: [clock, *found.get(sign, [])] for sign in "-+0123456789"}}
    return kind


def overlay(under: Mapping[str, Any], over: Mapping[str, Any], names: Sequence[str] = NAMED_KEYS) -> dict[str, Any]:
    """`over` laid on `under`: mappings merge, `{}` and anything else replaces. A bare name is read as `{name: ...}` first."""
    merged = dict(under)
    old, new = merged.get("lr_scheduler_type"), over.get("lr_scheduler_type")
    if old is not None and new is not None and old != new:
        merged.pop("lr_scheduler_kwargs", None)  # they are those of the old schedule
    for key, value in over.items():
        below = merged.get(key)
        if key in names:
            below, value = _named(below), _named(value)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            if both and below.get("name") not in (None, value.get("name", below.get("name"))):
                below = None  # another environment: the options of the old one are not its own
        clears = value == {} and key not in SWITCHES
        merges = isinstance(value, Mapping) and not clears
        merged[key] = overlay(below, value, ()) if merges and isinstance(below, Mapping) else value
    return merged


def fold(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay `layers` over each other, the last one on top, before they are laid on a recipe.

    So `--env countdown --set env.options.level=easy` keeps its option on a recipe for another environment.
    """
    folded: dict[str, Any] = {}
    for layer in layers:
        folded = overlay(folded, layer)
    return folded


def flattened(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Flatten `{"env": {"name": "x"}}` to the key `env.name`; items of a list are keyed by their `name`."""
    if isinstance(value, Mapping) and value:
        return [
            pair for key, inner in value.items() for pair in flattened(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        return [
            pair
            for item in value
            for pair in flattened(item, f"{prefix}.{item['name']}")
            if not pair[0].endswith(".name")
        ]
    return [(prefix, value)]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each key that differs: `envs.countdown.tasks: 2, now 3`."""
    before, after = dict(flattened(old)), dict(flattened(new))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [f"{key}: {was}, now {now}" for key in keys for was, now in [_shown(before.get(key), after.get(key))]]


def _shown(*values: Any) -> tuple[str, ...]:
    """Return values as JSON; of long ones the part in which they differ."""
    import json

    texts = ["not set" if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    if max(map(len, texts)) <= SHOWN:
        return tuple(texts)
    start = max(0, len(commonprefix(texts)) - SHOWN // 2)
    return tuple(
        ("…" if start else "") + text[start : start + SHOWN] + "…" * (len(text) > start + SHOWN) for text in texts
    )


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value
