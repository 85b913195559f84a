"""Letters that an answer chooses for itself: constants of integration, the letter of a family, the argument of a function.

Two answers that differ by a one-to-one renaming of them are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import permutations
from typing import Any

from .domains import declared
from .evaluate import letters, nodes
from .meaning import spelled
from .problems import letters_in
from .types import (
    Apply,
    Bracketed,
    Conditioned,
    Constant,
    Matrix,
    NamedValue,
    Node,
    Number,
    RealSet,
    Relation,
    Several,
    Symbol,
    Value,
)

_MAX_RENAMED = 4  # parameters, of which all orders are tried
_MAX_NODES = 200  # of an answer, for all orders to be tried
_PARAMETER = re.compile(r"[a-dk-np-z]")  # the others are usual names of functions and of constants of physics
_CONSTANT = re.compile(r"[CcABKk](?:_\w+)?")  # as constants of integration are called
_NUMBERED_CONSTANT = re.compile(r"[CcABKk]_\w+")
# Problems in whose answers constants of integration may change places.
_INTEGRATES = re.compile(
    r"'|\\prime|differential|integra|general solution|recurrence|\\int(?![A-Za-z])|\bd\^?\d?[xyt]\b|\\d?dot\b|微分|积分|通解"
)
_VARIABLE = re.compile(r"[xyzt]")
_WHOLE = {"n", "k", "m"}


def renamings(gold: Value, answer: Value, problem: str) -> Iterator[Value]:
    """Yield `answer` with its parameters called as those of `gold`, in every order that there is.

    A parameter stands neither on a left side nor in the problem. Where the problem names no letter at all, only what is
    declared (`k \\in \\mathbb{Z}`) or looks like a constant of integration is one.
    """
    ours, theirs = _letters(gold), _letters(answer)
    if not ours or not theirs:
        return
    left = _left_letters(gold) | _left_letters(answer)
    ours, theirs = ours - left, theirs - left
    named = letters_in(problem)
    said, said_there = _declared(gold), _declared(answer)
    free = {one for one in ours if one in said or _may_be_free(one, named)}
    is_family = ours == free and bool(named) and len(free) == 1 and _is_family(gold)
    if not free or (ours == free and not left and not said and not is_family):
        return  # nothing but parameters says nothing of a variable
    free_there = {one for one in theirs if one in said_there or _may_be_free(one, named, bool(said))}
    if ours - theirs - free or theirs - ours - free_there:
        return
    chosen = _CONSTANT if _INTEGRATES.search(problem) else _NUMBERED_CONSTANT
    movable = {one for one in ours & theirs & free & free_there if one in said or chosen.fullmatch(one)}
    wanted, found = sorted((ours - theirs) | movable), sorted((theirs - ours) | movable)
    if len(wanted) != len(found):
        return
    is_cheap = len(wanted) <= _MAX_RENAMED and _is_cheap(gold) and _is_cheap(answer)
    orders = permutations(wanted) if is_cheap else iter([tuple(wanted)])
    for order in orders:
        names = {old: new for old, new in zip(found, order, strict=True) if old != new}
        if names and (is_family or all(_may_stand_for(new, old, said | said_there) for old, new in names.items())):
            yield renamed(answer, names)


def _is_family(value: Value) -> bool:
    """Return True for points along a line, as `(t, 2t)`: letters in more than one coordinate."""
    point = value.value if isinstance(value, NamedValue) else value
    cells = [cell for row in point.rows for cell in row] if isinstance(point, Matrix) else ()
    coordinates = point.items if isinstance(point, Bracketed) else cells
    return sum(bool(letters(one)) for one in coordinates) > 1


def _is_cheap(value: Value) -> bool:
    """Return True if a value may be computed some tens of times."""
    expressions = [part for part in _parts(value) if isinstance(part, Node)]
    inside = [part for one in expressions for part in nodes(one)]
    return len(inside) <= _MAX_NODES and not any(
        isinstance(one, Apply) and one.name in ("sum", "prod") for one in inside
    )


def _letters(value: Value) -> frozenset[str]:
    """The letters of a value, without those of sets of numbers, as in `k \\in Z`."""
    memberships = [part for part in _parts(value) if isinstance(part, Relation) and part.signs == ("in",)]
    return letters(value) - {one.sides[1].name for one in memberships if isinstance(one.sides[1], Symbol)}


def _may_be_free(name: str, named: frozenset[str], is_any: bool = False) -> bool:
    """Return True if a letter can be a parameter where the problem names the letters `named`."""
    if name in named:
        return False
    return _CONSTANT.fullmatch(name) is not None or ((bool(named) or is_any) and _PARAMETER.fullmatch(name) is not None)


def _may_stand_for(gold: str, answer: str, declared: frozenset[str]) -> bool:
    """Return True unless one is called as a constant and the other as a variable."""
    return not any(
        _CONSTANT.fullmatch(one) and _VARIABLE.fullmatch(other) and other not in declared
        for one, other in ((gold, answer), (answer, gold))
    )


def _declared(value: Value) -> frozenset[str]:
    """The letters that are said to stand for any number, and those of the angles of a family, as `n \\pi`."""
    found: set[str] = set()
    for part in _parts(value):
        if isinstance(part, Conditioned):
            found |= {name for one in part.conditions if (name := declared(one))}
    items = value.items if isinstance(value, Several) else (value,)
    if any(Constant("pi") in nodes(item.value if isinstance(item, NamedValue) else item) for item in items):
        found |= letters(value) & _WHOLE
    return frozenset(found)


def _left_letters(value: Value) -> frozenset[str]:
    """The letters of all left sides, the arguments of functions among them."""
    found: set[str] = set()
    for part in _parts(value):
        if isinstance(part, NamedValue):
            found |= letters(part.left) if part.left is not None else {part.name}
        elif isinstance(part, RealSet) and part.name and not isinstance(value, Conditioned):
            found.add(part.name)
        elif isinstance(part, Relation) and part.signs == ("=",) and isinstance(part.sides[0], Symbol):
            found.add(part.sides[0].name)
    return frozenset(found)


def _parts(value: Any) -> Iterator[Any]:
    """A value and all values inside it down to its expressions."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, tuple):
            waiting += part
        elif hasattr(part, "__slots__") and not isinstance(part, Node | Fraction):
            waiting += [getattr(part, name) for name in part.__slots__]


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return `value` with other names for some of its letters, all at once."""
    if isinstance(value, Symbol):
        return Symbol(names.get(value.name, value.name))
    if isinstance(value, tuple):
        return tuple(renamed(part, names) for part in value)
    if isinstance(value, RealSet):
        return RealSet(renamed(value.parts, names), renamed(value.without, names), names.get(value.name, value.name))
    if isinstance(value, NamedValue) and value.left is not None:
        left = renamed(value.left, names)
        return NamedValue(spelled(left), renamed(value.value, names), left)
    if hasattr(value, "__slots__") and not isinstance(value, Fraction | Number | Constant):
        return type(value)(*(renamed(getattr(value, name), names) for name in value.__slots__))
    return value


def with_arguments_of(gold: NamedValue, answer: NamedValue) -> NamedValue | None:
    """The definition of a function with its arguments called as those of `gold`: `f(t) = 2t` as `f(x) = 2x`.

    None where their new names have another meaning in it: `f(t) = 2x`.
    """
    wanted, found = _arguments(gold.left), _arguments(answer.left)
    if wanted == found or len(wanted) != len(found) or len(set(wanted)) != len(wanted) or len(set(found)) != len(found):
        return answer
    if set(wanted) & (letters(answer.value) - set(found)):
        return None
    names = dict(zip(found, wanted, strict=True))
    made: NamedValue = renamed(answer, names)
    return made


def _arguments(left: Node | None) -> list[str]:
    """The arguments of a function; none where they are no letters."""
    if not (isinstance(left, Apply) and left.name == "call" and isinstance(left.args[1], Bracketed)):
        return []
    items = left.args[1].items
    return (
        [item.name for item in items if isinstance(item, Symbol)]
        if all(isinstance(item, Symbol) for item in items)
        else []
    )
