"""One comparison for each type of answer. All give True, False, or None where only algebra can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from . import numeric
from .congruences import equal_congruences
from .domains import declared, domains_agree, restricted, runs_through_integers, unknown_sets, whole_letters
from .evaluate import NoValue, counted, exact, letters, nodes, replaced
from .meaning import FLIPPED, REALS, as_real_set, may_be_named, meaning, says_again
from .parameters import with_arguments_of
from .piecewise import equal_cases
from .real_sets import Outcome, all_of, canonical, equal_sets, matching
from .relations import between_letters, without_bars
from .types import (
    Apply,
    Approximate,
    Based,
    Bracketed,
    Choice,
    Clock,
    CompositeQuantity,
    Conditioned,
    Constant,
    Date,
    Matrix,
    NamedValue,
    Node,
    Number,
    Piecewise,
    Prose,
    Quantity,
    Ratio,
    RealSet,
    Relation,
    SetBuilder,
    Several,
    Symbol,
    Value,
    Words,
)
from .units import PARTS, differ, factors
from .vectors import as_vectors

_MAX_ITEMS = 40
_DOUBTS = frozenset(
    [
        "or",
        "not",
        "maybe",
        "possibly",
        "perhaps",
        "either",
        "isn't",
        "isnt",
        "cannot",
        "except",
        "wrong",
        "incorrect",
        "between",
        "but",
        "unless",
        "might",
        "could",
        "guess",
        "otherwise",
        "else",
        "less",
        "more",
        "greater",
        "fewer",
        "smaller",
        "larger",
        "least",
        "most",
        "above",
        "below",
        "under",
        "over",
        "exceed",
        "exceeds",
        "multiple",
        "multiples",
        "factor",
        "divisor",
        "squared",
        "cubed",
        "square",
        "root",
        "half",
        "twice",
        "double",
        "triple",
        "minus",
        "negative",
        "plus",
        "times",
        "inverse",
        "reciprocal",
        "opposite",
    ]
)
_DOUBTED = re.compile("不|非|没|或|除了|大于|小于|超过|以上|以下|多于|少于|倍")
_ASKS_FOR_RATIO = re.compile(r"\bratios?\b", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\(([^()]{1,60})\)")
_ASKED = r"(?i:find|determine|compute|evaluate|value of|what is|solve for|求)\s*\$?{}\$?(?=\s*[.,?;。，？]|\s*\Z)"
_ORDER = {"<", ">", "<=", ">="}
_FLIPPED = {**FLIPPED, "=": "=", "!=": "!="}
_INFINITE = {
    1: {"infinity", "infinite", "positive infinity", "plus infinity"},
    -1: {"negative infinity", "minus infinity"},
}
_NOTHING_THERE = {"no solution", "no solutions", "no real solution", "no real solutions", "none", "empty set", "the empty set", "does not exist", "dne", "undefined"}  # fmt: skip


class Unsaid:
    """The result of comparing by the gold's type if the answer's type decides instead."""


UNSAID = Unsaid()


def agree(one: Value, other: Value) -> Outcome:
    """Return True if two values of one text say the same."""
    return same(one, other)


def magnitude(value: Value) -> float | None:
    """The size of a value, of its number where it has a unit."""
    if isinstance(value, Quantity):
        value = value.value
    if isinstance(value, Approximate):
        return magnitude(value.value)
    return numeric.magnitude(value) if isinstance(value, Node) else None


def same(gold: Value, answer: Value, problem: str = "") -> Outcome:
    """Return True if `answer` means the same as `gold`, False if not, None if only algebra can tell."""
    if gold == answer:
        return True
    if (congruent := equal_congruences(gold, answer)) is not None:
        return congruent
    if (vectors := as_vectors(gold, answer)) is not None:
        gold, answer = vectors
    if isinstance(gold, Several) and len(gold.items) == 1 and not gold.is_set:
        return same(gold.items[0], answer, problem)
    if (
        isinstance(answer, Several)
        and len(answer.items) == 1
        and not (answer.is_set and (isinstance(gold, RealSet) or _is_set(answer.items[0])))
    ):
        return same(gold, answer.items[0], problem)
    for kind, compare in _BY_GOLD:
        if isinstance(gold, kind):
            outcome: Outcome | Unsaid = compare(gold, answer, problem)
            if not isinstance(outcome, Unsaid):
                return outcome
            break
    for kind, compare in _BY_ANSWER:
        if isinstance(answer, kind):
            found: Outcome = compare(gold, answer, problem)
            return found
    if isinstance(gold, Node) and isinstance(answer, Node):
        return _nodes(gold, answer)
    return False


def _is_set(value: Value) -> bool:
    """Return True for a set in braces: the set that holds it is another one."""
    return value == Constant("empty") or (isinstance(value, Several) and value.is_set)


# conditions, approximations, names


def _conditioned(gold: Conditioned, answer: Value, problem: str) -> Outcome:
    theirs = answer.value if isinstance(answer, Conditioned) else answer
    if isinstance(answer, RealSet) and not isinstance(gold.value, RealSet | Bracketed):
        return False
    if not _has_its_equations(gold, answer):
        return False
    found = same(gold.value, theirs, problem)
    if found is False and isinstance(gold.value, Node) and isinstance(theirs, Node):
        found = numeric.equal_nodes(gold.value, theirs, whole_letters(gold.conditions))
    if found is False and not _is_sequence(gold.value) and (name := _integer_letter(gold, answer)):
        found = _families(gold.value, theirs, name)
    if found is False or not isinstance(answer, Conditioned):
        return found
    if whole_letters(gold.conditions) and _restricts_itself(answer) and not _restricts_itself(gold):
        return False
    return found if _conditions_agree(gold.conditions, answer.conditions) else False


def _has_its_equations(gold: Conditioned, answer: Value) -> bool:
    """Return True if every equation among the conditions of `gold` is one of `answer`: it is a part of the answer."""
    theirs = answer.conditions if isinstance(answer, Conditioned) else ()
    wanted = [
        one
        for one in gold.conditions
        if isinstance(one, NamedValue) or (isinstance(one, Relation) and one.signs == ("=",))
    ]
    return all(any(same(one, other) is True for other in theirs) for one in wanted)


def _integer_letter(gold: Conditioned, answer: Value) -> str:
    """The letter that stands for any integer in a gold answer, unless the answer restricts it; "" where there is none."""
    theirs = answer.conditions if isinstance(answer, Conditioned) else ()
    for one in (*gold.conditions, *theirs):
        name = declared(one)
        same_letter = [other for other in (*gold.conditions, *theirs) if name and name in letters_of(other)]
        if name and name in letters(gold.value) and all(map(runs_through_integers, same_letter)):
            return name
    return ""


def _is_sequence(value: Value) -> bool:
    """Return True for `a_n = 2n`, whose index counts the terms and runs through nothing."""
    return isinstance(value, NamedValue) and "_" in value.name and isinstance(value.left, Symbol)


def _families(gold: Value, answer: Value, name: str) -> Outcome:
    """Compare all values that a letter gives which runs through the integers, item by item."""
    return matching(_pieces(gold), _pieces(answer), lambda one, other: _shifted(one, other, name))


def _bare(value: Value) -> Value:
    return value.value if isinstance(value, NamedValue) else value


def _pieces(value: Value) -> Sequence[Value]:
    if isinstance(value, NamedValue):
        return _pieces(value.value)
    if isinstance(value, Several):
        return [piece for item in value.items for piece in _pieces(item)]
    if isinstance(value, RealSet) and not value.without:
        return [RealSet((part,)) for part in value.parts]
    return [value.value if isinstance(value, Quantity) else value]


def _shifted(gold: Value, answer: Value, name: str) -> bool:
    """Return True if both run through the same values as `name` runs through the integers: `2k + 1` and `2k - 1`."""
    if isinstance(gold, RealSet) or isinstance(answer, RealSet):
        gold, answer = as_real_set(gold) or gold, as_real_set(answer) or answer
    (ours, shape), (theirs, other_shape) = _numbers(gold), _numbers(answer)
    if shape != other_shape or not ours or len(ours) != len(theirs) or (letters(gold) | letters(answer)) != {name}:
        return False
    steps, starts = [], []
    for nodes_there in (ours, theirs):
        at = [[numeric.magnitude(replaced(node, name, Number(Fraction(k)))) for node in nodes_there] for k in (0, 1, 2)]
        if any(value is None for row in at for value in row):
            return False
        first, second, third = at
        step = [b - a for a, b in zip(first, second, strict=True)]  # type: ignore[operator]
        if any(abs(c - b - s) >= 1e-9 for b, c, s in zip(second, third, step, strict=True)):  # type: ignore[operator]
            return False
        steps.append(step)
        starts.append(first)
    if not any(all(abs(a - sign * b) < 1e-9 for a, b in zip(*steps, strict=True)) for sign in (1, -1)):
        return False
    longest = max(steps[0], key=abs)
    if abs(longest) < 1e-12:
        return False
    at_longest = steps[0].index(longest)
    turns = round((starts[0][at_longest] - starts[1][at_longest]) / longest)  # type: ignore[operator]
    return all(abs(a - b - turns * s) < 1e-9 for a, b, s in zip(*starts, steps[0], strict=True))


def _numbers(value: Value) -> tuple[tuple[Node, ...], object]:
    """The numbers of an interval, a point or a plain number, and what surrounds them."""
    if isinstance(value, RealSet) and len(value.parts) == 1:
        part = value.parts[0]
        return (part.low, part.high), (part.has_low, part.has_high)
    if isinstance(value, Bracketed) and all(isinstance(item, Node) for item in value.items):
        return tuple(item for item in value.items if isinstance(item, Node)), (value.opening, value.closing)
    return ((value,), None) if isinstance(value, Node) else ((), None)


def _conditions_agree(ours: Sequence[Value], theirs: Sequence[Value]) -> bool:
    """Return False if both restrict the same letters, and not in the same way."""
    for one in ours:
        if not isinstance(one, Relation) or not set(one.signs) <= _ORDER:
            continue
        rivals = [other for other in theirs if _restricts(other) and letters_of(other) == letters_of(one)]
        if rivals and all(same(one, other) is False for other in rivals):
            return False
    names = {name for one in ours if (name := restricted(one))}
    return all(domains_agree(name, ours, theirs) for name in names) and _unknown_sets_agree(ours, theirs)


def _unknown_sets_agree(ours: Sequence[Value], theirs: Sequence[Value]) -> bool:
    """Return True if sets that are not understood are the same, for every letter that both restrict."""
    first, second = (frozenset().union(*map(letters_of, conditions)) for conditions in (ours, theirs))
    both = first & second
    return matching(unknown_sets(ours, both), unknown_sets(theirs, both), same) is True


def _restricts_itself(value: Conditioned) -> bool:
    r"""Return True if a condition restricts the values themselves: `x = k\pi, x > 0`."""
    name = value.value.name if isinstance(value.value, NamedValue) else ""
    return any(
        isinstance(one, RealSet) and one.name == name and not _is_all(one) or isinstance(one, NamedValue)
        for one in value.conditions
        if name and name in letters_of(one)
    )


def _restricts(value: Value) -> bool:
    return isinstance(value, RealSet) or (isinstance(value, Relation) and set(value.signs) <= _ORDER)


def letters_of(value: Value) -> frozenset[str]:
    """The letters of a condition, the name of a value and of an interval's variable among them."""
    return letters(value) | ({value.name} if isinstance(value, RealSet | NamedValue) and value.name else set())


