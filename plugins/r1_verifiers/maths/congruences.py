r"""Classes of whole numbers: `n \equiv 1 \pmod 3` is `n = 3k + 1` and `n \equiv 4 \pmod 3`."""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm
from typing import NamedTuple

from .evaluate import exact, letters, line_of
from .types import Conditioned, Constant, NamedValue, Node, RealSet, Relation, Several, Symbol, Value

_MAX_MODULUS = 5000
_CONGRUENT = ("==", "mod")


class _Class(NamedTuple):
    """The numbers `name` that leave `rest` when divided by `modulus`; `name` is "" where none is written."""

    name: str
    rest: int
    modulus: int
    is_congruence: bool


class _Other(Exception):
    """A value that is no class of whole numbers."""


class _Restricted(_Other):
    """A class of which a condition leaves out some numbers."""


def equal_congruences(gold: Value, answer: Value) -> bool | None:
    """Compare two unions of classes, at least one of them written as a congruence; None where one is something else."""
    try:
        ours = list(_classes(gold))
    except _Other:
        return None
    try:
        theirs = list(_classes(answer))
    except _Restricted:
        is_class = isinstance(answer, Conditioned) and equal_congruences(gold, answer.value) is not None
        return False if is_class else None
    except _Other:
        return None
    if not any(one.is_congruence for one in (*ours, *theirs)):
        return None
    names = [{one.name for one in side if one.name} for side in (ours, theirs)]
    if len(names[0] | names[1]) > 1:
        return False
    modulus = lcm(*(one.modulus for one in (*ours, *theirs)))
    if modulus > _MAX_MODULUS:
        return None
    first, second = (
        {rest for one in side for rest in range(one.rest % one.modulus, modulus, one.modulus)}
        for side in (ours, theirs)
    )
    return first == second


def _classes(value: Value) -> Iterator[_Class]:
    if isinstance(value, Conditioned):
        domains = {_domain(one) for one in value.conditions}
        for one in _classes(value.value):
            yield one if domains == {"ZZ"} else one._replace(name=f"{one.name} in {min(domains)}")
    elif isinstance(value, Several) and value.items:
        for item in value.items:
            yield from _classes(item)
    elif isinstance(value, NamedValue):
        for term in value.value.items if isinstance(value.value, Several) else (value.value,):
            yield _progression(value.name, term)
    elif isinstance(value, Relation) and value.signs in (_CONGRUENT, ("mod",)):
        *left, rests, modulus = value.sides
        if left and not isinstance(left[0], Symbol):
            raise _Other
        name = left[0].name if left and isinstance(left[0], Symbol) else ""
        for rest in rests.items if isinstance(rests, Several) else (rests,):
            yield _Class(name, _whole(rest), _modulus(_whole(modulus)), True)
    else:
        raise _Other


def _domain(condition: Value) -> str:
    """The set that a letter is from."""
    if isinstance(condition, Symbol):
        return "ZZ"  # "for any k"
    if isinstance(condition, Relation) and condition.signs == ("in",) and isinstance(condition.sides[1], Constant):
        return condition.sides[1].name
    if isinstance(condition, Relation | RealSet | NamedValue):
        raise _Restricted
    raise _Other


def _progression(name: str, value: Value) -> _Class:
    """`3k + 1` as a class."""
    names = letters(value)
    if not isinstance(value, Node) or len(names) != 1 or name in names:
        raise _Other
    line = line_of(value, next(iter(names)))
    if line is None or any(part.denominator != 1 for part in line):
        raise _Other
    slope, start = map(int, line)
    return _Class(name, start, _modulus(abs(slope)), False)


def _whole(value: Value) -> int:
    found = exact(value) if isinstance(value, Node) else None
    if found is None or found.denominator != 1:
        raise _Other
    return found.numerator


def _modulus(value: int) -> int:
    if not 1 < value <= _MAX_MODULUS:
        raise _Other
    return value
