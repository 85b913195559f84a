"""Values that cross from a hostile program to us as text: written there, read and compared here. Nothing is evaluated.

A value is JSON: null, booleans, numbers and strings as they are, and one-key objects for the rest: `{"list": [...]}`,
`{"tuple": [...]}`, `{"set": [...]}`, `{"dict": [[key, value], ...]}`, `{"bytes": hex}`, `{"int": hex}`, `{"ratio": [hex, hex]}`,
`{"complex": [real, imaginary]}`, `{"range": [start, stop, step]}`, `{"deque": [...]}`, `{"iterator": [...]}`, `{"date": text}`,
`{"datetime": text}`, `{"time": text}`, `{"timedelta": [days, seconds, microseconds]}`, `{"decimal": text}`, `{"enum": [class, name, repr]}`,
`frozenset` as `set`, `Counter`, `OrderedDict` and `defaultdict` as `dict`, and `{"other": [repr, str, length, class, number, state]}`.

Sets and dicts are read with text as their keys: made of the values themselves, keys that a program chose to collide would take hours.
"""

import datetime
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from .long_integers import integer_text

# Runs inside the sandbox; `write_value` here is the same.
WRITER = """
def write_value(value, objects={}):
    import datetime, decimal, enum, fractions, json, collections, itertools
    written = set()
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
            return {"other": ["too deep", None, None, "", None, None]}
        if hasattr(type(value), "tolist") and type(value).__module__.partition(".")[0] == "numpy":
            value = value.tolist()
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if isinstance(value, enum.Enum) and not isinstance(value, (int, str, float)) and value.name:
            return {"enum": [kind.__qualname__, value.name, repr(value)[:1000]]}
        if isinstance(value, int):
            value = int.__add__(value, 0)
            return value if -(1 << 63) <= value < 1 << 63 else {"int": hex(value)}
        if isinstance(value, dict):
            names = [name for name in ("Counter", "defaultdict", "OrderedDict") if isinstance(value, getattr(collections, name))]
            return {(names or ["dict"])[0]: [[write(k, depth + 1), write(v, depth + 1)] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            return many("list" if isinstance(value, list) else "tuple", list(value), depth)
        if isinstance(value, (set, frozenset)):
            return many("set" if isinstance(value, set) else "frozenset", list(value), depth)
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
                return {"decimal": str(value)}
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
        number = objects.setdefault(id(value), (len(objects), value))[0]
        return {"other": [*told, kind.__qualname__, number, state(value, depth)]}
    def state(value, depth):
        kind = type(value)
        if kind.__eq__ is object.__eq__ or id(value) in written or len(written) > 10000:
            return None
        written.add(id(value))
        slots = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
        held = {name: getattr(value, name) for name in slots if isinstance(name, str) and hasattr(value, name)}
        held.update(getattr(value, "__dict__", {}))
        return {"dict": [[name, write(held[name], depth + 1)] for name in held]} if held else None
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
    kind: str = "set"  # or frozenset


@dataclass(frozen=True, slots=True)
class DictValue:
    """A dict by the text of its keys."""

    items: dict[str, tuple[Any, Any]]
    kind: str = "dict"  # or Counter, OrderedDict, defaultdict


@dataclass(frozen=True, slots=True)
class Sequence:
    """A deque, or the items of an iterator: equal only to its own kind."""

    kind: str
    items: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Other:
    """An object of a class that is not written: equal to itself, and to one of its class with the same attributes if that has `__eq__`."""

    text: str
    string: str | None = None
    length: int | None = None
    class_name: str = ""
    number: int | None = None  # the same for the same object
    state: DictValue | None = None  # its attributes; None if it has none, or its class no `__eq__`


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A member of an enumeration of the program."""

    class_name: str
    name: str
    text: str = field(default="", compare=False)


class DecimalValue(Fraction):
    """A decimal number, with its text."""

    text: str


def decimal_value(text: str) -> DecimalValue:
    """Return the decimal number of a text. Raises: UnreadableValue for one that is not finite or too long."""
    try:
        number = Decimal(text[:_LONGEST_RATIO])
    except InvalidOperation:
        raise UnreadableValue("not a decimal number") from None
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_DECIMAL:
        raise UnreadableValue("a decimal number that is too long")
    found = DecimalValue(number)
    found.text = text
    return found


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
    if kind in _DICTS:
        return dict_value(((from_json(key), from_json(item)) for key, item in inner), kind)
    if kind == "int":
        return int(inner, 16)
    if kind == "ratio":
        if max(map(len, inner)) > _LONGEST_RATIO:
            raise UnreadableValue("a fraction of too many digits")
        return Fraction(int(inner[0], 16), int(inner[1], 16))
    if kind == "other":
        return _other(*inner)
    return _SINGLE[kind](inner)