def _approximate(gold: Approximate, answer: Value, problem: str) -> Outcome:
    if isinstance(answer, NamedValue):
        answer = answer.value
    if isinstance(answer, Approximate):
        if gold.exact is not None and answer.exact is not None and same(gold.exact, answer.exact) is False:
            return False
        if (found := same(gold.value, answer.value, problem)) is True:
            return True
        answer = answer.exact or answer.value
    if gold.exact is not None and same(gold.exact, answer, problem):
        return True
    found = same(gold.value, answer, problem)
    if found is True:
        return True
    ours, theirs = gold.value, answer
    if isinstance(ours, Quantity):
        if isinstance(theirs, Quantity):
            if differ(ours.unit, theirs.unit):
                return False
            theirs = theirs.value
        ours = ours.value
    elif isinstance(theirs, Quantity):
        theirs = theirs.value
    if isinstance(ours, Number) and isinstance(theirs, Node) and not letters(theirs):
        places = _places(theirs)
        if places is None or places >= (ours.places or 0):
            return numeric.rounds_to(theirs, ours)
    return found


def _places(node: Node) -> int | None:
    """Decimal places of a decimal; None for an exact value."""
    if isinstance(node, Number):
        return node.places if node.places is not None else (0 if node.value.denominator == 1 else None)
    return None


