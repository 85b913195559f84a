"""Functions, types and methods that an expression over answers may use: pure builtins, and functions that tests import."""

import ast
import copy
import datetime
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

from .answer_operations import (
    MAX_ITEMS,
    MAX_WORK,
    Approx,
    Failed,
    FunctionCaller,
    TypeValue,
    arithmetic,
    bounded,
    compare,
    compute,
    equal,
    items_of,
    truth,
)
from .long_integers import MAX_DIGITS, read_integer
from .values import (
    Bounds,
    DecimalValue,
    DictValue,
    Other,
    Sequence,
    SetValue,
    decimal_value,
    dict_value,
    is_number,
    key_of,
    same,
    set_value,
    show,
)


def _isclose(a: Any, b: Any, rel_tol: Any = 1e-9, abs_tol: Any = 0.0) -> bool:
    return math.isclose(_real(a), _real(b), rel_tol=_real(rel_tol), abs_tol=_real(abs_tol))


def _allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    a, b = (value.items if isinstance(value, Sequence) else value for value in (a, b))
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_allclose(x, y, rtol, atol, equal_nan) for x, y in zip(a, b, strict=True))
    if isinstance(a, list | tuple) or isinstance(b, list | tuple):  # a number is compared with every item
        many, one, is_first = (a, b, True) if isinstance(a, list | tuple) else (b, a, False)
        return all(_allclose(*((item, one) if is_first else (one, item)), rtol, atol, equal_nan) for item in many)
    if not (is_number(a) and is_number(b)):
        raise Failed("not a number")
    if a == b:
        return True
    if all(not isinstance(one, complex) and math.isnan(one) for one in (a, b)):
        return bool(equal_nan)
    if not all(math.isfinite(abs(one)) for one in (a, b)):
        return False
    return bool(abs(a - b) <= _real(atol) + _real(rtol) * abs(b))


def _real(value: Any) -> float:
    if not is_number(value) or isinstance(value, complex):
        raise Failed("not a number")
    return float(value)


def _approx(value: Any, rel: Any = None, abs: Any = None, nan_ok: bool = False) -> Approx:
    if rel is None and abs is not None:
        return Approx(value, Bounds(_real(abs), 0.0))
    return Approx(value, Bounds(1e-12 if abs is None else _real(abs), 1e-6 if rel is None else _real(rel)))


def _evalplus(got: Any, wanted: Any, atol: Any = 0) -> bool:
    """EvalPlus: equal, or floats within 1e-6; its rtol is 1e-7."""
    if same(got, wanted):
        return True
    many = wanted if isinstance(wanted, list | tuple) and wanted else [wanted]
    if not atol and all(type(one) is float for one in many):
        atol = 1e-6
    return bool(atol) and _allclose(got, wanted, 1e-7, atol)


def _evalplus_sets(got: Any, wanted: Any, atol: Any = 0) -> bool:
    """EvalPlus, for tasks whose order is free: lists and tuples are compared as sets."""
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        return same(set_value(got), set_value(wanted), Bounds(1e-6, 1e-7))
    return _evalplus(got, wanted, atol)


def _raised(names: Any, wanted: Any, match: Any = None) -> bool:
    """The first of `names` is the message, the others the classes of the exception."""
    if not isinstance(names, list) or not names:
        return False
    accepted = {wanted} if isinstance(wanted, str) else set(wanted)
    if not accepted & set(map(str, names[1:])):
        return False
    return match is None or re.search(str(match), str(names[0])[:500]) is not None


def _isinstance(value: Any, types: Any) -> bool:
    kinds = types if isinstance(types, tuple) else (types,)
    found = _type_names(value)
    return any(isinstance(kind, TypeValue) and kind.name in found for kind in kinds)


def _type_names(value: Any) -> tuple[str, ...]:
    if isinstance(value, SetValue):
        return (value.kind,)
    if isinstance(value, DictValue):
        return value.kind, "dict"
    if isinstance(value, DecimalValue):
        return ("Decimal",)
    if isinstance(value, Sequence):
        return (value.kind,)
    if isinstance(value, bool):
        return "bool", "int"
    if isinstance(value, datetime.datetime):
        return "datetime", "date"
    return (type(value).__name__,)


