"""Values of expressions: exact where they are rational, else to 60 digits, at places that no usual identity holds at by chance.

All is bounded: the size of exact numbers, the magnitude of what goes into a power or a function, and the number of steps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .types import Apply, Bracketed, Constant, Matrix, Node, Number, Quantity, Symbol, Value

_MAX_BITS = 40_000  # of an exact numerator or denominator
_MAX_MAGNITUDE = 64  # bits of an argument of a function or an exponent
_DIGITS = 60
_MAX_STEPS = 4000
_MAX_TERMS = 400  # of a sum that is added up
_ON_A_LINE = (-5, 0, 1, 2, 7)  # where an expression is tried


class NoValue(Exception):
    """An expression that has no value here, or none that can be had at small cost."""


class Undefined(NoValue):
    """An expression that divides by zero."""


def exact(node: Node) -> Fraction | None:
    """The value of a rational expression; None for any other, and for one of too many digits."""
    try:
        return _exact(node)
    except (NoValue, ZeroDivisionError, OverflowError, ValueError):
        return None


def _exact(node: Node) -> Fraction:
    if isinstance(node, Number):
        return node.value
    if not isinstance(node, Apply):
        raise NoValue
    name = node.name
    if name not in _EXACT:
        raise NoValue
    args = [_exact(arg) for arg in node.args]
    return _bounded(_EXACT[name](*args))


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > _MAX_BITS or value.denominator.bit_length() > _MAX_BITS:
        raise NoValue
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        return _rational_root(base, exponent)
    size = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent.numerator)
    if size > _MAX_BITS:
        raise NoValue
    return base**exponent.numerator


def _rational_root(base: Fraction, exponent: Fraction) -> Fraction:
    """A power whose exponent is a fraction, where it is rational."""
    order = exponent.denominator
    if base < 0 or order > 64:
        raise NoValue
    return _power(
        Fraction(_integer_root(base.numerator, order), _integer_root(base.denominator, order)),
        Fraction(exponent.numerator),
    )


def _integer_root(number: int, order: int) -> int:
    if number.bit_length() > 4000:
        raise NoValue
    low, high = 0, 1 << (number.bit_length() // order + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**order <= number:
            low = middle
        else:
            high = middle - 1
    if low**order != number:
        raise NoValue
    return low


def _root(base: Fraction, order: Fraction) -> Fraction:
    if order.denominator != 1 or order < 1:
        raise NoValue
    if base < 0 and order.numerator % 2:
        return -_power(-base, Fraction(1, order.numerator))
    return _power(base, 1 / order)


def _whole(value: Fraction, most: int) -> int:
    if value.denominator != 1 or not 0 <= value <= most:
        raise NoValue
    return value.numerator


def _factorial(value: Fraction) -> Fraction:
    return Fraction(math.factorial(_whole(value, 2100)))


def _log(value: Fraction, base: Fraction) -> Fraction:
    """A logarithm that is a whole number or a fraction of small terms."""
    if value <= 0 or base <= 0 or base == 1:
        raise NoValue
    guess = Fraction(math.log(value) / math.log(base)).limit_denominator(64)
    if abs(guess) < 200 and _power(base, Fraction(guess.numerator)) == _power(value, Fraction(guess.denominator)):
        return guess
    raise NoValue


_EXACT: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "neg": lambda a: -a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": _power,
    "root": _root,
    "paren": lambda a: a,
    "percent": lambda a: a / 100,
    "abs": abs,
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "factorial": _factorial,
    "binom": lambda a, b: Fraction(math.comb(_whole(a, 2100), _whole(b, 2100))),
    "permutations": lambda a, b: Fraction(math.perm(_whole(a, 2100), _whole(b, 2100))),
    "log_": _log,
    "gcd": lambda *a: Fraction(math.gcd(*(_whole(x, 10**30) for x in a))),
    "lcm": lambda *a: Fraction(math.lcm(*(_whole(x, 10**15) for x in a))),
    "max": lambda *a: max(a),
    "min": lambda *a: min(a),
}


def depth_of(value: Value) -> int:
    """The number of operators, brackets and relations inside each other."""
    deepest = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(part, tuple):
            waiting += [(one, depth) for one in part]
        elif hasattr(part, "__slots__") and not isinstance(part, str | Fraction | Number | Symbol | Constant):
            waiting += [(getattr(part, name), depth + 1) for name in part.__slots__]
    return deepest


def letters(value: Value) -> frozenset[str]:
    """The names of the symbols in a value."""
    found: set[str] = set()
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Symbol):
            found.add(part.name)
        elif isinstance(part, Apply):
            waiting += part.args
        elif isinstance(part, Bracketed):
            waiting += part.items
        elif isinstance(part, Matrix):
            waiting += [cell for row in part.rows for cell in row]
        elif isinstance(part, tuple | list):
            waiting += part
        elif hasattr(part, "__slots__") and not isinstance(part, str | Fraction | Number | Constant):
            waiting += [getattr(part, name) for name in part.__slots__]
    return frozenset(found)


def nodes(value: Value) -> Iterator[Node]:
    """A node and all inside it."""
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Apply):
            waiting += part.args
        elif isinstance(part, Bracketed):
            waiting += part.items
        elif isinstance(part, Matrix):
            waiting += [cell for row in part.rows for cell in row]


def has_decimals(value: Node) -> bool:
    """Return True if a decimal is written in it."""
    return any(isinstance(part, Number) and bool(part.places) for part in nodes(value))


@lru_cache(maxsize=1)
def context() -> Any:
    """mpmath with its own precision."""
    import mpmath  # type: ignore[import-untyped]

    made = mpmath.mp.clone()
    made.dps = _DIGITS
    return made


def drawn(name: str, what: object) -> int:
    """A number of 64 bits that is always the same for the same name."""
    return int.from_bytes(hashlib.blake2b(f"{name}|{what}".encode(), digest_size=8).digest(), "big")


@lru_cache(maxsize=4096)
def _place(name: str, index: int) -> Any:
    """The value of a letter at one of the places: the first three positive, the next two of both signs."""
    raw = drawn(name, index)
    value = context().mpf(raw % 10**15 + 4 * 10**14) / 10**15 * (1 + raw % 3)
    if index == 3 or (index == 4 and raw % 2):
        return -value
    return value


class PlaceValues:
    """Values at one place. `is_opaque`: a part was taken for a function that nothing is known of."""

    def __init__(self, index: int, letters: Mapping[str, Any] | None = None) -> None:
        self.index = index
        self.scale: Any = context().mpf(1)
        self.is_opaque = False
        self.steps = 0
        self.bound: dict[str, Any] = dict(letters or {})

    def value(self, node: Node) -> Any:
        """The value of `node`. Raises: NoValue."""
        try:
            return self._value(node)
        except (ZeroDivisionError, Undefined):
            raise Undefined from None
        except (ValueError, OverflowError, TypeError, ArithmeticError):
            raise NoValue from None

    def _value(self, node: Any) -> Any:
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise NoValue
        mp = context()
        if isinstance(node, Number):
            return mp.mpf(node.value.numerator) / node.value.denominator
        if isinstance(node, Symbol):
            return self.bound[node.name] if node.name in self.bound else _place(node.name, self.index)
        if isinstance(node, Constant):
            return self.constant(node)
        if isinstance(node, Apply):
            found = self.apply(node)
            if not context().isfinite(found):
                raise Undefined
            size = abs(found)
            self.scale = max(self.scale, size)
            return found
        return self.opaque(type(node).__name__, self.parts(node))

    def constant(self, node: Constant) -> Any:
        mp = context()
        if node.name == "pi":
            return +mp.pi
        if node.name == "e":
            return +mp.e
        if node.name == "i":
            return mp.mpc(0, 1)
        if node.name == "infinity":
            raise NoValue
        return self.opaque(node.name, ())

    def parts(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, Bracketed):
            return (value.opening, value.closing, *(self._part(item) for item in value.items))
        if isinstance(value, Matrix):
            return tuple(self._part(cell) for row in value.rows for cell in (*row, Symbol("&")))
        if isinstance(value, Quantity):
            return (self._part(value.value), value.unit)
        return (repr(value),)

    def _part(self, value: Any) -> Any:
        if isinstance(value, Symbol) and value.name == "&":
            return "&"
        if isinstance(value, Node):
            return self._value(value)
        if hasattr(value, "sides"):
            return (value.signs, *(self._part(side) for side in value.sides))
        return self.parts(value)

    def opaque(self, name: str, args: tuple[Any, ...]) -> Any:
        """The value of a function that nothing is known of: the same for the same arguments, else another."""
        return context().mpf(drawn(name, f"{self.index}|{_spelled(args)}")) / 2**63 + 1

    def apply(self, node: Apply) -> Any:
        name = node.name
        if name in ("sum", "prod"):
            return self.series(node)
        if name in _BIG:
            self.is_opaque = True
            return self.opaque(name, self.limits(node))
        if name == "call":
            function = node.args[0]
            if (pair := counted(node)) is not None:
                return self._value(Apply("binom", pair))
            return self.opaque(f"call {function!r}", self.parts(node.args[1]))
        if name in ("prime", "transpose", "nothing", "double_factorial"):
            return self.opaque(name, tuple(self._value(arg) for arg in node.args))
        if name in ("cup", "cap", "setminus", "pm", "mp", "wedge", "vee"):
            return self.opaque(name, tuple(self._value(arg) for arg in node.args))
        args = [self._value(arg) for arg in node.args]
        compute = _FUNCTIONS.get(name)
        if compute is None:
            self.is_opaque = True
            return self.opaque(name, tuple(args))
        if name not in _CHEAP:
            for arg in args:
                if arg and context().mag(arg) > _MAX_MAGNITUDE:
                    raise NoValue
        return compute(context(), *args)

    def limits(self, node: Apply) -> tuple[Any, ...]:
        body, group = node.args
        assert isinstance(group, Bracketed)
        below: Any = group.items[0]
        hidden = {}
        if hasattr(below, "sides") and isinstance(below.sides[0], Symbol):
            hidden = {below.sides[0].name: _place("bound", self.index)}
        before, self.bound = self.bound, {**self.bound, **hidden}
        try:
            return (self._value(body), *(self._part(item) for item in group.items))
        finally:
            self.bound = before

    def series(self, node: Apply) -> Any:
        body, group = node.args
        assert isinstance(group, Bracketed)
        below: Any = group.items[0]
        above: Any = group.items[1]
        is_range = (
            hasattr(below, "sides")
            and len(below.sides) == 2
            and below.signs == ("=",)
            and isinstance(below.sides[0], Symbol)
        )
        low = exact(below.sides[1]) if is_range and isinstance(below.sides[1], Node) else None
        high = exact(above) if isinstance(above, Node) else None
        if (
            low is None
            or high is None
            or low.denominator != 1
            or high.denominator != 1
            or not 0 <= high - low < _MAX_TERMS
        ):
            self.is_opaque = True
            return self.opaque(node.name, self.limits(node))
        name = below.sides[0].name
        mp = context()
        total = mp.mpf(0 if node.name == "sum" else 1)
        before = self.bound
        try:
            for index in range(int(low), int(high) + 1):
                self.bound = {**before, name: mp.mpf(index)}
                term = self._value(body)
                total = total + term if node.name == "sum" else total * term
        finally:
            self.bound = before
        return total


def counted(value: Value) -> tuple[Node, Node] | None:
    """The arguments of `C(n, k)`; None for anything else."""
    if not (isinstance(value, Apply) and value.name == "call" and value.args[0] == Symbol("C")):
        return None
    items = value.args[1].items if isinstance(value.args[1], Bracketed) else ()
    return items if len(items) == 2 and all(isinstance(item, Node) for item in items) else None  # type: ignore[return-value]


def replaced(node: Any, name: str, new: Node) -> Any:
    """`node` with a symbol put in for another node."""
    if isinstance(node, Symbol):
        return new if node.name == name else node
    if isinstance(node, Apply):
        return Apply(node.name, tuple(replaced(arg, name, new) for arg in node.args))
    if isinstance(node, Bracketed):
        return Bracketed(node.opening, node.closing, tuple(replaced(item, name, new) for item in node.items))
    if isinstance(node, Matrix):
        return Matrix(tuple(tuple(replaced(cell, name, new) for cell in row) for row in node.rows))
    if hasattr(node, "sides"):
        return type(node)(tuple(replaced(side, name, new) for side in node.sides), node.signs)
    return node


def _spelled(args: Any) -> str:
    if isinstance(args, tuple):
        return "(" + ",".join(_spelled(arg) for arg in args) + ")"
    if isinstance(args, str):
        return args
    return str(context().nstr(args, 20))


def _pow(mp: Any, base: Any, exponent: Any) -> Any:
    if base == 0:
        if mp.re(exponent) <= 0:
            raise NoValue
        return mp.mpf(0)
    if (base != 1 and mp.mag(exponent) > _MAX_MAGNITUDE if exponent else False) or abs(mp.mag(base)) > 10**15:
        raise NoValue
    return mp.power(base, exponent)


def _take_root(mp: Any, base: Any, order: Any) -> Any:
    if order == 0:
        raise NoValue
    if base == 0:
        return mp.mpf(0)
    if mp.im(base) == 0 and mp.re(base) < 0 and mp.im(order) == 0 and order == int(order) and int(order) % 2:
        return -mp.power(-mp.re(base), 1 / order)
    return mp.power(base, 1 / order)


def _real(mp: Any, value: Any) -> Any:
    if abs(mp.im(value)) > mp.mpf(10) ** -40:
        raise NoValue
    return mp.re(value)


def _rounded(mp: Any, value: Any, function: str) -> Any:
    real = _real(mp, value)
    near = mp.nint(real)
    return near if abs(real - near) < mp.mpf(10) ** -40 else getattr(mp, function)(real)


def _gamma(mp: Any, value: Any) -> Any:
    if mp.mag(value) > 24 if value else False:
        raise NoValue
    return mp.gamma(value + 1)


def _of_whole_numbers(function: Callable[..., int]) -> Any:
    """A function of whole numbers, which has no value at others."""

    def compute(mp: Any, *args: Any) -> Any:
        if any(mp.im(arg) != 0 or not mp.isint(mp.re(arg)) for arg in args):
            raise NoValue
        return mp.mpf(function(*(int(mp.re(arg)) for arg in args)))

    return compute


def _inverse(name: str) -> Any:
    return lambda mp, x: getattr(mp, name)(x)


_CHEAP = {
    "add",
    "neg",
    "mul",
    "div",
    "paren",
    "percent",
    "abs",
    "pow",
    "root",
    "Re",
    "Im",
    "max",
    "min",
    "degrees",
    "ln",
    "log",
    "lg",
    "log_",
}
_BIG = {"int", "iint", "iiint", "oint", "lim", "limsup", "liminf", "bigcup", "bigcap", "sup"}
_FUNCTIONS: dict[str, Any] = {
    "add": lambda mp, a, b: a + b,
    "neg": lambda mp, a: -a,
    "mul": lambda mp, a, b: a * b,
    "div": lambda mp, a, b: a / b,
    "paren": lambda mp, a: a,
    "percent": lambda mp, a: a / 100,
    "degrees": lambda mp, a: a * mp.pi / 180,
    "pow": _pow,
    "root": _take_root,
    "abs": lambda mp, a: abs(a),
    "floor": lambda mp, a: _rounded(mp, a, "floor"),
    "ceil": lambda mp, a: _rounded(mp, a, "ceil"),
    "factorial": _gamma,
    "binom": lambda mp, n, k: mp.binomial(n, k),
    "permutations": lambda mp, n, k: mp.gamma(n + 1) / mp.gamma(n - k + 1),
    "exp": lambda mp, a: mp.exp(a),
    "cis": lambda mp, a: mp.expj(a),
    "ln": lambda mp, a: mp.log(a),
    "log": lambda mp, a: mp.log(a),
    "lg": lambda mp, a: mp.log(a) / mp.log(10),
    "log_": lambda mp, a, b: mp.log(a) / mp.log(b),
    "cbrt": lambda mp, a: _take_root(mp, a, mp.mpf(3)),
    "Re": lambda mp, a: mp.re(a),
    "Im": lambda mp, a: mp.im(a),
    "arg": lambda mp, a: mp.arg(a),
    "sgn": lambda mp, a: mp.sign(a),
    "gcd": _of_whole_numbers(math.gcd),
    "lcm": _of_whole_numbers(math.lcm),
    "max": lambda mp, *a: max(_real(mp, x) for x in a),
    "min": lambda mp, *a: min(_real(mp, x) for x in a),
    "arcsin": _inverse("asin"), "arccos": _inverse("acos"), "arctan": _inverse("atan"), "arccot": _inverse("acot"), "arcsec": _inverse("asec"),
    "arccsc": _inverse("acsc"), "arsinh": _inverse("asinh"), "arcosh": _inverse("acosh"), "artanh": _inverse("atanh"),
    "arcsinh": _inverse("asinh"), "erf": _inverse("erf"),
} | {name: _inverse(name) for name in ["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth"]}  # fmt: skip


def line_of(node: Node, name: str) -> tuple[Fraction, Fraction] | None:
    """Slope and value at zero of an expression that is linear in a letter."""
    values = [exact(replaced(node, name, Number(Fraction(at)))) for at in _ON_A_LINE]
    at_zero, at_one = values[1], values[2]
    if at_zero is None or at_one is None or at_zero == at_one:
        return None
    slope = at_one - at_zero
    is_line = all(value == at_zero + slope * at for at, value in zip(_ON_A_LINE, values, strict=True))
    return (slope, at_zero) if is_line else None