def _point_names(value: Value) -> tuple[str, ...]:
    """The letters of a left side such as `(x, y)`; none of any other value."""
    left = value.left if isinstance(value, NamedValue) else None
    items = left.items if isinstance(left, Bracketed) else ()
    names = tuple(item.name for item in items if isinstance(item, Symbol))
    return names if len(names) == len(items) > 1 else ()


def _coordinates(value: Value, order: Sequence[str]) -> Value | None:
    """`(y, x) = (2, 1)`, or `x = 1, y = 2`, as the point of the letters in that order; None where it has other letters.

    A value without names is returned as it is.
    """
    if isinstance(value, NamedValue) and (names := _point_names(value)):
        return _reordered(value.value, names, order) if sorted(names) == sorted(order) else None
    items = value.items if isinstance(value, Several) else ()
    named = {item.name: item.value for item in items if isinstance(item, NamedValue)}
    if not named:
        return value
    if len(named) != len(items) or sorted(named) != sorted(order) or value.is_choice:  # type: ignore[union-attr]
        return None
    return Bracketed("(", ")", tuple(named[name] for name in order))


def _reordered(value: Value, names: Sequence[str], order: Sequence[str]) -> Value:
    if isinstance(value, Several):
        return Several(tuple(_reordered(item, names, order) for item in value.items), value.is_set)
    if isinstance(value, Bracketed) and len(value.items) == len(names):
        return Bracketed(value.opening, value.closing, tuple(value.items[names.index(name)] for name in order))
    return value


def _order_in(problem: str, names: Sequence[str]) -> Sequence[str]:
    """The letters in the order of the point that a problem asks for, or of the axes; else in their own order."""
    for inside in _IN_BRACKETS.findall(problem[:20_000]):
        order = [name.strip("\\ ") for name in inside.removesuffix("\\right").split(",")]
        if sorted(order) == sorted(names):
            return order
    return sorted(names) if set(names) <= set("xyz") else names


def _named_point(gold: NamedValue, answer: Value, problem: str) -> Outcome:
    """Compare with a gold answer such as `(x, y) = (1, 2)`, coordinate by coordinate."""
    from .problems import letters_in

    order, theirs = _point_names(gold), _point_names(answer)
    if theirs and set(theirs) <= letters_in(problem) and not set(order) <= letters_in(problem):
        order = tuple(_order_in(problem, theirs))
    point = _coordinates(answer, order)
    return point is not None and same(gold.value, point, problem)


def _named(gold: NamedValue, answer: Value, problem: str) -> Outcome | Unsaid:
    if _point_names(gold) and (_point_names(answer) or isinstance(answer, Several)):
        return _named_point(gold, answer, problem)
    is_list = isinstance(gold.value, Several) and not gold.value.is_set and isinstance(gold.left, Symbol)
    if is_list and isinstance(answer, Several) and not _are_of_one_letter(answer, gold.name):
        return False
    if isinstance(answer, Apply) and (count := _count(gold)) is not None:
        return numeric.equal_nodes(count, answer)
    if isinstance(answer, NamedValue):
        if gold.name != answer.name and isinstance(gold.left, Symbol) and isinstance(answer.left, Symbol):
            return _as_equations(gold, answer) or False
        if (
            gold.name != answer.name
            and isinstance(gold.left, Apply)
            and isinstance(answer.left, Apply)
            and gold.left.name == answer.left.name
        ):
            if gold.left.name in ("cap", "cup"):
                return False if letters(gold.left) != letters(answer.left) else same(gold.value, answer.value, problem)
            named_numbers = any(isinstance(part, Number) for left in (gold.left, answer.left) for part in nodes(left))
            if gold.left.name != "call" or named_numbers:
                return False
        if {"cap", "cup", "setminus"} >= {_operation(gold), _operation(answer)} and _operation(gold) != _operation(
            answer
        ):
            return False
        theirs = with_arguments_of(gold, answer)
        return theirs is not None and same(gold.value, theirs.value, problem)
    if isinstance(answer, Relation):
        if set(answer.signs) <= {"=", "~"} and isinstance(answer.sides[0], Node):
            if _solves(gold, answer):
                return True
            if len(answer.sides) == 2 and _is_call(answer.sides[0], gold, problem):
                return same(gold.value, _right_side(answer), problem)
        return False
    if isinstance(answer, Prose | Conditioned | Choice):
        return UNSAID
    if isinstance(answer, RealSet) and answer.name and not isinstance(gold.value, RealSet):
        return False
    return same(gold.value, answer, problem)


def _are_of_one_letter(several: Several, name: str) -> bool:
    """Return True if all letters on left sides are `name`, or this letter with numbers: `x_1 = 1, x_2 = 2`."""
    names = [item.name for item in several.items if isinstance(item, NamedValue) and isinstance(item.left, Symbol)]
    return all(one == name or one.partition("_")[0] == name for one in names)