def set_value(items: Iterable[Any], kind: str = "set") -> SetValue:
    """Return the set of `items`."""
    return SetValue({key_of(item): item for item in items}, kind)


def dict_value(pairs: Iterable[tuple[Any, Any]], kind: str = "dict") -> DictValue:
    """Return the dict of `pairs`; the last of equal keys counts."""
    return DictValue({key_of(key): (key, item) for key, item in pairs}, kind)


def _other(text: Any, string: Any, length: Any, class_name: Any, number: Any, state: Any) -> Other:
    held = None if state is None else from_json(state)
    return Other(
        *(str(text)[:1000], str(string)[:1000], length if isinstance(length, int) else None),
        *(str(class_name), number if isinstance(number, int) else None, held if isinstance(held, DictValue) else None),
    )


_DICTS = ("dict", "Counter", "OrderedDict", "defaultdict")


_MANY: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "set": set_value,
    "frozenset": lambda items: set_value(items, "frozenset"),
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
    "decimal": lambda text: decimal_value(str(text)),
    "enum": lambda told: EnumValue(*(str(one)[:1000] for one in told)),
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
        if value.denominator == 1:
            return f"n{value.numerator:x}"
        return f"q{value.numerator:x}/{value.denominator:x}"
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, tuple | list):
        keys = [key_of(item) for item in value]
        return f"{type(value).__name__}{[len(key) for key in keys]}{''.join(keys)}"
    if isinstance(value, SetValue):
        return f"{{{[len(key) for key in sorted(value.items)]}{''.join(sorted(value.items))}"
    if isinstance(value, Other):
        return f"other {value.text!r}"
    return f"{type(value).__name__} {value!r}"


def show_value(written: str) -> str:
    """Return a written value of ours as Python would print it."""
    return show(read_value(written))


def show(value: Any) -> str:
    """Return a value as Python would print it."""
    if isinstance(value, DictValue):
        shown = "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in value.items.values()) + "}"
        if value.kind == "OrderedDict" and sys.version_info < (3, 12):
            shown = show(list(value.items.values()))
        return shown if value.kind == "dict" else f"{value.kind}({shown if value.items else ''})"
    if isinstance(value, SetValue):
        shown = "{" + ", ".join(map(show, value.items.values())) + "}" if value.items else ""
        return shown if shown and value.kind == "set" else f"{value.kind}({shown})"
    if isinstance(value, tuple):
        return f"({show(value[0])},)" if len(value) == 1 else f"({', '.join(map(show, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, Sequence):
        return f"{value.kind}({show(value.items)})"
    if isinstance(value, DecimalValue):
        return f"Decimal({value.text!r})"
    if isinstance(value, int) and not isinstance(value, bool):
        return integer_text(value)
    return value.text if isinstance(value, Other | EnumValue) else repr(value)


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
        elif type(a) is not type(b):
            return False
        elif isinstance(a, Other):
            if a.number is not None and a.number == b.number:
                continue
            if a.class_name != b.class_name or a.state is None or b.state is None:
                return False
            pairs.append((a.state, b.state))
        elif isinstance(a, DictValue):
            if a.kind == b.kind == "OrderedDict" and list(a.items) != list(b.items):
                return False
            if a.kind == b.kind == "Counter":
                a, b = _without_zeros(a), _without_zeros(b)
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


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, Fraction) and value.denominator == 1)


def same_number(got: Any, wanted: Any, bounds: Bounds) -> bool:
    """True if two numbers are equal, or near enough where one of them is no integer."""
    if got == wanted:
        return True
    if not (bounds.absolute or bounds.relative) or (_is_whole(got) and _is_whole(wanted)):
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


def _without_zeros(counts: DictValue) -> DictValue:
    """Counters are equal if all counts are; a missing one is 0."""
    return DictValue({key: pair for key, pair in counts.items.items() if pair[1] != 0}, counts.kind)


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
_LONGEST_DECIMAL = 5000  # its exponent
_LONGEST_RATIO = 20_000  # hexadecimal digits: reducing a fraction takes quadratic time


def _as_json_key(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    if isinstance(key, Fraction) and key.denominator == 1:
        key = key.numerator
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
