r"""Places: the values of the letters at which two expressions are compared.

Analytic expressions that agree at a few places are the same. Floors, bars, maxima, `(-1)^n` and roots of squares are not
analytic: they are compared at numbers of all sizes too, on both sides of each edge, and where a letter is a whole number by
convention at whole numbers alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

from .evaluate import NoValue, PlaceValues, context, drawn, exact, letters, nodes
from .types import Apply, Constant, Node, Number

_FEW, _MOST = 6, 80  # special places: where an expression is long, and where it is short
_AFFORDED = 3000  # nodes evaluated for one of two expressions
_SIZES = 14  # places of all sizes
_SMALL = 24  # whole numbers tried one by one
_FAR = (67, 105, 199, 1000, 10**15)  # and others beyond all usual sizes
_EDGES, _SOLVED_LETTERS = 8, 4  # of which the places are worked out
_STEPS = (-1, 0, 1, 2, 10)  # of a floor
_BROKEN = frozenset(["abs", "floor", "ceil", "max", "min", "sgn", "gcd", "lcm"])
_WHOLE_ARGUMENTS = frozenset(["gcd", "lcm"])
_GAMMAS = frozenset(["factorial", "double_factorial", "binom", "permutations"])
_CIRCULAR = frozenset(["sin", "cos", "tan", "cot", "sec", "csc"])
_FOLDING = frozenset(["arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc"])
_WHOLE_NAMES = frozenset("nmkNM")


@dataclass(frozen=True, slots=True)
class Place:
    """Values of letters. `index`: draws the letters that have none in `values`, and functions that nothing is known of.

    `is_real`: only real values tell here, as roots and logarithms have several values below zero.
    """

    index: int
    is_real: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """True for a place that was chosen among whole numbers, where a difference of one in a large value tells."""
        return self.is_special and not self.is_real

    @property
    def is_special(self) -> bool:
        """True for a place that was chosen, where a denominator may be zero by chance."""
        return bool(self.values)


ORDINARY = tuple(Place(index, is_real=index >= 3) for index in range(5))  # the first three are positive


def places(gold: Node, answer: Node, whole: frozenset[str] = frozenset()) -> list[Place]:
    """The places at which two expressions are compared. `whole`: letters that are said to be whole numbers."""
    names = letters(gold) | letters(answer)
    if not names:
        return [ORDINARY[0]]
    parts = [part for part in (*nodes(gold), *nodes(answer)) if isinstance(part, Apply)]
    broken = [part for part in parts if _is_broken(part)]
    if not broken:
        return list(ORDINARY)
    whole = frozenset((whole | _whole_letters(parts)) & names)
    has_series = any(part.name in ("sum", "prod") for part in parts)
    most = _FEW if has_series else min(_MOST, max(_FEW, _AFFORDED // (len(parts) + 1)))
    special = islice(_special(parts, broken, sorted(names), whole), most)
    return [*(() if whole else ORDINARY), *special]


def _is_broken(node: Apply) -> bool:
    """Return True for a function with edges, on an argument with letters."""
    if node.name in _BROKEN or _has_negative_base(node):
        return bool(letters(node))
    if node.name in _FOLDING:
        return any(isinstance(part, Apply) and part.name in _CIRCULAR and letters(part) for part in nodes(node))
    return _is_even_root(node) and _may_be_square(node.args[0])


def _has_negative_base(node: Apply) -> bool:
    """`(-1)^n`, `i^n`."""
    if node.name != "pow" or not letters(node.args[1]):
        return False
    base = exact(node.args[0])
    return node.args[0] == Constant("i") or (base is not None and base < 0)


def _is_even_root(node: Apply) -> bool:
    if node.name not in ("root", "pow"):
        return False
    order = exact(node.args[1])
    if order is None or not letters(node.args[0]):
        return False
    return (order.numerator if node.name == "root" else order.denominator) % 2 == 0


def _may_be_square(radicand: Node) -> bool:
    """Return True for a sum with a product of letters in it; a root of one product is a product."""
    parts = [part for part in nodes(radicand) if isinstance(part, Apply) and letters(part)]
    return any(part.name == "add" for part in parts) and any(
        part.name in _CIRCULAR
        or (part.name == "mul" and all(map(letters, part.args)))
        or (part.name == "pow" and (exact(part.args[1]) or Fraction(1)) % 2 == 0)
        for part in parts
    )


def _whole_letters(parts: list[Apply]) -> frozenset[str]:
    """The letters that stand for whole numbers by convention: `n` beside a floor or a factorial, exponents of -1."""
    found: frozenset[str] = frozenset()
    is_counted = False
    for part in parts:
        is_counted |= part.name in ("floor", "ceil") or part.name in _GAMMAS
        if part.name in _WHOLE_ARGUMENTS or part.name in _GAMMAS:
            found |= letters(part)
        elif _has_negative_base(part):
            found |= letters(part.args[1])
            is_counted = True
    if is_counted:
        names: frozenset[str] = frozenset().union(*map(letters, parts))
        found |= {name for name in names if name.partition("_")[0] in _WHOLE_NAMES}
    return found


def _special(parts: list[Apply], broken: list[Apply], names: list[str], whole: frozenset[str]) -> Iterator[Place]:
    """Places of all sizes and at the edges, those that tell most first."""
    signed = frozenset(names) - _under_roots(parts)
    most = 60 if any(part.name in _GAMMAS for part in parts) else 10**6
    sizes = [_of_size(names, whole, signed, number, most) for number in range(_SIZES)]
    yield from sizes[: _FEW - 1]
    if len(names) == 1 and whole:
        yield from (Place(3, False, {names[0]: context().mpf(number)}) for number in range(1, _SMALL + 1))
    if whole == frozenset(names):
        yield from (_far(names, number) for number in _FAR)
    for name in names[:_SOLVED_LETTERS]:
        others = {**sizes[0].values, **({} if whole else {other: context().mpf(2) / 3 for other in names})}
        for value in _around_edges(broken, name, others, name in whole):
            if name not in whole or 1 <= value <= _FAR[-1]:
                yield Place(3, not whole, {**others, name: value})
    yield from sizes[_FEW - 1 :]


def _far(names: list[str], number: int) -> Place:
    """A place at a large whole number, the later letters larger, as `n` is than `k`."""
    values = {name: context().mpf(number // (len(names) - at)) for at, name in enumerate(names)}
    return Place(3, False, values)


def _under_roots(parts: list[Apply]) -> frozenset[str]:
    """Letters that stand for positive numbers."""
    roots = [part for part in parts if part.name in ("log", "ln", "lg", "log_") or _is_even_root(part)]
    return frozenset().union(*map(letters, roots))


def _of_size(names: list[str], whole: frozenset[str], signed: frozenset[str], number: int, most: int) -> Place:
    """A place with values of about the same size, or of sizes that differ by letter."""
    mp = context()
    values = {}
    for at, name in enumerate(names):
        raw = drawn(name, f"size {number}")
        size = (0, 3, 1, 5, 2, 4)[(number + (at * (number // 6))) % 6]
        value = mp.mpf(raw % 10**9 + 10**8) / 10**9 * 10 ** (size + 1)
        if name in whole:
            value = mp.mpf(1 + int(value) % most)
        values[name] = -value if name in signed - whole and raw // 10**9 % 2 else value
    return Place(3, not whole, values)


def _around_edges(broken: list[Apply], name: str, others: Mapping[str, Any], is_whole: bool) -> list[Any]:
    """Values of a letter at the edges of functions, between them and beyond them."""
    edges = [edge for part in broken for edge in _edges(part, name, others)]
    if not edges:
        return []
    edges = sorted(set(edges))[: 4 * _EDGES]
    mp = context()
    if is_whole:
        near = [mp.floor(edge) + step for edge in edges for step in (0, -1, 1, 2)]
        return list(dict.fromkeys(near))
    between = [(low + high) / 2 for low, high in pairwise(edges)]
    return [edges[0] - 1, edges[-1] + 1, *between, *edges]


def _edges(node: Apply, name: str, others: Mapping[str, Any]) -> list[Any]:
    """The values of a letter at which one function breaks."""
    if node.name in ("abs", "sgn"):
        return _zeros(node.args[0], name, others, (0,))
    if node.name in ("floor", "ceil"):
        return _zeros(node.args[0], name, others, _STEPS)
    if node.name in ("max", "min"):
        pairs = [Apply("add", (one, Apply("neg", (other,)))) for one, other in pairwise((*node.args, node.args[0]))]
        return [zero for pair in pairs[:_EDGES] for zero in _zeros(pair, name, others, (0,))]
    if _is_even_root(node):
        return _zeros(node.args[0], name, others, (0,), only_double=True)
    return []


def _zeros(
    node: Node, name: str, others: Mapping[str, Any], wanted: tuple[int, ...], only_double: bool = False
) -> list[Any]:
    """The values of a letter at which an expression has the wanted values, if it is linear or quadratic in it; else powers of its constants."""
    if name not in letters(node):
        return []
    mp = context()
    try:
        at = [mp.mpmathify(PlaceValues(3, {**others, name: mp.mpf(number)}).value(node)) for number in (1, 2, 3, 4)]
    except NoValue:
        return _powers_of_constants(node)
    if any(mp.im(value) != 0 for value in at) or abs(at[3] - 3 * at[2] + 3 * at[1] - at[0]) > mp.mpf(10) ** -30:
        return _powers_of_constants(node)
    square = (at[2] - 2 * at[1] + at[0]) / 2
    slope = at[1] - at[0] - 3 * square
    if abs(square) < mp.mpf(10) ** -30:
        square = mp.mpf(0)
    found = []
    for value in wanted:
        start = at[0] - slope - square - value
        under = slope**2 - 4 * square * start
        if square and abs(under) < mp.mpf(10) ** -30 * max(1, slope**2):
            found.append(-slope / (2 * square))
        elif square and under > 0 and not only_double:
            found += [(-slope - mp.sqrt(under)) / (2 * square), (-slope + mp.sqrt(under)) / (2 * square)]
        elif not square and slope and not only_double:
            found.append(-start / slope)
    return found


def _powers_of_constants(node: Node) -> list[Any]:
    numbers = {abs(part.value) for part in nodes(node) if isinstance(part, Number) and part.value}
    return [
        context().mpf(number.numerator) ** power / number.denominator**power
        for number in sorted(numbers)[:_EDGES]
        for power in (1, 2, 3)
        if number < 10**6
    ]