def _operation(named: NamedValue) -> str:
    return named.left.name if isinstance(named.left, Apply) else ""


def _solves(gold: NamedValue, answer: Relation) -> bool:
    """Return True if an equation is `gold` in another form, as `y - 2x = 1` is `y = 2x + 1`. A restated number is not."""
    if not isinstance(gold.value, Node) or not isinstance(gold.left, Node) or not letters(gold.value):
        return False
    return _as_equations(gold, answer) is True


def _as_equations(gold: Value, answer: Value) -> Outcome:
    ours, theirs = _difference(gold), _difference(answer)
    if ours is None or theirs is None or letters(ours) != letters(theirs):
        return False
    if not letters(ours):  # statements about numbers are the same where their sides are
        sides = [value.sides if isinstance(value, Relation) else () for value in (gold, answer)]
        return len(sides[0]) == len(sides[1]) and all_of([same(a, b) for a, b in zip(*sides, strict=True)])
    if (
        isinstance(gold, NamedValue)
        and isinstance(answer, NamedValue)
        and not (isinstance(gold.value, Node) and letters(gold.value))
    ):
        return False
    try:
        if numeric.ratio_of(ours, theirs) is not None:
            return True
    except NoValue:
        return None
    for one, other in ((gold, theirs), (answer, ours)):
        if (
            isinstance(one, NamedValue)
            and isinstance(one.left, Symbol)
            and isinstance(one.value, Node)
            and one.left.name not in letters(one.value)
        ) and _is_zero_and_straight(other, one.left.name, one.value):
            return True
    return False


def _is_zero_and_straight(difference: Node, name: str, value: Node) -> bool:
    """Return True if `difference` is zero where the letter has that value, and linear in the letter."""
    zero = Number(Fraction(0))
    at_value = replaced(difference, name, value)
    if numeric.equal_nodes(zero, at_value) is not True:
        return False
    shifts = [replaced(difference, name, Apply("add", (value, Number(Fraction(k))))) for k in (1, 2)]
    return (
        numeric.equal_nodes(Apply("mul", (Number(Fraction(2)), shifts[0])), shifts[1]) is True
        and numeric.equal_nodes(zero, shifts[0]) is False
    )


def _difference(value: Value) -> Node | None:
    """The left side minus the right one."""
    if isinstance(value, NamedValue) and isinstance(value.left, Node) and isinstance(value.value, Node):
        return Apply("add", (value.left, Apply("neg", (value.value,))))
    if isinstance(value, Relation) and len(value.sides) == 2 and all(isinstance(side, Node) for side in value.sides):
        left, right = value.sides
        return Apply("add", (left, Apply("neg", (right,))))  # type: ignore[arg-type]
    return None


# relations


def _relation(gold: Relation, answer: Value, problem: str) -> Outcome | Unsaid:
    if gold.signs == ("=",):
        if isinstance(answer, Relation | NamedValue) and (isinstance(answer, NamedValue) or answer.signs == ("=",)):
            return _as_equations(gold, answer)
        return UNSAID if isinstance(answer, Prose | Conditioned) else False
    if isinstance(answer, Relation):
        if len(gold.sides) == len(answer.sides):
            for signs, sides in ((answer.signs, answer.sides), _reversed(answer)):
                if signs == gold.signs:
                    found = all_of([same(one, other) for one, other in zip(gold.sides, sides, strict=True)])
                    if found is not False:
                        return found
        if len(gold.sides) == len(answer.sides) == 2 and gold.signs[0] in _ORDER and answer.signs[0] in _ORDER:
            return _inequalities(gold, answer)
        if len(gold.sides) == len(answer.sides) == 2 and gold.signs == answer.signs == ("!=",):
            return _as_equations(gold, answer)
        return False
    if (numbers := without_bars(gold)) is not None and isinstance(answer, RealSet | Bracketed | Several):
        return _real_set(numbers, answer, problem)
    if isinstance(answer, RealSet):
        return _between_letters(gold, answer, problem)
    return UNSAID if isinstance(answer, Prose | Conditioned) else False


def _between_letters(gold: Value, answer: Value, problem: str) -> Outcome:
    """Compare inequalities between letters, as `a >= b` and `b <= a`."""
    ours, theirs = between_letters(gold), between_letters(answer)
    if ours is None or theirs is None or _is_posed(answer, problem):
        return False
    return _inequalities(ours, theirs)


def _is_posed(answer: Value, problem: str) -> bool:
    """Return True if the problem itself states an answer or a multiple of it: repeating that solves nothing."""
    from .problems import posed

    return any(same(meaning(one), answer) for one in posed(problem))


def _solved(answer: Relation, problem: str) -> RealSet | None:
    """The numbers for which an inequality with bars holds; None where the problem may state it."""
    from .problems import may_pose_bars

    numbers = without_bars(answer) if problem and not may_pose_bars(problem) else None
    return None if numbers is None or _is_posed(answer, problem) else numbers


def _reversed(relation: Relation) -> tuple[tuple[str, ...], tuple[Value, ...]]:
    return tuple(_FLIPPED.get(sign, sign + "!") for sign in reversed(relation.signs)), tuple(reversed(relation.sides))


def _inequalities(gold: Relation, answer: Relation) -> Outcome:
    ours, theirs = _difference(gold), _difference(answer)
    if ours is None or theirs is None:
        return False
    try:
        ratio = numeric.ratio_of(ours, theirs)
    except NoValue:
        return None
    if ratio is None or getattr(ratio, "imag", 0) != 0:
        return False
    sign = answer.signs[0] if ratio.real > 0 else _FLIPPED[answer.signs[0]]
    return sign == gold.signs[0]


def _right_side(answer: Relation) -> Value:
    return meaning(answer.sides[-1])


def _is_call(left: Value, gold: Value, problem: str) -> bool:
    """Return True if a left side only names the value: it is made of letters alone, or stands in the problem."""
    return may_be_named(left)


