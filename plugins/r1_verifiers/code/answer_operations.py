"""Operations on values that a hostile program returned: truth, order, arithmetic. The size of numbers and of sequences is bounded."""

import ast
import datetime
import math
import operator as operator_module
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from .values import Bounds, DictValue, Other, Sequence, SetValue, is_number, key_of, same

MAX_BITS = 200_000  # of an integer that is computed here
MAX_WORK = 10**12  # the product of the bits of two integers that are computed with
MAX_ITEMS = 1_000_000  # of a sequence that is made here


class Unsupported(ValueError):
    """An expression that is not decided here."""


class Failed(ValueError):
    """Raised for an expression that has no value for the program's answer."""


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A builtin type, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Approx:
    """A value of pytest.approx: equal to everything near it."""

    value: Any
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Lambda:
    names: tuple[str, ...]
    body: ast.expr
    around: Mapping[str, Any]


class FunctionCaller(Protocol):
    """Calls a function of an expression: one of ours, a type or a lambda."""

    def called(self, function: Any, *arguments: Any, **keywords: Any) -> Any: ...


def items_of(value: Any) -> list[Any]:
    """Return the items that a loop over `value` sees. Raises: Failed."""
    if isinstance(value, list | tuple | str | bytes):
        return list(value)
    if isinstance(value, range):
        if len(value) > MAX_ITEMS:
            raise Failed("too many items")
        return list(value)
    if isinstance(value, Sequence):
        return value.items
    if isinstance(value, SetValue):
        return list(value.items.values())
    if isinstance(value, DictValue):
        return [key for key, _ in value.items.values()]
    raise Failed("nothing to loop over")


def truth(value: Any) -> bool:
    if isinstance(value, SetValue | DictValue):
        return bool(value.items)
    if isinstance(value, Sequence):
        return value.kind == "iterator" or bool(value.items)
    return bool(value) if not isinstance(value, Other) else True


def compared(operator: type[ast.cmpop], a: Any, b: Any) -> bool:
    if operator is ast.Eq:
        return equal(a, b)
    if operator is ast.NotEq:
        return not equal(a, b)
    if operator in (ast.Is, ast.IsNot):
        is_one = type(a) is type(b) and equal(a, b)
        return is_one is (operator is ast.Is)
    if operator in (ast.In, ast.NotIn):
        return holds(b, a) is (operator is ast.In)
    if isinstance(a, SetValue) and isinstance(b, SetValue):
        low, high = (a, b) if operator in (ast.Lt, ast.LtE) else (b, a)
        is_proper = operator in (ast.Lt, ast.Gt)
        return low.items.keys() <= high.items.keys() and not (is_proper and len(low.items) == len(high.items))
    order = compare(a, b)
    if order is None:
        return False
    return {ast.Lt: order < 0, ast.LtE: order <= 0, ast.Gt: order > 0, ast.GtE: order >= 0}[operator]


def equal(a: Any, b: Any) -> bool:
    """True if `==` says so, `pytest.approx` included."""
    if isinstance(a, Approx):
        a, b = b, a
    if isinstance(b, Approx):
        return near(a, b.value, b.bounds)
    if (
        isinstance(a, list | tuple)
        and isinstance(b, list | tuple)
        and any(isinstance(item, Approx) for item in (*a, *b))
    ):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return same(a, b)


def compare(a: Any, b: Any) -> int | None:
    """Return the order of two values as Python has it: below, at or above 0; None where a number is nan. Raises: Failed."""
    if isinstance(a, list | tuple) and type(a) is type(b):
        for x, y in zip(a, b, strict=False):
            if not equal(x, y):
                return compare(x, y)
        return len(a) - len(b)
    is_alike = is_number(a) and is_number(b) and not isinstance(a, complex) and not isinstance(b, complex)
    if not is_alike and not (
        type(a) is type(b) and isinstance(a, str | bytes | datetime.date | datetime.time | datetime.timedelta)
    ):
        raise Failed("no order")
    return 0 if a == b else -1 if a < b else 1 if a > b else None


def holds(whole: Any, item: Any) -> bool:
    if isinstance(whole, str) and isinstance(item, str):
        return item in whole
    if isinstance(whole, bytes) and isinstance(item, bytes):
        return item in whole
    if isinstance(whole, SetValue | DictValue):
        return key_of(item) in whole.items
    if isinstance(whole, range):
        return isinstance(item, int) and item in whole
    return any(equal(one, item) for one in items_of(whole))


def bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise Failed("too large a number")
    return value


def compute(operator: type[ast.operator], a: Any, b: Any) -> Any:
    if is_number(a) and is_number(b):
        return arithmetic(operator, a, b)
    if operator is ast.Add and type(a) is type(b) and isinstance(a, str | bytes | list | tuple):
        return a + b
    if operator is ast.Mult:
        if isinstance(a, int):
            a, b = b, a
        if isinstance(b, int) and isinstance(a, str | bytes | list | tuple):
            if len(a) * b > MAX_ITEMS:
                raise Failed("too many items")
            return a * b
    if isinstance(a, SetValue) and isinstance(b, SetValue):
        left, right = a.items, b.items
        if operator is ast.BitOr:
            keys = [*left, *right]
        elif operator is ast.BitAnd:
            keys = [key for key in left if key in right]
        elif operator is ast.Sub:
            keys = [key for key in left if key not in right]
        elif operator is ast.BitXor:
            keys = [key for key in (*left, *right) if (key in left) != (key in right)]
        else:
            raise Failed("no such operation")
        both = {**a.items, **b.items}
        return SetValue({key: both[key] for key in keys}, a.kind)
    if isinstance(a, datetime.date | datetime.timedelta) and isinstance(b, datetime.date | datetime.timedelta | int):
        if operator is ast.Sub:
            return a - b  # type: ignore[operator]
        if operator is ast.Add:
            return a + b  # type: ignore[operator]
    if operator is ast.Mod and isinstance(a, str):
        given = b if isinstance(b, tuple) else (b,)
        given = tuple(float(one) if isinstance(one, Fraction) else one for one in given)
        if re.fullmatch(r"(?:[^%]|%%|%\.?\d?[sdf])*", a) and all(isinstance(one, int | float | str) for one in given):
            return a % given
    raise Failed("no such operation")


def arithmetic(operator: type[ast.operator], a: Any, b: Any) -> Any:
    if operator is ast.Pow:
        if isinstance(a, int) and isinstance(b, int) and b > 0 and a.bit_length() * b > MAX_BITS:
            raise Failed("too large a number")
        if isinstance(a, Fraction) and abs(b) * max(a.numerator.bit_length(), a.denominator.bit_length()) > MAX_BITS:
            raise Failed("too large a number")
        return bounded(a**b)
    if operator is ast.LShift:
        if not 0 <= b <= MAX_BITS:
            raise Failed("too large a number")
        return bounded(a << b)
    is_integer = isinstance(a, int) and isinstance(b, int)
    if is_integer and a.bit_length() * b.bit_length() > MAX_WORK:
        raise Failed("too large a number")  # division takes the product of the lengths
    if operator is ast.Mult and is_integer and a.bit_length() + b.bit_length() > MAX_BITS:
        raise Failed("too large a number")
    return _OPERATIONS[operator](a, b)


SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator_module.neg,
    ast.UAdd: operator_module.pos,
    ast.Invert: operator_module.invert,
}
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator_module.add,
    ast.Sub: operator_module.sub,
    ast.Mult: operator_module.mul,
    ast.Div: operator_module.truediv,
    ast.FloorDiv: operator_module.floordiv,
    ast.Mod: operator_module.mod,
    ast.BitAnd: operator_module.and_,
    ast.BitOr: operator_module.or_,
    ast.BitXor: operator_module.xor,
    ast.RShift: operator_module.rshift,
}


def near(got: Any, wanted: Any, bounds: Bounds) -> bool:
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(near(x, y, bounds) for x, y in zip(got, wanted, strict=True))
    if isinstance(got, DictValue) and isinstance(wanted, DictValue):
        return got.items.keys() == wanted.items.keys() and all(
            near(got.items[key][1], wanted.items[key][1], bounds) for key in wanted.items
        )
    if is_number(got) and is_number(wanted):
        if got == wanted:
            return True
        if not all(math.isfinite(abs(one)) for one in (got, wanted)):
            return False
        return bool(abs(got - wanted) <= max(bounds.absolute, bounds.relative * abs(wanted)))
    return equal(got, wanted)
