"""Words for a value that a key of a recipe or an option of a plugin does not take."""

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

FINITE = "takes a finite number"
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_GROUPS = ("model_type", "model_attributes_type", "dict_type", "mapping_type", "dataclass_type")


def refusal(error: Mapping[str, Any], keys: str = "") -> str:
    """Return the predicate on a value that pydantic refuses, such as `takes a list, got 5`, from one of its `errors()`.

    `keys`: names of keys, for a value that must be a group of them.
    """
    kind, given = error["type"], error["input"]
    shown = f"{given!r:.80}"
    if given is None and kind.endswith(("_type", "_parsing")):
        return "is empty: leave it out for its default"
    if kind == "finite_number":
        return f"{FINITE}, got {given}"
    if kind in _LISTS:
        return f"takes a list, got {shown}{_as_list(given)}"
    if kind in _GROUPS:
        return f"is a group of keys{f' ({keys})' if keys else ''}, got {shown}"
    if kind == "string_type" and isinstance(given, Mapping | list):
        return f"takes a text, got {shown}: braces and brackets need quotes inside, KEY='\"{{...}}\"'"
    if kind == "string_type":
        return f'takes a text, got {shown}; write it in quotes: "{given}"'
    reason = str(error["msg"]).removeprefix("Value error, ")
    return f"{reason[:1].lower()}{reason[1:]}, got {shown}"


def _as_list(given: Any) -> str:
    """Return the list that was meant, as a recipe has it."""
    if isinstance(given, str | int | float):
        return f"; write {json.dumps([given], ensure_ascii=False)}"
    return ""


def not_finite(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], float]]:
    """Yield the place and the value of each number in nested mappings and lists that is infinite or not a number."""
    if isinstance(value, float) and not isfinite(value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from not_finite(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from not_finite(inner, (*path, at))