def _sorted(run: FunctionCaller, values: Any, key: Any = None, reverse: Any = False) -> list[Any]:
    items = items_of(values)
    keys = items if key is None else [run.called(key, item) for item in items]
    kinds = set(map(type, keys))
    if kinds <= {int, bool} or kinds == {str}:
        order = sorted(range(len(items)), key=lambda at: keys[at], reverse=truth(reverse))
        return [items[at] for at in order]
    if len(items) > 50_000:
        raise Failed("too many items")

    def in_order(i: int, j: int) -> int:
        return compare(keys[i], keys[j]) or 0

    order = sorted(range(len(items)), key=cmp_to_key(in_order), reverse=truth(reverse))
    return [items[at] for at in order]


def _best(sign: int) -> Callable[..., Any]:
    def best(run: FunctionCaller, *values: Any, key: Any = None, default: Any = None) -> Any:
        items = items_of(values[0]) if len(values) == 1 else list(values)
        if not items:
            if default is None:
                raise Failed("nothing to choose from")
            return default
        keys = items if key is None else [run.called(key, item) for item in items]
        at = 0
        for other in range(1, len(items)):
            if sign * (compare(keys[other], keys[at]) or 0) > 0:
                at = other
        return items[at]

    return best


def _map(run: FunctionCaller, function: Any, *many: Any) -> Sequence:
    lists = [items_of(values) for values in many]
    return Sequence("iterator", [run.called(function, *items) for items in zip(*lists, strict=False)])


def _filter(run: FunctionCaller, function: Any, values: Any) -> Sequence:
    kept = [item for item in items_of(values) if truth(item if function is None else run.called(function, item))]
    return Sequence("iterator", kept)


def _sum(values: Any, start: Any = 0) -> Any:
    total = start
    for item in items_of(values):
        total = compute(ast.Add, total, item)
    return total


def _len(value: Any) -> int:
    if isinstance(value, SetValue | DictValue):
        return len(value.items)
    if isinstance(value, Sequence) and value.kind == "deque":
        return len(value.items)
    if isinstance(value, list | tuple | str | bytes | range):
        return len(value)
    if isinstance(value, Other) and value.length is not None:
        return value.length
    raise Failed("no length")


def _text(value: Any = "") -> str:
    if isinstance(value, Other):
        return value.string or ""
    if isinstance(value, DecimalValue):
        return value.text
    is_plain = isinstance(value, str | Fraction | datetime.date | datetime.time | datetime.timedelta)
    return str(value) if is_plain else show(value)


def _integer(value: Any = 0, base: Any = None) -> int:
    if isinstance(value, str) and base is not None:
        if len(value) > (MAX_DIGITS if base in (2, 4, 8, 16, 32) else 4000):
            raise Failed("too large a number")
        return int(value, base)
    if isinstance(value, str):
        return read_integer(value)
    if isinstance(value, int | float | Fraction):
        return int(value)
    raise Failed("not a number")


def _floating(value: Any = 0.0) -> float:
    if isinstance(value, int | float | Fraction | str):
        return float(value)
    raise Failed("not a number")


def _ordered(pairs: Any = (), **keywords: Any) -> DictValue:
    return DictValue(_dict_of(pairs, **keywords).items, "OrderedDict")


def _dict_of(pairs: Any = (), **keywords: Any) -> DictValue:
    if isinstance(pairs, DictValue):
        found = list(pairs.items.values())
    else:
        found = [(a, b) for a, b in (items_of(pair) for pair in items_of(pairs))]
    return dict_value([*found, *keywords.items()])


def _counter(values: Any = (), **keywords: Any) -> DictValue:
    if keywords or isinstance(values, DictValue):
        return DictValue(_dict_of(values, **keywords).items, "Counter")
    counts: dict[str, tuple[Any, int]] = {}
    for item in items_of(values):
        key = key_of(item)
        counts[key] = (item, counts.get(key, (item, 0))[1] + 1)
    return DictValue(counts, "Counter")


