"""Sets of real numbers: their intersection, and a test of equality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from . import numeric
from .evaluate import NoValue, PlaceValues, context, exact, letters
from .types import Apply, Constant, Interval, Node, RealSet

Outcome = bool | None
_MAX_PARTS = 64  # of a set that is met with another
_MAX_ITEMS = 40  # that are compared each with each
_INFINITE = float("inf")


def all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return False if one is, None if one cannot be told, else True."""
    if any(outcome is False for outcome in outcomes):
        return False
    return None if any(outcome is None for outcome in outcomes) else True


def matching(gold: Sequence[Any], answer: Sequence[Any], compare: Callable[[Any, Any], Outcome]) -> Outcome:
    """Each item of one with another item of the other."""
    if len(gold) != len(answer):
        return False
    if len(gold) > _MAX_ITEMS:
        return all_of([compare(a, b) for a, b in zip(gold, answer, strict=True)])
    left = list(answer)
    is_open = False
    for one in gold:
        found = None
        for index, other in enumerate(left):
            outcome = compare(one, other)
            if outcome:
                found = index
                break
            is_open |= outcome is None
        if found is None:
            return None if is_open else False
        left.pop(found)
    return True


def _bound(node: Node) -> Fraction | float | None:
    """The value of an end; None where it is no number."""
    if (infinite := numeric.infinite(node)) != 0:
        return infinite * _INFINITE
    value = exact(node)
    if value is not None:
        return value
    if letters(node):
        return None
    try:
        found = PlaceValues(0).value(node)
    except NoValue:
        return None
    return float(context().re(found))


def meet(one: RealSet, other: RealSet) -> RealSet | None:
    """Return the intersection; None if their ends are no numbers."""
    if len(one.parts) * len(other.parts) > _MAX_PARTS:
        return None
    parts: list[Interval] = []
    for a in one.parts:
        for b in other.parts:
            a_low, b_low, a_high, b_high = _bound(a.low), _bound(b.low), _bound(a.high), _bound(b.high)
            if a_low is None or b_low is None or a_high is None or b_high is None:
                return None
            low, high = max(a_low, b_low), min(a_high, b_high)
            has_low = (a.has_low or a_low < low) and (b.has_low or b_low < low)
            has_high = (a.has_high or a_high > high) and (b.has_high or b_high > high)
            if low < high or (low == high and has_low and has_high):
                parts.append(
                    Interval(a.low if a_low == low else b.low, a.high if a_high == high else b.high, has_low, has_high)
                )
    return RealSet(tuple(parts), (*one.without, *other.without), one.name or other.name)


def difference(one: RealSet, other: RealSet) -> RealSet | None:
    """Return the numbers of `one` that are not in `other`; None if their ends are no numbers."""
    left: RealSet | None = one
    for part in other.parts:
        below = Interval(Apply("neg", (Constant("infinity"),)), part.low, False, not part.has_low)
        above = Interval(part.high, Constant("infinity"), not part.has_high, False)
        left = meet(left, RealSet((below, above))) if left is not None else None
    return left if not other.without else None


def equal_sets(gold: RealSet | None, answer: RealSet | None) -> Outcome:
    """Compare two sets by their disjoint parts in order; with letters in their ends, part by part as they are written."""
    if gold is None or answer is None:
        return False
    ours, theirs = canonical(gold), canonical(answer)
    if ours is None or theirs is None:
        if len(gold.parts) != len(answer.parts) or len(gold.without) != len(answer.without):
            return False
        parts = matching(gold.parts, answer.parts, _intervals)
        return all_of([parts, matching(gold.without, answer.without, lambda a, b: numeric.equal_nodes(a, b))])
    if len(ours) != len(theirs):
        return False
    return all_of([_intervals(a, b) for a, b in zip(ours, theirs, strict=True)])


def _intervals(gold: Interval, answer: Interval) -> Outcome:
    if (gold.has_low, gold.has_high) != (answer.has_low, answer.has_high):
        return False
    return all_of([numeric.equal_nodes(gold.low, answer.low), numeric.equal_nodes(gold.high, answer.high)])


def canonical(value: RealSet) -> list[Interval] | None:
    """Disjoint intervals in order, the points taken out; None where an end is no number."""
    ends: list[tuple[float, float, Interval]] = []
    for part in value.parts:
        low, high = _end(part.low), _end(part.high)
        if low is None or high is None:
            return None
        if low > high + 1e-12 or (
            abs(low - high) < 1e-12
            and not (part.has_low and part.has_high)
            and low not in (float("inf"), float("-inf"))
        ):
            return [part]  # an interval from the larger to the smaller end is nothing; it equals itself only
        ends.append((low, high, part))
    ends.sort(key=lambda end: (end[0], not end[2].has_low))
    merged: list[tuple[float, float, Interval]] = []
    for low, high, part in ends:
        if merged:
            last_low, last_high, last = merged[-1]
            touches = abs(low - last_high) <= 1e-12 * max(1.0, abs(low))
            if low < last_high - 1e-12 * max(1.0, abs(low)) or (touches and (part.has_low or last.has_high)):
                if high > last_high or (high == last_high and part.has_high):
                    merged[-1] = (last_low, high, Interval(last.low, part.high, last.has_low, part.has_high))
                continue
        merged.append((low, high, part))
    for point in value.without:
        at = _end(point)
        if at is None:
            return None
        merged = [piece for low, high, part in merged for piece in _without(low, high, part, at, point)]
    return [part for _, _, part in merged]


def _without(low: float, high: float, part: Interval, at: float, point: Node) -> list[tuple[float, float, Interval]]:
    close = 1e-12 * max(1.0, abs(at))
    if abs(at - low) <= close:
        return [] if low == high else [(low, high, Interval(part.low, part.high, False, part.has_high))]
    if abs(at - high) <= close:
        return [(low, high, Interval(part.low, part.high, part.has_low, False))]
    if low < at < high:
        return [
            (low, at, Interval(part.low, point, part.has_low, False)),
            (at, high, Interval(point, part.high, False, part.has_high)),
        ]
    return [(low, high, part)]


def _end(node: Node) -> float | None:
    if node == Constant("infinity"):
        return float("inf")
    if node == Apply("neg", (Constant("infinity"),)):
        return float("-inf")
    return numeric.magnitude(node)
