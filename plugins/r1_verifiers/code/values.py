"""Values that cross from a hostile program to us as text: written there, read and compared here. Nothing is evaluated.

A value is JSON: null, booleans, numbers and strings as they are, and `{"list": [...]}`, `{"tuple": [...]}`, `{"set": [...]}`,
`{"dict": [[key, value], ...]}`, `{"bytes": hex}`, `{"other": text}`. Sets and dicts stay lists, in one order, on both sides: made into
real ones, keys that a program chose to collide would take hours.
"""

import json
import math
from typing import Any

# Runs inside the sandbox; `write_value` here is the same.
WRITER = """
def write_value(value):
    import json
    def key(item):
        return json.dumps(item, sort_keys=True)
    def write(value, depth):
        if depth > 60:
            return {"other": "too deep"}
        if hasattr(value, "tolist") and type(value).__module__.partition(".")[0] == "numpy":
            value = value.tolist()
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 63 else {"int": hex(value)}
        if isinstance(value, dict):
            return {"dict": sorted(([write(k, depth + 1), write(v, depth + 1)] for k, v in value.items()), key=key)}
        for name, type_ in (("list", list), ("tuple", tuple), ("set", (set, frozenset))):
            if isinstance(value, type_):
                items = [write(item, depth + 1) for item in value]
                return {name: sorted(items, key=key) if name == "set" else items}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": bytes(value).hex()}
        if isinstance(value, (int, float, str)):
            return write(kind.__mro__[-2](value), depth + 1)
        return {"other": repr(value)[:1000]}
    return json.dumps(write(value, 0))
"""
_here: dict[str, Any] = {}
exec(WRITER, _here)  # noqa: S102 - our own text, above


def write_value(value: Any) -> str:
    """`value` as the text that a program in a sandbox would write for it."""
    return str(_here["write_value"](value))


def show_value(written: str) -> str:
    """A value of ours, written, as Python would print it."""

    def show(value: Any) -> str:
        if not isinstance(value, dict):
            return repr(value)
        ((kind, inner),) = value.items()
        if kind == "dict":
            return "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in inner) + "}"
        if kind in ("list", "tuple", "set"):
            items = ", ".join(map(show, inner))
            if kind == "tuple":
                return f"({items},)" if len(inner) == 1 else f"({items})"
            return f"[{items}]" if kind == "list" else f"{{{items}}}" if inner else "set()"
        return repr(bytes.fromhex(inner)) if kind == "bytes" else str(int(inner, 16)) if kind == "int" else str(inner)

    return show(json.loads(written))


def same_value(written: str, expected: str, tolerance: float | None = None, loose: bool = False) -> bool:
    """Whether two written values are equal, as `==` would say. What cannot be read is no value.

    `tolerance`: how far apart two numbers may be, absolutely or relative to the expected one. `loose`: a tuple equals a list.
    """
    try:
        here, there = json.loads(written), json.loads(expected)
    except (ValueError, RecursionError):
        return False
    pairs = [(here, there)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a, dict) and isinstance(b, dict) and len(a) == len(b) == 1:
            (kind_a, a), (kind_b, b) = *a.items(), *b.items()
            if kind_a != kind_b and not (loose and {kind_a, kind_b} == {"list", "tuple"}):
                return False
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif isinstance(a, int | float) and isinstance(b, int | float):
            if not _same_number(a, b, tolerance):
                return False
        elif type(a) is not type(b) or isinstance(a, dict) or a != b:
            return False
    return True


def _same_number(a: float, b: float, tolerance: float | None) -> bool:
    try:
        return a == b or (tolerance is not None and math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance))
    except OverflowError:
        return False