def _answered_by_relation(gold: Value, answer: Relation, problem: str) -> Outcome:
    if set(answer.signs) <= {"=", "~"}:
        *lefts, right = answer.sides
        if len(lefts) == 1 and (_is_call(lefts[0], gold, problem) or _stands_in(problem, lefts[0])):
            value = meaning(right)
            return same(gold, value, problem) if not isinstance(value, NamedValue | Relation) else False
        if len(lefts) > 1 and _is_call(lefts[0], gold, problem):
            rest = meaning(Relation(answer.sides[1:], answer.signs[1:]))
            return same(gold, rest, problem) if not isinstance(rest, Relation) else False
    return False


def _stands_in(problem: str, left: Value) -> bool:
    """Return True if the problem asks for this left side, as `Find 2x + y`."""
    if not problem or not isinstance(left, Node) or not letters(left):
        return False
    from .problems import asked_for

    return any(asked == left for asked in asked_for(problem))


# numbers with units


def _quantity(gold: Quantity, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Quantity):
        if "%" in (gold.unit, answer.unit):
            return _percent(gold, answer)
        if differ(gold.unit, answer.unit):
            return False
        return same(gold.value, answer.value, problem)
    if isinstance(answer, Node):
        if gold.unit == "%":
            return _percent(gold, Quantity(answer, ""))
        return same(gold.value, answer, problem)
    if isinstance(answer, CompositeQuantity):
        return _parts(answer, gold)
    return UNSAID


def _percent(gold: Quantity, answer: Quantity) -> Outcome:
    if gold.unit == answer.unit:
        return same(gold.value, answer.value)
    if gold.unit and answer.unit:
        return False
    hundredth = Number(Fraction(1, 100))
    ours, theirs = gold.value, answer.value
    if (found := same(ours, theirs)) is not False:
        return found
    if gold.unit:
        return same(meaning(Apply("mul", (ours, hundredth))), theirs)
    return same(ours, meaning(Apply("mul", (theirs, hundredth))))


def _total(value: CompositeQuantity) -> tuple[str, Fraction] | None:
    families = {PARTS.get(part.unit, ("", 0))[0] for part in value.parts}
    if len(families) != 1 or "" in families:
        return None
    total = Fraction(0)
    for part in value.parts:
        amount = exact(part.value)
        if amount is None:
            return None
        total += amount * PARTS[part.unit][1]
    return families.pop(), total


def _composite(gold: CompositeQuantity, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, CompositeQuantity):
        ours, theirs = _total(gold), _total(answer)
        if ours is not None and theirs is not None:
            return ours == theirs
        return len(gold.parts) == len(answer.parts) and all_of(
            [same(a, b) for a, b in zip(gold.parts, answer.parts, strict=True)]
        )
    if isinstance(answer, Quantity):
        return _parts(gold, answer)
    return UNSAID if isinstance(answer, Prose | Conditioned | NamedValue | Approximate) else False


def _parts(composite: CompositeQuantity, quantity: Quantity) -> Outcome:
    """A quantity of several units against one in a single unit that is one of them."""
    total = _total(composite)
    if total is None or quantity.unit not in {part.unit for part in composite.parts}:
        return False
    return numeric.equal_nodes(Number(total[1] / PARTS[quantity.unit][1]), quantity.value)


def _product(quantity: Quantity) -> Node | None:
    """A quantity as `5 m/s` reads where letters are letters; None for a unit that is not known."""
    product = quantity.value
    for symbol, power in (factors(quantity.unit) or {}).items():
        for letter in symbol:
            product = Apply("mul", (product, Apply("pow", (Symbol(letter), Number(Fraction(power))))))
    return None if product == quantity.value else product


def _node(gold: Node, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Quantity):
        if answer.unit == "%":
            return _percent(Quantity(gold, ""), answer)
        if letters(gold) and (product := _product(answer)) is not None:
            return numeric.equal_nodes(gold, product)
        return same(gold, answer.value, problem)
    if isinstance(answer, CompositeQuantity):
        total = _total(answer)
        if total is None:
            return False
        units = [PARTS[part.unit][1] for part in answer.parts]
        return any(numeric.equal_nodes(gold, Number(total[1] / unit)) for unit in (max(units), min(units)))
    if isinstance(answer, Ratio) and not answer.is_clock and len(answer.terms) == 2:
        return numeric.equal_nodes(gold, Apply("div", answer.terms))
    if isinstance(answer, Based):
        return answer.base == 10 and numeric.equal_nodes(gold, Number(Fraction(answer.digits))) is True
    if isinstance(answer, Relation) and isinstance(gold, Bracketed):
        answer = _solved(answer, problem) or answer
    if isinstance(answer, RealSet) and isinstance(gold, Bracketed):
        ours = as_real_set(gold)
        return equal_sets(ours, answer) if ours is not None else False
    if isinstance(answer, Several) and isinstance(gold, Bracketed):
        return _point_by_names(gold, answer, problem)
    if isinstance(answer, Several) and gold == Constant("empty"):
        return answer.is_set and not answer.items
    if isinstance(answer, Words):
        if (infinite := numeric.infinite(gold)) != 0:
            return answer.text in _INFINITE[infinite]
        return gold == Constant("empty") and answer.text in _NOTHING_THERE
    if isinstance(answer, RealSet) and gold == Constant("empty"):
        return False
    if isinstance(answer, Choice) and answer.content is not None:
        return same(gold, answer.content, problem)
    if isinstance(answer, Choice):
        return isinstance(gold, Symbol) and gold.name == answer.letters
    return UNSAID


def _based(gold: Based, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Based):
        return answer == gold
    if isinstance(answer, NamedValue):
        return same(gold, answer.value)
    if isinstance(answer, Node) and gold.digits.lstrip("-").isdigit():
        return exact(answer) == Fraction(gold.digits)
    return UNSAID if isinstance(answer, Prose) else False


