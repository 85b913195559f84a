"""Expressions that differ, told by their values: what `simplify` takes long to find out, and cannot find out differently."""

from collections.abc import Sequence
from typing import Any

from sympy import Abs, Add, E, Expr, I, Integer, Mul, Pow, Rational, Symbol, cos, log, pi, sin, tan
from sympy.core.parameters import evaluate

# Positive, so that a root or a logarithm of a variable is real; apart, so that no usual identity holds at all by chance.
_PLACES = (
    (Rational(17, 13), Rational(23, 7), Rational(5, 11), Rational(41, 19), Rational(29, 31)),
    (Rational(3, 17), Rational(37, 23), Rational(13, 5), Rational(2, 29), Rational(53, 43)),
)
_KNOWN = (Add, Mul, Pow, sin, cos, tan, log, Abs)
_MAX_NODES = 60
_MAX_POWER = 40


def certainly_differ(gold: Sequence[Any], answer: Sequence[Any]) -> bool:
    """Whether two readings of math-verify are expressions whose values differ somewhere by far more than rounding.

    False where they may be equal, and for all but sums, products, powers and common functions of exact numbers and variables.
    """
    if not (gold and answer):
        return False
    ours, theirs = gold[0], answer[0]
    if isinstance(ours, Symbol) or isinstance(theirs, Symbol) or not (_is_plain(ours) and _is_plain(theirs)):
        return False  # math-verify compares the letters of a symbol: it may be a word
    variables = ours.free_symbols | theirs.free_symbols
    names = sorted({variable.name for variable in variables})
    if len(names) > len(_PLACES[0]):
        return False
    for places in _PLACES if names else _PLACES[:1]:
        value_of = dict(zip(names, places, strict=False))
        at = {variable: value_of[variable.name] for variable in variables}
        one, other = _value(ours, at), _value(theirs, at)
        if one is not None and other is not None and abs(one - other) > 1e-4 * max(1.0, abs(one), abs(other)):
            return True
    return False


def _is_plain(expression: Any) -> bool:
    """Whether it can be evaluated at once: few parts, all of them known, small powers."""
    waiting, seen = [expression], 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > _MAX_NODES or not isinstance(part, Expr):
            return False
        if isinstance(part, Symbol | Rational) or part in (pi, E, I):
            if isinstance(part, Rational) and max(abs(part.p), part.q) > 10**12:
                return False
        elif not isinstance(part, _KNOWN) or (isinstance(part, Pow) and not _is_small(part.exp)):
            return False
        waiting += part.args
    return True


def _is_small(exponent: Any) -> bool:
    return isinstance(exponent, Symbol | Integer | Rational | Mul) and all(
        not isinstance(number, Rational) or abs(number) <= _MAX_POWER for number in exponent.atoms(Rational)
    )


def _value(expression: Any, at: dict[Any, Any]) -> complex | None:
    """Its value with the variables in place; None where it has none that is finite."""
    try:
        with evaluate(True):
            value = complex(expression.subs(at).evalf(20))
    except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        return None
    return value if abs(value) < 1e12 else None
