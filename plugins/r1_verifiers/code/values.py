"""Values that cross from a hostile program to us as text: written there, read and compared here. Nothing is evaluated.

A value is JSON: null, booleans, numbers and strings as they are, and one-key objects for the rest: `{"list": [...]}`,
`{"tuple": [...]}`, `{"set": [...]}`, `{"dict": [[key, value], ...]}`, `{"bytes": hex}`, `{"int": hex}`, `{"ratio": [hex, hex]}`,
`{"complex": [real, imaginary]}`, `{"range": [start, stop, step]}`, `{"deque": [...]}`, `{"iterator": [...]}`, `{"date": text}`,
`{"datetime": text}`, `{"time": text}`, `{"timedelta": [days, seconds, microseconds]}` and `{"other": [repr, str, length]}`.

Sets and dicts are read with text as their keys: made of the values themselves, keys that a program chose to collide would take hours.
"""

import datetime
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

# Runs inside the sandbox; `write_value` here is the same.
WRITER = """
def write_value(value):
    import datetime, decimal, fractions, json, collections, itertools
    plain = {bool, str, float, type(None)}
    def writes_itself(items):
        kinds = set(map(type, items))
        if int in kinds:
            kinds.discard(int)
            numbers = [item for item in items if type(item) is int]
            if not -(1 << 63) <= min(numbers) <= max(numbers) < 1 << 63:
                return False
        return kinds <= plain
    def many(name, items, depth):
        return {name: items if writes_itself(items) else [write(item, depth + 1) for item in items]}
    def write(value, depth):
        if depth > 200:
            return {"other": ["too deep", None, None]}
        if hasattr(type(value), "tolist") and type(value).__module__.partition(".")[0] == "numpy":
            value = value.tolist()
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if isinstance(value, int):
            value = int.__add__(value, 0)
            return value if -(1 << 63) <= value < 1 << 63 else {"int": hex(value)}
        if isinstance(value, dict):
            return {"dict": [[write(k, depth + 1), write(v, depth + 1)] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            return many("list" if isinstance(value, list) else "tuple", list(value), depth)
        if isinstance(value, (set, frozenset)):
            return many("set", list(value), depth)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, float):
            return float.__add__(value, 0.0)
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": bytes(value).hex()}
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if isinstance(value, range):
            return many("range", [value.start, value.stop, value.step], depth)
        if isinstance(value, collections.deque):
            return many("deque", list(value), depth)
        if isinstance(value, decimal.Decimal):
            if not value.is_finite():
                return float(value)
            if abs(value.adjusted()) < 5000 and len(value.as_tuple().digits) < 5000:
                value = fractions.Fraction(value)
        if isinstance(value, fractions.Fraction):
            return {"ratio": [hex(value.numerator), hex(value.denominator)]}
        for name in ("datetime", "date", "time"):
            if isinstance(value, getattr(datetime, name)):
                return {name: value.isoformat()}
        if isinstance(value, datetime.timedelta):
            return {"timedelta": [value.days, value.seconds, value.microseconds]}
        if hasattr(kind, "__next__") or kind in (type({}.keys()), type({}.values()), type({}.items())):
            return many("iterator", list(itertools.islice(value, 100000)), depth)
        told = []
        for ask in (repr, str, len):
            try:
                told.append(ask(value) if ask is len else ask(value)[:1000])
            except Exception:
                told.append(None)
        return {"other": told}
    return json.dumps(write(value, 0))
"""
_here: dict[str, Any] = {}
exec(WRITER, _here)  # noqa: S102 - our own text, above


class UnreadableValue(ValueError):
    """Raised when a program sent something that is not a written value."""


@dataclass(frozen=True, slots=True)
class SetValue:
    """A set by the text of its items."""

    items: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DictValue:
    """A dict by the text of its keys."""

    items: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Sequence:
    """A deque, or the items of an iterator: equal only to its own kind."""

    kind: str
    items: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Other:
    """An object of a class that is not written; equal to nothing. Its repr is kept."""

    text: str
    string: str | None = None
    length: int | None = None


def write_value(value: Any) -> str:
    """Return `value` as the text that a program in a sandbox would write for it."""
    return str(_here["write_value"](value))


def read_value(written: str) -> Any:
    """Return the value that `written` stands for. Raises: UnreadableValue."""
    try:
        return from_json(json.loads(written))
    except (ValueError, TypeError, KeyError, OverflowError, ZeroDivisionError, RecursionError) as error:
        raise UnreadableValue(f"{type(error).__name__}: {error}"[:200]) from None