def _ratio(gold: Ratio, answer: Value, problem: str) -> Outcome | Unsaid:
    is_time = gold.is_clock and not _ASKS_FOR_RATIO.search(problem)
    if isinstance(answer, Ratio):
        if len(gold.terms) != len(answer.terms):
            return False
        found = all_of([same(a, b) for a, b in zip(gold.terms, answer.terms, strict=True)])
        if found is not False or is_time:
            return found
        return all_of([_proportional(gold.terms, answer.terms, at) for at in range(1, len(gold.terms))])
    if isinstance(answer, Clock):
        return _clock(answer, gold, problem)
    if isinstance(answer, Quantity) and not gold.is_clock:
        answer = answer.value
    if isinstance(answer, Node) and len(gold.terms) == 2 and exact(gold.terms[1]) != 0:
        return False if is_time else numeric.equal_nodes(Apply("div", gold.terms), answer)
    return UNSAID if isinstance(answer, Prose | NamedValue | Approximate) else False


def _proportional(ours: Sequence[Node], theirs: Sequence[Node], at: int) -> Outcome:
    """Return True if the terms at a place are in the same proportion to the terms in front of them."""
    first, second = (Apply("div", (terms[at - 1], terms[at])) for terms in (ours, theirs))
    return numeric.equal_nodes(first, second)


def _clock(gold: Clock, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Clock):
        times = (gold.hour % 12, gold.minute, gold.second) == (answer.hour % 12, answer.minute, answer.second)
        return times and (gold.half == answer.half or not (gold.half and answer.half))
    if isinstance(answer, Ratio) and answer.is_clock:
        hour, minute, *rest = [int(exact(term) or 0) for term in answer.terms]
        second = rest[0] if rest else 0
        if (minute, second) != (gold.minute, gold.second):
            return False
        if hour > 12 or hour == 0:
            return hour % 24 == gold.hour % 12 + (12 if gold.half == "pm" else 0)
        return hour % 12 == gold.hour % 12
    return UNSAID if isinstance(answer, Prose | NamedValue) else False


def _date(gold: Date, answer: Value, problem: str) -> Outcome | Unsaid:
    if not isinstance(answer, Date):
        return UNSAID if isinstance(answer, Prose | NamedValue) else False
    return (gold.day, gold.month) == (answer.day, answer.month) and (
        gold.year == answer.year or None in (gold.year, answer.year)
    )


# sets of real numbers


def _real_set(gold: RealSet, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, RealSet):
        if gold.name and answer.name and gold.name != answer.name:
            return _between_letters(gold, answer, problem)
        return equal_sets(gold, answer)
    if isinstance(answer, Relation):
        numbers = _solved(answer, problem)
        return _between_letters(gold, answer, problem) if numbers is None else _real_set(gold, numbers, problem)
    if isinstance(answer, NamedValue):
        return same(gold, answer.value, problem)
    if isinstance(answer, Bracketed):
        theirs = as_real_set(answer)
        return equal_sets(gold, theirs) if theirs is not None else False
    if isinstance(answer, Several):
        whole = _union(answer)
        return whole is not None and _real_set(gold, whole, problem)
    if isinstance(answer, Words):
        return answer.text in (
            "all real numbers",
            "all reals",
            "all real",
            "any real number",
            "real numbers",
            "set of all real numbers",
        ) and _is_all(gold)
    if isinstance(answer, Apply) and answer.name in ("cup", "setminus"):
        return False
    return UNSAID if isinstance(answer, Prose | Conditioned) else False


def _union(several: Several) -> RealSet | None:
    """All numbers of several sets. None where more than one of them has a name: they would have been joined."""
    sets = [one for item in several.items if (one := as_real_set(item)) is not None]
    names = [one.name for one in sets if one.name]
    if not sets or len(sets) < len(several.items) or len(names) > 1:
        return None
    parts, without = (
        tuple(part for one in sets for part in one.parts),
        tuple(point for one in sets for point in one.without),
    )
    return RealSet(parts, without, "".join(names))


def _is_all(value: RealSet) -> bool:
    return value.parts == (REALS,) and not value.without


# several answers, points, matrices


def _several(gold: Several, answer: Value, problem: str) -> Outcome | Unsaid:
    if (names := _point_names(answer)) and isinstance(answer, NamedValue):
        if all(isinstance(item, NamedValue) for item in gold.items):
            point = _coordinates(gold, names)
            return point is not None and same(point, answer.value, problem)
        return _answered_by_name(gold, answer, problem)
    if isinstance(answer, NamedValue):
        if isinstance(answer.left, Symbol) and (
            not isinstance(answer.value, Several | SetBuilder) or not _are_of_one_letter(gold, answer.name)
        ):
            return False
        return same(gold, answer.value, problem)
    if isinstance(answer, Several):
        if gold.is_choice != answer.is_choice or not _may_be_called(answer, gold, problem):
            return False
        ours, theirs = _items(gold), _items(answer)
        if gold.is_set or answer.is_set:
            ours, theirs = _distinct(ours), _distinct(theirs)
        if len(ours) != len(theirs):
            return False
        if (numbered := _numbered(ours)) and numbered == _numbered(theirs) and _may_be_numbered(numbered, problem):
            ours, theirs = [_bare(one) for one in ours], [_bare(one) for one in theirs]
        return matching(ours, theirs, lambda a, b: _item(a, b, problem))
    if (
        isinstance(answer, Bracketed)
        and answer.opening == "("
        and all(isinstance(item, NamedValue) for item in gold.items)
    ):
        return _point_by_names(answer, gold, problem)
    if isinstance(answer, Apply) and answer.name == "add":
        return False
    if isinstance(answer, Bracketed) and answer.opening == "[" and not gold.is_set:
        return same(gold, Several(answer.items), problem)
    set_names = {"", *(item.name for item in gold.items if isinstance(item, RealSet))}
    if isinstance(answer, RealSet) and answer.name in set_names and not gold.is_set and len(gold.items) > 1:
        sets = [as_real_set(item) for item in gold.items]
        if all(one is not None for one in sets):
            whole = RealSet(tuple(part for one in sets if one for part in one.parts))
            return equal_sets(whole, answer) if len(canonical(whole) or whole.parts) == len(gold.items) else False
        part = answer.parts[0] if len(answer.parts) == 1 and not answer.without else None
        if part is not None and part.has_low and part.has_high:
            return same(gold, Several((part.low, part.high)), problem)
    if gold.is_set and not gold.items:
        return answer == Constant("empty") or (isinstance(answer, Words) and answer.text in _NOTHING_THERE)
    return UNSAID if isinstance(answer, Prose | Conditioned | Approximate) else False