def _fraction(top: Any = 0, bottom: Any = 1) -> Any:
    return Fraction(str(top) if isinstance(top, str) else top) / Fraction(bottom)


def _decimal(value: Any = "0") -> Any:
    if isinstance(value, DecimalValue):
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise Failed("not a number") from None
    if not number.is_finite():
        return float(number)
    if abs(number.adjusted()) > 5000:
        raise Failed("too large a number")
    return decimal_value(str(number))


def _array(values: Any, dtype: Any = None) -> Any:
    return [_array(item) for item in items_of(values)] if isinstance(values, list | tuple | range) else values


def _factorial(number: Any) -> int:
    if not isinstance(number, int) or number > 5000:
        raise Failed("too large a number")
    return math.factorial(number)


def _range(*parts: Any) -> range:
    return range(*parts)


def _type(value: Any) -> TypeValue:
    return TypeValue(_type_names(value)[0])


def _is_nan(value: Any) -> bool:
    return math.isnan(_real(value))


def _rounded(value: Any, digits: Any = None) -> Any:
    if not is_number(value) or isinstance(value, complex):
        raise Failed("not a number")
    if isinstance(digits, int) and abs(digits) > 400:
        raise Failed("too many digits")
    return round(value, digits)


_MOST_POWER_BITS = 10_000


def _pow(a: Any, b: Any, modulus: Any = None) -> Any:
    if modulus is None:
        return arithmetic(ast.Pow, a, b)
    if max(number.bit_length() for number in (a, b, modulus)) > _MOST_POWER_BITS:
        raise Failed("too large a number")
    return pow(a, b, modulus)


def _gcd(*values: Any) -> int:
    total = 0
    for value in values:
        if total.bit_length() * value.bit_length() > MAX_WORK:
            raise Failed("too large a number")
        total = math.gcd(total, value)
    return total


def _size(value: Any) -> Any:
    if not is_number(value):
        raise Failed("not a number")
    return abs(value)


def _iterator(values: Any) -> Sequence:
    return Sequence("iterator", items_of(values))