def from_json(value: Any) -> Any:
    """Return the value of one JSON object that a program wrote. Raises: ValueError, TypeError, RecursionError and the like."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise UnreadableValue("neither a plain value nor an object of one key")
    ((kind, inner),) = value.items()
    if kind in _MANY:
        return _MANY[kind]([from_json(item) for item in inner])
    if kind == "dict":
        return dict_value((from_json(key), from_json(item)) for key, item in inner)
    if kind == "int":
        return int(inner, 16)
    if kind == "ratio":
        if max(map(len, inner)) > _LONGEST_RATIO:
            raise UnreadableValue("a fraction of too many digits")
        number = Fraction(int(inner[0], 16), int(inner[1], 16))
        return number.numerator if number.denominator == 1 else number
    return _SINGLE[kind](inner)


def set_value(items: Iterable[Any]) -> SetValue:
    """Return the set of `items`."""
    return SetValue({key_of(item): item for item in items})


def dict_value(pairs: Iterable[tuple[Any, Any]]) -> DictValue:
    """Return the dict of `pairs`; the last of equal keys counts."""
    return DictValue({key_of(key): (key, item) for key, item in pairs})


_MANY: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "set": set_value,
    "range": lambda three: range(*three),
    "deque": lambda items: Sequence("deque", items),
    "iterator": lambda items: Sequence("iterator", items),
}
_SINGLE: dict[str, Any] = {
    "bytes": bytes.fromhex,
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
    "other": lambda told: Other(
        str(told[0])[:1000], str(told[1])[:1000], told[2] if isinstance(told[2], int) else None
    ),
}


def key_of(value: Any) -> str:
    """Return a text that equal values share and others do not."""
    if isinstance(value, int):
        return f"n{int(value):x}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"f{value}"
        top, bottom = value.as_integer_ratio()
        return f"n{top:x}" if bottom == 1 else f"q{top:x}/{bottom:x}"
    if isinstance(value, Fraction):
        return f"q{value.numerator:x}/{value.denominator:x}"
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, tuple | list):
        keys = [key_of(item) for item in value]
        return f"{type(value).__name__}{[len(key) for key in keys]}{''.join(keys)}"
    if isinstance(value, SetValue):
        return f"set{[len(key) for key in sorted(value.items)]}{''.join(sorted(value.items))}"
    return f"{type(value).__name__} {value!r}"


def show_value(written: str) -> str:
    """Return a written value of ours as Python would print it."""
    return show(read_value(written))


def show(value: Any) -> str:
    """Return a value as Python would print it."""
    if isinstance(value, DictValue):
        return "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in value.items.values()) + "}"
    if isinstance(value, SetValue):
        return "{" + ", ".join(map(show, value.items.values())) + "}" if value.items else "set()"
    if isinstance(value, tuple):
        return f"({show(value[0])},)" if len(value) == 1 else f"({', '.join(map(show, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, Sequence):
        return f"{value.kind}({show(value.items)})"
    return value.text if isinstance(value, Other) else repr(value)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The allowed difference of two numbers: `absolute`, or `relative` to the expected one. Integers are exact.

    `loose`: the expected value came as JSON, which has no tuples, and only texts as keys: a tuple equals a list, the key 1 equals "1".
    """

    absolute: float = 0.0
    relative: float = 0.0
    loose: bool = False


EXACT = Bounds()


def same_value(written: str, expected: str, tolerance: float | None = None, loose: bool = False) -> bool:
    """True if two written values are equal, as `same` says. An unreadable text is no value."""
    bound = tolerance or 0.0
    try:
        return same(read_value(written), read_value(expected), Bounds(bound, bound, loose))
    except UnreadableValue:
        return False


def same(got: Any, wanted: Any, bounds: Bounds = EXACT) -> bool:
    """True if two values are equal as `==` says, within `bounds`."""
    pairs = [(got, wanted)]
    while pairs:
        a, b = pairs.pop()
        if is_number(a) and is_number(b):
            if not same_number(a, b, bounds):
                return False
        elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
            if len(a) != len(b) or (type(a) is not type(b) and not bounds.loose):
                return False
            pairs += zip(a, b, strict=True)
        elif type(a) is not type(b) or isinstance(a, Other):
            return False
        elif isinstance(a, DictValue):
            found = _paired(a, b, bounds)
            if found is None:
                return False
            pairs += found
        elif isinstance(a, SetValue):
            if a.items.keys() != b.items.keys() and not _near_sets(a, b, bounds):
                return False
        elif isinstance(a, Sequence):
            if a.kind != b.kind or len(a.items) != len(b.items):
                return False
            pairs += zip(a.items, b.items, strict=True)
        elif a != b:
            return False
    return True


def is_number(value: Any) -> bool:
    """True for numbers, booleans included."""
    return isinstance(value, int | float | Fraction | complex)


def same_number(got: Any, wanted: Any, bounds: Bounds) -> bool:
    """True if two numbers are equal, or near enough where one of them is no integer."""
    if got == wanted:
        return True
    if not (bounds.absolute or bounds.relative) or (isinstance(got, int) and isinstance(wanted, int)):
        return False
    try:
        if isinstance(got, complex) or isinstance(wanted, complex):
            apart, size = abs(got - wanted), abs(wanted)
        else:
            if not (math.isfinite(got) and math.isfinite(wanted)):
                return False
            apart, size = abs(Fraction(got) - Fraction(wanted)), abs(Fraction(wanted))
        return bool(apart <= max(Fraction(bounds.absolute), Fraction(bounds.relative) * size))
    except (OverflowError, TypeError, ValueError):
        return False


def _paired(a: DictValue, b: DictValue, bounds: Bounds) -> list[tuple[Any, Any]] | None:
    """The values of equal keys; None where the keys differ."""
    if a.items.keys() == b.items.keys():
        return [(a.items[key][1], b.items[key][1]) for key in b.items]
    if not bounds.loose or len(a.items) != len(b.items):
        return None
    named = {_as_json_key(key): item for key, item in a.items.values()}
    if len(named) != len(a.items):
        return None
    found = [(named.get(_as_json_key(key), _MISSING), item) for key, item in b.items.values()]
    return None if any(value is _MISSING for value, _ in found) else found


_MISSING = object()
_LONGEST_RATIO = 20_000  # hexadecimal digits: reducing a fraction takes quadratic time


def _as_json_key(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    if isinstance(key, int):
        return str(key) if key.bit_length() < 10_000 else hex(key)
    return key if isinstance(key, str) else repr(key) if isinstance(key, float) else show(key)


def _near_sets(a: SetValue, b: SetValue, bounds: Bounds) -> bool:
    """True for sets of numbers that are near each other in order."""
    both = [*a.items.values(), *b.items.values()]
    if len(a.items) != len(b.items) or not all(isinstance(item, int | float | Fraction) for item in both):
        return False
    pairs = zip(sorted(a.items.values()), sorted(b.items.values()), strict=True)
    return all(same_number(x, y, bounds) for x, y in pairs)