def _numbered(items: Sequence[Value]) -> frozenset[str]:
    """The names of items which are one letter with different numbers, as `x_1, x_2`; none for any others."""
    names = frozenset(item.name for item in items if isinstance(item, NamedValue) and isinstance(item.left, Symbol))
    letters_there = {name.partition("_")[0] for name in names}
    are_numbered = len(letters_there) == 1 and all(name.partition("_")[2].isdigit() for name in names)
    return names if are_numbered and len(names) == len(items) > 1 else frozenset()


def _may_be_numbered(names: frozenset[str], problem: str) -> bool:
    """Return True if the numbers of the roots are the solver's: the problem names the letter without any."""
    from .problems import letters_in

    letter = min(names).partition("_")[0]
    in_problem = letters_in(problem)
    if not problem or any(name.startswith(f"{letter}_") for name in in_problem):
        return False
    return letter in in_problem or letter == "x"


def _may_be_called(answer: Several, gold: Several, problem: str) -> bool:
    """Return False if only some of an answer's letters stand in the problem, where the gold answer's items have no names."""
    from .problems import letters_in

    named = [item for item in answer.items if isinstance(item, NamedValue) and isinstance(item.left, Symbol)]
    names = {item.name.partition("_")[0] for item in named}
    in_problem = letters_in(problem)
    is_named = any(isinstance(item, NamedValue) for item in gold.items)
    return is_named or len(names) < 2 or not names & in_problem or names <= in_problem


def _item(gold: Value, answer: Value, problem: str) -> Outcome:
    are_named = isinstance(gold, NamedValue) and isinstance(answer, NamedValue) and gold.name != answer.name
    if are_named and isinstance(gold.left, Symbol) and isinstance(answer.left, Symbol):  # type: ignore[union-attr]
        return False
    return same(gold, answer, problem)


def _items(value: Several) -> list[Value]:
    found: list[Value] = []
    for item in value.items:
        if isinstance(item, Several) and not item.is_set:
            found += item.items
        elif isinstance(item, NamedValue) and isinstance(item.value, Several) and not item.value.is_set:
            found += [NamedValue(item.name, one, item.left) for one in item.value.items]
        else:
            found.append(item)
    return found


def _distinct(items: list[Value]) -> list[Value]:
    found: list[Value] = []
    for item in items[:_MAX_ITEMS]:
        if not any(same(one, item) for one in found):
            found.append(item)
    return found


def _point_by_names(point: Bracketed, named: Several, problem: str) -> Outcome:
    """`(3, 5)` against `x = 3, y = 5`: the coordinates as the problem orders the letters, or in the order of the alphabet."""
    names = sorted(item.name for item in named.items if isinstance(item, NamedValue))
    if not names or point.opening != "(":
        return False
    other = _coordinates(named, _order_in(problem, names))
    return other is not None and same(point, other, problem)


def _group(gold: Bracketed, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Bracketed):
        if (
            len(gold.items) != len(answer.items)
            or (gold.opening, gold.closing) == ("(", ")") != (answer.opening, answer.closing)
            and answer.opening != "["
        ):
            return False
        if gold.opening == "(" and answer.opening == "[" and len(gold.items) == 2:
            return False
        return all_of([same(a, b) for a, b in zip(gold.items, answer.items, strict=True)])
    if isinstance(answer, Matrix):
        cells = _vector(answer)
        return (
            len(cells) == len(gold.items) and all_of([same(a, b) for a, b in zip(gold.items, cells, strict=True)])
            if cells
            else False
        )
    return _node(gold, answer, problem)


def _piecewise(gold: Piecewise, answer: Value, problem: str) -> Outcome | Unsaid:
    return equal_cases(gold, answer, same) if isinstance(answer, Node) else UNSAID


def _answered_by_cases(gold: Value, answer: Piecewise, problem: str) -> Outcome:
    return equal_cases(gold, answer, same) if isinstance(gold, Node) else False


def _vector(matrix: Matrix) -> list[Value]:
    if len(matrix.rows) == 1:
        return list(matrix.rows[0])
    return [row[0] for row in matrix.rows] if all(len(row) == 1 for row in matrix.rows) else []


def _matrix(gold: Matrix, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Matrix):
        if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
            return False
        return all_of(
            [
                same(meaning(a), meaning(b))
                for ours, theirs in zip(gold.rows, answer.rows, strict=True)
                for a, b in zip(ours, theirs, strict=True)
            ]
        )
    if isinstance(answer, Bracketed) and answer.opening in "([" and (cells := _vector(gold)):
        return len(cells) == len(answer.items) and all_of(
            [same(meaning(a), b) for a, b in zip(cells, answer.items, strict=True)]
        )
    return UNSAID if isinstance(answer, NamedValue | Prose | Apply | Conditioned) else False


def _set_builder(gold: SetBuilder, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, SetBuilder):
        return all_of([same(gold.element, answer.element), matching(gold.conditions, answer.conditions, same)])
    return UNSAID if isinstance(answer, NamedValue | Prose) else False


# choices, words, prose


def _choice(gold: Choice, answer: Value, problem: str) -> Outcome | Unsaid:
    if isinstance(answer, Choice):
        if gold.letters != answer.letters:
            return False
        if gold.content is not None and answer.content is not None:
            return same(gold.content, answer.content, problem) is not False
        return True
    if gold.content is not None:
        return same(gold.content, answer, problem)
    return UNSAID if isinstance(answer, Prose | NamedValue | Conditioned) else False