MAKE: dict[str, Callable[..., Any]] = {
    "int": _integer,
    "float": _floating,
    "str": _text,
    "bool": lambda value=False: truth(value),
    "list": lambda values=(): list(items_of(values)),
    "tuple": lambda values=(): tuple(items_of(values)),
    "set": lambda values=(): set_value(items_of(values)),
    "frozenset": lambda values=(): set_value(items_of(values), "frozenset"),
    "dict": _dict_of,
    "bytes": lambda values=b"": values if isinstance(values, bytes) else bytes(items_of(values)),
    "complex": lambda real=0, imaginary=0: complex(real, imaginary),
    "range": _range,
    "deque": lambda values=(), maxlen=None: Sequence("deque", items_of(values)),
    "date": lambda *parts, **named: datetime.date(*parts, **named),
    "datetime": lambda *parts, **named: datetime.datetime(*parts, **named),
    "time": lambda *parts, **named: datetime.time(*parts, **named),
    "timedelta": lambda *parts, **named: datetime.timedelta(*parts, **named),
    "Fraction": _fraction,
    "Decimal": _decimal,
    "Counter": _counter,
    "OrderedDict": _ordered,
}
TYPES: dict[str, str] = {
    **{name: name for name in MAKE},
    "collections.deque": "deque",
    "collections.OrderedDict": "OrderedDict",
    "collections.Counter": "Counter",
    "datetime.date": "date",
    "datetime.datetime": "datetime",
    "datetime.time": "time",
    "datetime.timedelta": "timedelta",
    "fractions.Fraction": "Fraction",
    "decimal.Decimal": "Decimal",
    "np.float64": "float",
    "np.int64": "int",
}
_sort, _largest, _smallest = _sorted, _best(1), _best(-1)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": _size,
    "len": _len,
    "sorted": _sort,
    "reversed": lambda values: Sequence("iterator", items_of(values)[::-1]),
    "sum": _sum,
    "min": _smallest,
    "max": _largest,
    "all": lambda values: all(map(truth, items_of(values))),
    "any": lambda values: any(map(truth, items_of(values))),
    "round": _rounded,
    "enumerate": lambda values, start=0: Sequence("iterator", list(enumerate(items_of(values), start))),
    "zip": lambda *many, strict=False: Sequence("iterator", list(zip(*map(items_of, many), strict=bool(strict)))),
    "map": _map,
    "filter": _filter,
    "iter": _iterator,
    "next": lambda values: items_of(values)[0],
    "isinstance": _isinstance,
    "type": _type,
    "ord": lambda text: ord(text),
    "chr": lambda number: chr(number),
    "bin": lambda number: bin(bounded(number)),
    "hex": lambda number: hex(bounded(number)),
    "repr": lambda value: show(value),
    "pow": _pow,
    "divmod": lambda a, b: (arithmetic(ast.FloorDiv, a, b), arithmetic(ast.Mod, a, b)),
    "math.isclose": _isclose,
    "isclose": _isclose,
    "math.isnan": _is_nan,
    "np.isnan": _is_nan,
    "math.isinf": lambda value: math.isinf(_real(value)),
    "math.isfinite": lambda value: math.isfinite(_real(value)),
    "math.sqrt": lambda value: math.sqrt(_real(value)),
    "math.floor": lambda value: math.floor(value),
    "math.ceil": lambda value: math.ceil(value),
    "math.fabs": lambda value: math.fabs(_real(value)),
    "math.factorial": _factorial,
    "math.gcd": _gcd,
    "math.log": lambda *values: math.log(*map(_real, values)),
    "math.log2": lambda value: math.log2(_real(value)),
    "math.log10": lambda value: math.log10(_real(value)),
    "math.exp": lambda value: math.exp(_real(value)),
    "math.sin": lambda value: math.sin(_real(value)),
    "math.cos": lambda value: math.cos(_real(value)),
    "math.hypot": lambda *values: math.hypot(*map(_real, values)),
    "math.radians": lambda value: math.radians(_real(value)),
    "math.comb": lambda n, k: math.comb(n, k) if n <= 5000 else _refused(),
    "math.prod": lambda values: _product(values),
    "np.allclose": _allclose,
    "np.isclose": _allclose,
    "np.testing.assert_allclose": lambda a, b, rtol=1e-7, atol=0: _allclose(a, b, rtol, atol, True),
    "np.array_equal": lambda a, b: same(_array(a), _array(b), Bounds(loose=True)),
    "np.array": _array,
    "np.all": lambda values: all(map(truth, items_of(values))) if isinstance(values, list) else truth(values),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "deepcopy": copy.deepcopy,
    "pytest.approx": _approx,
    "approx": _approx,
    "assertion": _evalplus,
    "assertion_of_sets": _evalplus_sets,
    "_raised_": _raised,
    "date.fromisoformat": lambda text: datetime.date.fromisoformat(text),
    "datetime.date.fromisoformat": lambda text: datetime.date.fromisoformat(text),
    "datetime.datetime.fromisoformat": lambda text: datetime.datetime.fromisoformat(text),
}
TAKE_FUNCTIONS = (_sort, _largest, _smallest, _map, _filter)
CONSTANTS: dict[str, Any] = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.inf": math.inf,
    "math.nan": math.nan,
    "math.tau": math.tau,
    "np.inf": math.inf,
    "np.nan": math.nan,
    "np.pi": math.pi,
}
MODULES = {"math", "np", "pytest", "collections", "datetime", "fractions", "decimal"}
ALIASES = {"numpy": "np"}
_TEXT = {
    *(
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "endswith",
        "isdigit",
        "isalpha",
    ),
    *("isupper", "islower", "isalnum", "isspace", "title", "capitalize", "join", "count", "index", "find", "rfind"),
    *("encode", "decode", "casefold", "removeprefix", "removesuffix", "isnumeric", "swapcase"),
}
_NAMED = {"keys", "values", "items", "get"}
_SETS = {"issubset", "issuperset", "isdisjoint", "union", "intersection", "difference", "symmetric_difference"}
_OTHERS = {
    "all",
    "any",
    "tolist",
    "copy",
    "replace",
    "is_integer",
    "bit_length",
    "isoformat",
    "most_common",
    "date",
    "total_seconds",
}
METHODS = _TEXT | _NAMED | _SETS | _OTHERS
READING = METHODS - {"get", "count", "index", "copy", "items", "values", "keys", "union", "find", "date", "replace"}
"""Methods that objects of a program's own classes rarely have."""
FIELDS = {
    "real",
    "imag",
    "numerator",
    "denominator",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "days",
    "__name__",
}
NODES = (
    *(ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare),
    *(ast.IfExp, ast.Subscript, ast.Slice, ast.Call, ast.Attribute, ast.Lambda, ast.ListComp, ast.SetComp),
    *(ast.GeneratorExp, ast.DictComp, ast.Starred),
)


