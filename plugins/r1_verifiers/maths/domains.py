r"""Domains of letters, as conditions state them: `k \in \mathbb{Z}`, `n \ge 3`, `t \in \mathbb{R}`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from .meaning import INFINITY, MINUS_INFINITY, REALS
from .numeric import magnitude
from .real_sets import canonical, equal_sets, meet
from .types import Constant, Interval, NamedValue, Number, RealSet, Relation, Symbol, Value

_SET = re.compile(r"([NZQRC])\1?([-+*])?")
_ZERO = Number(Fraction(0))
_MARKED = {
    "+": RealSet((Interval(_ZERO, INFINITY, False, False),)),
    "-": RealSet((Interval(MINUS_INFINITY, _ZERO, False, False),)),
    "*": RealSet((REALS,), (_ZERO,)),
}
_NATURAL = RealSet((Interval(_ZERO, INFINITY, True, False),))


class NumberDomain(NamedTuple):
    """The numbers that a letter may be. `kind`: Z, Q, R or C, "" where none is named; `bounds`: None where there is none."""

    kind: str
    bounds: RealSet | None


def domains_agree(name: str, ours: Sequence[Value], theirs: Sequence[Value]) -> bool:
    """Return True unless the conditions on a letter contradict each other. What one side leaves out does not."""
    our_set, our_bounds = _set_of(name, ours), _bounds(name, ours)
    their_set, their_bounds = _set_of(name, theirs), _bounds(name, theirs)
    if not (our_set or our_bounds) or not (their_set or their_bounds):
        return True
    if our_set and their_set and our_set.kind != their_set.kind:
        return False
    if their_set and their_bounds is None and (our_set == their_set or (our_set is None and their_set.bounds is None)):
        return True
    kind = (our_set or their_set or NumberDomain("", None)).kind
    return any(
        _same_bounds(kind, one, other)
        for one in _restricted(our_set, our_bounds)
        for other in _restricted(their_set, their_bounds)
    )


def unknown_sets(conditions: Sequence[Value], names: frozenset[str]) -> list[Value]:
    r"""The conditions on these letters that are no domain with a name: `k \in 2\mathbb{Z}`, `k = 1`."""
    return [one for one in conditions if _in_unknown_set(one) in names]


def _in_unknown_set(condition: Value) -> str:
    if isinstance(condition, NamedValue):
        return condition.name
    if not isinstance(condition, Relation) or condition.signs != ("in",) or _membership(condition) is not None:
        return ""
    letter = condition.sides[0]
    return letter.name if isinstance(letter, Symbol) else ""


def restricted(condition: Value) -> str:
    """The one letter whose values a condition restricts, "" where there is none."""
    if isinstance(condition, RealSet):
        return condition.name
    if (
        isinstance(condition, Relation)
        and _membership(condition) is not None
        and isinstance(condition.sides[0], Symbol)
    ):
        return condition.sides[0].name
    return ""


def declared(condition: Value) -> str:
    """The letter that a condition calls any number, or any of a set of numbers; "" where there is none."""
    if isinstance(condition, Symbol):
        return condition.name
    if isinstance(condition, RealSet) and (condition.parts != (REALS,) or condition.without):
        return ""
    return restricted(condition)


def runs_through_integers(condition: Value) -> bool:
    """Return True if a condition says that its letter is any integer, or any number without a word of what it is."""
    return isinstance(condition, Symbol) or _membership(condition) == NumberDomain("Z", None)


def whole_letters(conditions: Sequence[Value]) -> frozenset[str]:
    """The letters that are said to be integers."""
    return frozenset(
        restricted(one) for one in conditions if (within := _membership(one)) is not None and within.kind == "Z"
    )


def _membership(condition: Value) -> NumberDomain | None:
    if isinstance(condition, RealSet):
        return NumberDomain("R", None) if condition.parts == (REALS,) and not condition.without else None
    if not (isinstance(condition, Relation) and condition.signs == ("in",)):
        return None
    within = condition.sides[1]
    found = _SET.fullmatch(within.name) if isinstance(within, Constant | Symbol) else None
    if found is None:
        return None
    if found[1] == "N":
        return NumberDomain("Z", _MARKED["+"] if found[2] else _NATURAL)
    return NumberDomain(found[1], _MARKED.get(found[2] or ""))


def _set_of(name: str, conditions: Sequence[Value]) -> NumberDomain | None:
    found = [one for condition in conditions if restricted(condition) == name and (one := _membership(condition))]
    return found[0] if found else None


def _bounds(name: str, conditions: Sequence[Value]) -> RealSet | None:
    """The real numbers that satisfy all inequalities and intervals."""
    sets = [one for one in conditions if isinstance(one, RealSet) and one.name == name and _membership(one) is None]
    if not sets:
        return None
    found = sets[0]
    for other in sets[1:]:
        found = meet(found, other) or found
    return found


def _restricted(within: NumberDomain | None, bounds: RealSet | None) -> list[RealSet]:
    """The bounds with those of the set of numbers. The natural numbers begin at zero or at one."""
    if within is None or within.bounds is None:
        return [bounds or RealSet((REALS,))]
    sets = (_NATURAL, _MARKED["+"]) if within.bounds == _NATURAL else (within.bounds,)
    return [(meet(one, bounds) or one) if bounds is not None else one for one in sets]


def _same_bounds(kind: str, one: RealSet, other: RealSet) -> bool:
    if kind == "Z" and (ours := _whole_ends(one)) is not None and (theirs := _whole_ends(other)) is not None:
        return ours == theirs
    return equal_sets(one, other) is not False


def _whole_ends(value: RealSet) -> list[tuple[float, float]] | None:
    """The smallest and the largest integer of each part; None where the ends are no numbers."""
    parts = canonical(value)
    if parts is None:
        return None
    found = []
    for part in parts:
        low, high = (_end(end, sign) for end, sign in ((part.low, 1), (part.high, -1)))
        if low is None or high is None:
            return None
        if math.isfinite(low):
            low = math.ceil(low - 1e-9) if part.has_low else math.floor(low + 1e-9) + 1
        if math.isfinite(high):
            high = math.floor(high + 1e-9) if part.has_high else math.ceil(high - 1e-9) - 1
        found.append((low, high))
    return found


def _end(node: object, sign: int) -> float | None:
    return -sign * math.inf if node in (REALS.low, REALS.high) else magnitude(node)  # type: ignore[arg-type]