def _words(gold: Words, answer: Value, problem: str) -> Outcome:
    if isinstance(answer, Words):
        return gold.text == answer.text or {gold.text, answer.text} <= _NOTHING_THERE - {
            "undefined",
            "does not exist",
            "dne",
        }
    if isinstance(answer, Constant) and answer.name == "empty":
        return gold.text in _NOTHING_THERE
    if isinstance(answer, Several) and answer.is_set and not answer.items:
        return gold.text in _NOTHING_THERE
    if gold.text in ("all real numbers", "all reals") and isinstance(answer, RealSet):
        return _is_all(answer)
    return False


def _prose(gold: Prose, answer: Value, problem: str) -> Outcome:
    if not isinstance(answer, Prose) or len(gold.parts) != len(answer.parts):
        return False
    return all_of([same(one, other) for one, other in zip(gold.parts, answer.parts, strict=True)])


def _answered_in_prose(gold: Value, answer: Prose, problem: str) -> Outcome:
    """A sentence with one value in it, which is not put in doubt."""
    values = [part for part in answer.parts if not isinstance(part, Words)]
    words = {word for part in answer.parts if isinstance(part, Words) for word in part.text.split()}
    if not values or words & _DOUBTS or any(map(_DOUBTED.search, words)):
        return False
    if any(agree(values[0], value) is not True for value in values[1:]):
        return False
    return same(gold, values[0], problem)


def _answered_by_name(gold: Value, answer: NamedValue, problem: str) -> Outcome:
    if isinstance(gold, Apply) and (count := _count(answer)) is not None:
        return numeric.equal_nodes(gold, count)
    if names := _point_names(answer):
        point = _coordinates(answer, _order_in(problem, names))
        return point is not None and same(gold, point, problem)
    return same(gold, answer.value, problem)


def _count(value: NamedValue) -> Node | None:
    """`C(n, k)` as a number of choices, which is read as a point first."""
    point = value.value
    if value.name != "C" or not isinstance(point, Bracketed):
        return None
    pair = counted(Apply("call", (Symbol("C"), point)))
    return None if pair is None else Apply("binom", pair)


def _answered_by_approximation(gold: Value, answer: Approximate, problem: str) -> Outcome:
    if answer.exact is not None:
        found = same(gold, answer.exact, problem)
        if found is not False or not _is_decimal(gold):
            return found
    return same(gold, answer.value, problem)


def _is_decimal(value: Value) -> bool:
    value = value.value if isinstance(value, Quantity | NamedValue) else value
    return isinstance(value, Node) and numeric.literal(value) is not None


def _answered_under_conditions(gold: Value, answer: Conditioned, problem: str) -> Outcome:
    known = gold.value if isinstance(gold, NamedValue) else gold
    if isinstance(known, Number | Quantity) and any(map(_restricts, answer.conditions)):
        return False  # a number holds whatever else does; "7 if x > 0" leaves the rest open
    if isinstance(known, Node | Quantity) and any(map(_is_number, answer.conditions)):
        return False  # another number, as in "7 (8)"
    if any(_contradicts(one, answer.value, problem) for one in answer.conditions):
        return False
    return same(gold, answer.value, problem)


def _contradicts(condition: Value, value: Value, problem: str) -> bool:
    """Return True for another value of the letter that is answered, as in `x = 5 (x = 7)`."""
    if not isinstance(condition, NamedValue):
        return False
    is_same_letter = isinstance(value, NamedValue) and value.name == condition.name
    is_asked = isinstance(condition.left, Symbol) and re.search(_ASKED.format(re.escape(condition.name)), problem)
    known = value.value if isinstance(value, NamedValue) else value
    is_other = same(known, condition.value) is False and not says_again(known, condition.value)
    return is_other and bool(is_same_letter or is_asked)


def _is_number(value: Value) -> bool:
    if isinstance(value, Approximate):
        return True
    value = value.value if isinstance(value, Quantity) else value
    return isinstance(value, Number | Apply) and not letters(value)


def _answered_by_several(gold: Value, answer: Several, problem: str) -> Outcome:
    return False


def _answered_by_choice(gold: Value, answer: Choice, problem: str) -> Outcome:
    return same(gold, answer.content, problem) if answer.content is not None else False


def _nodes(gold: Node, answer: Node) -> Outcome:
    if isinstance(gold, Bracketed | Matrix) or isinstance(answer, Bracketed | Matrix):
        return False
    if any(isinstance(part, Bracketed) and part.opening != "(" for part in nodes(gold)) and gold != answer:
        return numeric.equal_nodes(gold, answer)
    return numeric.equal_nodes(gold, answer)


_BY_GOLD: list[tuple[type, Callable[[Any, Any, str], Any]]] = [
    (Prose, _prose), (Conditioned, _conditioned), (Approximate, _approximate), (Choice, _choice), (NamedValue, _named), (Words, _words), (Quantity, _quantity), (CompositeQuantity, _composite),
    (Based, _based), (Ratio, _ratio), (Clock, _clock), (Date, _date), (RealSet, _real_set), (Several, _several), (SetBuilder, _set_builder),
    (Relation, _relation), (Matrix, _matrix), (Bracketed, _group), (Piecewise, _piecewise), (Number, _node), (Symbol, _node), (Constant, _node), (Apply, _node),
]  # fmt: skip
_BY_ANSWER: list[tuple[type, Callable[[Any, Any, str], Any]]] = [
    (Prose, _answered_in_prose), (Conditioned, _answered_under_conditions), (Approximate, _answered_by_approximation), (NamedValue, _answered_by_name),
    (Relation, _answered_by_relation), (Choice, _answered_by_choice), (Several, _answered_by_several),
    (Piecewise, _answered_by_cases),
]  # fmt: skip

__all__ = ["agree", "magnitude", "same"]
