"""Expressions compared by their values: exact numbers, decimals with their tolerance, and formulas at several places."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .evaluate import NoValue, PlaceValues, Undefined, context, exact, has_decimals, letters, nodes
from .places import Place, places
from .types import Apply, Constant, Node, Number

_NEEDED = 2  # places at which two expressions of letters must agree
_NEEDED_SPECIAL = 4  # of them where only chosen ones are tried
_MIN_DIGITS = 6  # of a decimal that stands for a value which no decimal is
MAX_NODES = 400
_MORE_DIGITS = (140, 320)
_CLEAR_DIGITS, _MOST_DIGITS = 25, 300  # of values that are compared digit by digit


def equal_nodes(gold: Node, answer: Node, whole: frozenset[str] = frozenset()) -> bool | None:
    """Return True or False; None where values cannot tell. `whole`: letters that are said to be whole numbers."""
    if gold == answer:
        return True
    ours, theirs = exact(gold), exact(answer)
    if ours is not None and theirs is not None:
        return _equal_exact(ours, theirs, gold, answer)
    if infinite(gold) or infinite(answer):
        return infinite(gold) == infinite(answer) if infinite(gold) and infinite(answer) else False
    found = _at_places(gold, answer, whole)
    if found is False and (_has_plain_log(gold) or _has_plain_log(answer)):
        return _at_places(_to_base_ten(gold), _to_base_ten(answer), whole)
    return found


def _has_plain_log(node: Node) -> bool:
    return any(isinstance(part, Apply) and part.name == "log" for part in nodes(node))


def _to_base_ten(node: Node) -> Node:
    r"""`\log` without a base read as the decimal logarithm: both are usual."""
    if isinstance(node, Apply):
        return Apply("lg" if node.name == "log" else node.name, tuple(_to_base_ten(arg) for arg in node.args))
    return node


def infinite(node: Node) -> int:
    """1 for infinity, -1 for minus infinity, 0 for anything else."""
    if node == Constant("infinity"):
        return 1
    return -1 if node == Apply("neg", (Constant("infinity"),)) else 0


def literal(node: Node) -> Number | None:
    """The decimal that a node is, None for anything else."""
    if isinstance(node, Apply) and node.name in ("neg", "paren") and isinstance(inner := node.args[0], Number):
        node = Number(-inner.value if node.name == "neg" else inner.value, inner.places, inner.digits)
    return node if isinstance(node, Number) and node.places else None


def _equal_exact(gold: Fraction, answer: Fraction, gold_node: Node, answer_node: Node) -> bool:
    if gold == answer:
        return True
    decimals = has_decimals(gold_node), has_decimals(answer_node)
    if not any(decimals):
        return False
    difference = abs(gold - answer)
    if difference * 10**6 <= min(Fraction(1), abs(gold)) * Fraction(10001, 10000):
        return True
    for node, other, other_decimals in ((gold_node, answer, decimals[1]), (answer_node, gold, decimals[0])):
        written = literal(node)
        if written is not None and not other_decimals and _is_periodic(other) and _rounds(written, difference):
            return True
    return False


def _is_periodic(value: Fraction) -> bool:
    """Return True if no finite decimal is this value."""
    below = value.denominator
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    return below != 1


def _rounds(literal: Number, difference: Any) -> bool:
    """Return True if a decimal of enough digits is off by less than one in its last place."""
    if literal.digits < _MIN_DIGITS or literal.places is None:
        return False
    exponent = 0
    if literal.value.numerator:
        whole = abs(literal.value)
        exponent = len(str(int(whole))) if whole >= 1 else 0
    last = (
        Fraction(1, 10**literal.places) if exponent <= literal.digits else Fraction(10) ** (exponent - literal.digits)
    )
    return bool(
        difference <= (last if isinstance(difference, Fraction) else context().mpf(last.numerator) / last.denominator)
    )


def _at_places(gold: Node, answer: Node, whole: frozenset[str]) -> bool | None:
    if sum(1 for _ in nodes(gold)) > MAX_NODES or sum(1 for _ in nodes(answer)) > MAX_NODES:
        return None
    tried = places(gold, answer, whole)
    has_letters = len(tried) > 1
    with_decimals = has_decimals(gold) or has_decimals(answer)
    agreed, is_opaque = 0, False
    for place in tried:
        try:
            pair = _pair(gold, answer, place)
        except Undefined:
            if place.is_special:
                continue
            return False
        if pair is None:
            continue
        ours, theirs, scale, opaque = pair
        is_opaque |= opaque
        if place.is_real and not _are_real(ours, theirs):
            continue
        is_same = _exactly(gold, answer, place, ours, theirs, scale)
        if is_same is None and place.is_special:
            continue
        if is_same is None:
            return None
        if not is_same and not (with_decimals and _nearly(ours, theirs, gold, answer, has_letters)):
            return None if is_opaque else False
        agreed += 1
    needed = _NEEDED_SPECIAL if tried[0].is_special else _NEEDED if has_letters else 1
    return True if agreed >= needed else None


def _are_real(*values: Any) -> bool:
    return all(context().im(value) == 0 for value in values)


def _pair(gold: Node, answer: Node, place: Place) -> tuple[Any, Any, Any, bool] | None:
    """Both values at one place, the largest value on the way, and whether a part of them is opaque.

    Raises: Undefined where one of them divides by zero and the other has a value.
    """
    evaluations = PlaceValues(place.index, place.values), PlaceValues(place.index, place.values)
    values = []
    for evaluation, node in zip(evaluations, (gold, answer), strict=True):
        try:
            values.append(evaluation.value(node))
        except Undefined:
            continue
        except NoValue:
            return None
    if len(values) == 1:
        raise Undefined
    if not values:
        return None
    first, second = evaluations
    return values[0], values[1], max(first.scale, second.scale), first.is_opaque or second.is_opaque


def _exactly(gold: Node, answer: Node, place: Place, ours: Any, theirs: Any, scale: Any) -> bool | None:
    """Return True if two values are the same; more digits are asked for where most of them cancelled out."""
    mp = context()
    for digits in _MORE_DIGITS:
        difference, size = abs(ours - theirs), max(abs(ours), abs(theirs))
        if (
            place.is_whole
            and difference <= size * mp.mpf(10) ** -_CLEAR_DIGITS
            and 10**_CLEAR_DIGITS < size < mp.mpf(10) ** _MOST_DIGITS
        ):
            return _to_the_last_digit(gold, answer, place)
        if size >= scale * mp.mpf(10) ** -25:
            return bool(difference <= size * mp.mpf(10) ** -30)
        if size == 0:
            return True
        try:
            with mp.workdps(digits):
                pair = _pair(gold, answer, place)
        except Undefined:
            return None
        if pair is None:
            return None
        before, (ours, theirs, scale, _) = size, pair
        size = max(abs(ours), abs(theirs))
        if size <= before * mp.mpf(10) ** -10:  # it was nothing but rounding: with more digits there is less of it
            return True
        if size > scale * mp.mpf(10) ** (30 - digits) or abs(size - before) <= before * mp.mpf(10) ** -20:
            return bool(abs(ours - theirs) <= size * mp.mpf(10) ** -30)
    return None


def _to_the_last_digit(gold: Node, answer: Node, place: Place) -> bool | None:
    """Return True if two large values at whole numbers are the same in all their digits."""
    mp = context()
    try:
        with mp.workdps(_MORE_DIGITS[-1]):
            pair = _pair(gold, answer, place)
            return None if pair is None else bool(abs(pair[0] - pair[1]) <= pair[2] * mp.mpf(10) ** -_MOST_DIGITS)
    except Undefined:
        return None


def _nearly(ours: Any, theirs: Any, gold: Node, answer: Node, has_letters: bool) -> bool:
    """Return True if values are the same within the precision of a decimal."""
    mp = context()
    difference = abs(ours - theirs)
    if has_letters:
        return bool(difference <= max(abs(ours), abs(theirs)) * mp.mpf("1e-6"))
    if difference <= min(mp.mpf(1), abs(ours)) * mp.mpf("1.0001e-6"):
        return True
    for node, other in ((gold, answer), (answer, gold)):
        written = literal(node)
        if written is not None and not has_decimals(other) and _rounds(written, difference):
            return True
    return False


def ratio_of(gold: Node, answer: Node) -> Any | None:
    """The constant by which `answer` is `gold` at every place; None where there is none. Raises: NoValue where values cannot tell."""
    found: list[Any] = []
    for place in places(gold, answer):
        try:
            pair = _pair(gold, answer, place)
        except Undefined:
            if place.is_special:
                continue
            raise
        if pair is None:
            continue
        ours, theirs, _, _ = pair
        zero = context().mpf(10) ** -45
        if place.is_special and (not _are_real(ours, theirs) or max(abs(ours), abs(theirs)) < zero):
            continue
        if min(abs(ours), abs(theirs)) < zero:
            return None
        found.append(theirs / ours)
    if len(found) < 2:
        raise NoValue
    mp = context()
    first = found[0]
    return first if all(abs(one - first) <= abs(first) * mp.mpf(10) ** -25 for one in found[1:]) else None


def magnitude(node: Node) -> float | None:
    """The value of a constant as a float; None where it has none."""
    value = exact(node)
    if value is not None:
        try:
            return float(value)
        except OverflowError:
            return None
    if letters(node):
        return None
    try:
        found = PlaceValues(0).value(node)
    except NoValue:
        return None
    return float(context().re(found)) if abs(found) < 1e300 else None


def rounds_to(value: Node, rounded: Number, may_be_cut: bool = False) -> bool:
    """Return True if a value rounds to a decimal at the places in which that is written. `may_be_cut`: or is cut off there."""
    places = rounded.places or 0
    size = rounded.value
    if not rounded.places and size and size % 10 == 0 and rounded.digits:
        zeros = len(str(abs(int(size)))) - len(str(abs(int(size))).rstrip("0"))
        places = -zeros  # 12,000 may be rounded to thousands
    last = Fraction(1, 10**places) if places >= 0 else Fraction(10**-places)
    ours = exact(value)
    if ours is None:
        found = magnitude(value)
        if found is None:
            return False
        ours = Fraction(found)
    difference = abs(ours - size)
    if difference <= last / 2 * Fraction(101, 100):
        return True
    return may_be_cut and difference < last and abs(size) < abs(ours)