def _refused() -> Any:
    raise Failed("too large a number")


def _product(values: Any) -> Any:
    total: Any = 1
    for item in items_of(values):
        total = arithmetic(ast.Mult, total, item)
    return total


def call_method(run: FunctionCaller, owner: Any, name: str, arguments: list[Any], keywords: Mapping[str, Any]) -> Any:
    if isinstance(owner, str | bytes):
        if name == "join":
            return owner.join(items_of(arguments[0]))
        if name == "replace" and len(arguments) >= 2 and len(owner) * max(1, len(arguments[1])) > MAX_ITEMS:
            raise Failed("too long a text")
        if name in _TEXT or name == "replace":
            return getattr(owner, name)(*arguments, **keywords)
    if isinstance(owner, DictValue):
        if name == "get":
            found = owner.items.get(key_of(arguments[0]))
            return found[1] if found else arguments[1] if len(arguments) > 1 else None
        if name == "keys":
            return SetValue({key: pair[0] for key, pair in owner.items.items()})
        if name in ("values", "items"):
            pairs = list(owner.items.values())
            return Sequence("iterator", [item for _, item in pairs] if name == "values" else list(pairs))
        if name == "copy":
            return copy.copy(owner)
        if name == "most_common":
            order = sorted(owner.items.values(), key=lambda pair: -pair[1])
            return order[: arguments[0]] if arguments else order
    if isinstance(owner, SetValue) and name in _SETS | {"copy"}:
        other = set_value(items_of(arguments[0])) if arguments else SetValue({})
        if name in ("issubset", "issuperset"):
            low, high = (owner, other) if name == "issubset" else (other, owner)
            return low.items.keys() <= high.items.keys()
        if name == "isdisjoint":
            return owner.items.keys().isdisjoint(other.items.keys())
        return copy.copy(owner) if name == "copy" else compute(_SET_OPERATORS[name], owner, other)
    if name in ("all", "any") and isinstance(owner, bool | list):  # of numpy's arrays, which are lists here
        return owner if isinstance(owner, bool) else FUNCTIONS[name](owner)
    if isinstance(owner, list | tuple):
        if name == "count":
            return sum(equal(item, arguments[0]) for item in owner)
        if name == "index":
            return next(at for at, item in enumerate([*owner, arguments[0]]) if equal(item, arguments[0]))
        if name in ("copy", "tolist"):
            return list(owner)
    if isinstance(owner, float | int) and name in ("is_integer", "bit_length") and hasattr(owner, name):
        return getattr(owner, name)()
    if isinstance(owner, datetime.date | datetime.time) and name in ("isoformat", "date"):
        return getattr(owner, name)()
    if isinstance(owner, datetime.timedelta) and name == "total_seconds":
        return owner.total_seconds()
    raise Failed(f"no method {name}")


_SET_OPERATORS: dict[str, type[ast.operator]] = {
    "union": ast.BitOr,
    "intersection": ast.BitAnd,
    "difference": ast.Sub,
    "symmetric_difference": ast.BitXor,
}
