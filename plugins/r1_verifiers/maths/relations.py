"""Inequalities as sets of numbers, and sets as inequalities."""

from __future__ import annotations

from fractions import Fraction

from .evaluate import letters, line_of
from .meaning import FLIPPED, INFINITY, MINUS_INFINITY, is_infinite
from .numeric import magnitude
from .types import Apply, Interval, Node, Number, RealSet, Relation, Symbol, Value


def between_letters(value: Value) -> Relation | None:
    """An inequality of two sides whose ends hold letters, as `a >= b`; None for any other."""
    if isinstance(value, RealSet) and value.name and len(value.parts) == 1 and not value.without:
        part = value.parts[0]
        if is_infinite(part.high) and letters(part.low):
            return Relation((Symbol(value.name), part.low), (">=" if part.has_low else ">",))
        if is_infinite(part.low) and letters(part.high):
            return Relation((Symbol(value.name), part.high), ("<=" if part.has_high else "<",))
        return None
    if isinstance(value, Relation) and len(value.sides) == 2 and value.signs[0] in FLIPPED:
        return value
    return None


def without_bars(value: Relation) -> RealSet | None:
    """The numbers for which `|x - 1| < 2` holds; None for an inequality of another form."""
    if len(value.sides) != 2 or value.signs[0] not in FLIPPED:
        return None
    (left, right), sign = value.sides, value.signs[0]
    if isinstance(right, Apply) and right.name == "abs":
        left, right, sign = right, left, FLIPPED[sign]
    if not (isinstance(left, Apply) and left.name == "abs" and isinstance(right, Node) and len(letters(left)) == 1):
        return None
    (name,) = letters(left)
    line, size = line_of(left.args[0], name), magnitude(right)
    if line is None or size is None or size <= 0:
        return None
    slope, start = abs(line[0]), line[1] if line[0] > 0 else -line[1]
    low, high = (_solution(end, start, slope) for end in (Apply("neg", (right,)), right))
    has_ends = "=" in sign
    if sign[0] == "<":
        return RealSet((Interval(low, high, has_ends, has_ends),), (), name)
    outside = Interval(MINUS_INFINITY, low, False, has_ends), Interval(high, INFINITY, has_ends, False)
    return RealSet(outside, (), name)


def _solution(end: Node, start: Fraction, slope: Fraction) -> Node:
    return Apply("div", (Apply("add", (end, Number(-start))), Number(slope)))
