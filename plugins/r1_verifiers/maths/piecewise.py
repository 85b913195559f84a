"""Functions by cases: their rows, read from the cells of an environment, and their equality, by values on and between the borders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from . import numeric
from .evaluate import letters, replaced
from .lexer import Token, split
from .meaning import congruence_of, meaning
from .real_sets import Outcome, all_of, matching
from .signs import CannotRead
from .types import (
    Branch,
    Constant,
    NamedValue,
    Node,
    Number,
    Piecewise,
    RealSet,
    Relation,
    Several,
    Symbol,
    Value,
    Words,
)

_SAYS_WHEN = frozenset(
    ["if", "for", "when", "where", "whenever", "with", "all", "any", "is", "an", "a", "the", "integer", "number", "and", "当", "时", "若", "如果", "为", "是"]
)  # fmt: skip
_OTHERWISE = frozenset(["otherwise", "else", "elsewhere", "其他", "其它", "其余", "否则"])
_OR = frozenset(["or", "vee"])
_AND = frozenset([",", ";", "and", "wedge", "quad"])
_PARITY = {"even": 0, "odd": 1, "偶数": 0, "奇数": 1}
_SAYS = _SAYS_WHEN | _OTHERWISE | frozenset(_PARITY)
_RELATES = frozenset(["=", "<", ">", "le", "ge", "neq", "in", "equiv", "pmod", "bmod", "mod", "notin"])
_BETWEEN = (",", ";", ".", ":", "quad")
_WHOLE = {"n", "k"}  # letters for whole numbers
_INSIDE = (Fraction(211, 997), Fraction(569, 997), Fraction(911, 997))  # places in an interval
_BEYOND = (Fraction(211, 997), Fraction(6229, 997), Fraction(80911, 997))  # and behind the last border
_COUNTED = (*range(1, 13), 31, 48, 75, 98, 1000, 1001)
_OTHERS = (Fraction(1571, 997), Fraction(523, 997))  # for the other letters
_MAX_ROWS = 12
_MAX_BORDERS = 16
_CLOSE = 1e-12

Same = Callable[[Value, Value], Outcome]


class _Unclear(Exception):
    """A condition whose truth cannot be told at a place."""


# reading


def read_cases(
    rows: list[list[list[Token]]], parse: Callable[[list[Token]], Value], has_words: bool
) -> Piecewise | None:
    """Read the cells of an environment as a function by cases; None where they are a matrix or a system. Raises: CannotRead.

    `has_words`: any words are a condition, not only "if" and the like.
    """
    if len(rows) > _MAX_ROWS:
        return None
    found = []
    for row in rows:
        parts = _value_and_condition([cell for cell in map(trimmed, row) if cell], has_words)
        if parts is None:
            return None
        found.append(parts)
    cases = [Branch(meaning(parse(value)), _condition(condition, parse)) for value, condition in found]
    values = [case.value for case in cases]
    if any(isinstance(value, NamedValue | Relation) for value in values):
        names = {value.name if isinstance(value, NamedValue) else None for value in values}
        equations = all(isinstance(one, NamedValue) for case in cases for both in case.when for one in both)
        if len(names) > 1 or None in names or (equations and all(case.when for case in cases)):
            return None  # a system of equations
        cases = [Branch(case.value.value, case.when) for case in cases if isinstance(case.value, NamedValue)]
    return Piecewise(tuple(cases))


def trimmed(cell: list[Token]) -> list[Token]:
    """A cell without the commas and stops at its ends."""
    start, end = 0, len(cell)
    while start < end and cell[start].text in _BETWEEN and cell[start].kind != "number":
        start += 1
    while start < end and cell[end - 1].text in _BETWEEN and cell[end - 1].kind != "number":
        end -= 1
    return cell[start:end]


def _value_and_condition(cells: list[list[Token]], has_words: bool) -> tuple[list[Token], list[Token]] | None:
    if len(cells) == 1:
        parts = split(cells[0], lambda token: token.text == "," or token.text in _SAYS_WHEN | _OTHERWISE)
        value = parts[0][0]
        behind = cells[0][len(value) :]
    elif len(cells) > 1:
        value, behind = cells[0], [token for cell in cells[1:] for token in (*cell, Token("sign", ","))]
    else:
        return None
    value, behind = trimmed(value), trimmed(behind)
    says_when = any(
        (has_words or token.text in _SAYS) if token.kind == "word" else token.text in _RELATES for token in behind
    )
    begins_late = bool(behind) and behind[0].text in _RELATES
    return (value, behind) if value and says_when and not begins_late else None


def _condition(tokens: list[Token], parse: Callable[[list[Token]], Value]) -> tuple[tuple[Value, ...], ...]:
    """The alternatives of a condition, each of statements that all hold; () for the rest of the cases."""
    if all(token.kind == "word" and token.text in _SAYS_WHEN | _OTHERWISE for token in tokens):
        return ()
    alternatives = []
    for alternative, _ in split(tokens, lambda token: token.text in _OR):
        statements: list[Value] = []
        for part, _ in split(alternative, lambda token: token.text in _AND):
            kept = [token for token in trimmed(part) if token.kind != "word" or token.text not in _SAYS_WHEN]
            if kept:
                _add(statements, _statement(kept, parse))
        if statements:
            congruence = congruence_of(statements)
            alternatives.append(tuple(statements) if congruence is None else (congruence,))
    if not alternatives:
        raise CannotRead("a case without its condition")
    return tuple(alternatives)


def _statement(part: list[Token], parse: Callable[[list[Token]], Value]) -> Value:
    said = "".join(token.text for token in part if token.kind == "word")
    parity = next((rest for word, rest in _PARITY.items() if said in (word, f"为{word}", f"是{word}", f"正{word}", f"为正{word}")), None)  # fmt: skip
    if parity is not None and len(part) > 1 and part[0].kind == "letter":
        return Relation((Symbol(part[0].text), Number(Fraction(parity)), Number(Fraction(2))), ("==", "mod"))
    if not said:
        try:
            return meaning(parse(part))
        except CannotRead:
            pass
    return Words(" ".join(token.text for token in part))


def _add(statements: list[Value], one: Value) -> None:
    """Add a statement; a value alone is another value of the last one, as 2 in `n = 1, 2`."""
    last = statements[-1] if statements else None
    if isinstance(one, Node) and isinstance(last, NamedValue):
        before = last.value.items if isinstance(last.value, Several) else (last.value,)
        statements[-1] = NamedValue(last.name, Several((*before, one)), last.left)
    elif isinstance(one, Node) and isinstance(last, RealSet) and last.without:
        statements[-1] = RealSet(last.parts, (*last.without, one), last.name)
    else:
        statements.append(one)


# comparing


def equal_cases(gold: Value, answer: Value, same: Same) -> Outcome:
    """Compare two functions, at least one of them by cases: by their values where their conditions are about one letter, else row by row.

    Where the gold answer says nothing, the answer may say what it does "otherwise". `same` compares two values.
    """
    names = {name for side in (gold, answer) for name in _names(side)}
    if len(names) == 1 and None not in names:
        try:
            return _by_values(gold, answer, names.pop() or "", same)
        except _Unclear:
            pass
    if not (isinstance(gold, Piecewise) and isinstance(answer, Piecewise)):
        return False
    return matching(
        gold.rows,
        answer.rows,
        lambda a, b: all_of([same(a.value, b.value), matching(a.when, b.when, lambda c, d: matching(c, d, same))]),
    )


def _statements(value: Value) -> Iterator[Value]:
    if isinstance(value, Piecewise):
        for case in value.rows:
            for alternative in case.when:
                yield from alternative


def _is_domain(one: Value) -> bool:
    return isinstance(one, Relation) and one.signs == ("in",)


def _names(value: Value) -> Iterator[str | None]:
    """The letters that the conditions are about, None for a condition that is about none."""
    for one in _statements(value):
        if isinstance(one, RealSet | NamedValue):
            yield one.name
        elif isinstance(one, Relation) and one.signs == ("==", "mod") and isinstance(one.sides[0], Symbol):
            yield one.sides[0].name
        elif not _is_domain(one):
            yield None


def _by_values(gold: Value, answer: Value, name: str, same: Same) -> Outcome:
    others = (letters(gold) | letters(answer)) - {name}
    outcomes = []
    for index in range(len(_OTHERS) if others else 1):
        known = {other: _OTHERS[index] + place for place, other in enumerate(sorted(others))}
        outcomes.append(_at_places(gold, answer, name, known, same))
    return all_of(outcomes)


def _at_places(gold: Value, answer: Value, name: str, known: dict[str, Fraction], same: Same) -> Outcome:
    ours, theirs = _borders(gold, name, known), _borders(answer, name, known)
    is_whole = all(abs(end - round(end)) < _CLOSE for end, _ in (*ours, *theirs)) and _is_counted(gold, answer, name)
    start = min([1.0, *(end for end, _ in ours)])
    for region in _counted([*ours, *theirs]) if is_whole else _regions([*ours, *theirs]):
        agreed: Outcome = None
        for place, at in region:
            values, is_explicit = _values_at(gold, name, place, at, known)
            if is_whole and at < start and not is_explicit:
                continue
            others, is_said = _values_at(answer, name, place, at, known)
            if not values:
                if others and is_said:
                    return False
                agreed = True
                continue
            if not others:
                return False
            outcome = all_of([same(one, other) for one in values for other in others])
            if outcome is False:
                return False
            agreed = agreed or outcome
        if agreed is None and not (is_whole and all(at < start for _, at in region)):
            return None
    return True


def _borders(value: Value, name: str, known: dict[str, Fraction]) -> list[tuple[float, Node]]:
    found = []
    for one in _statements(value):
        nodes: Sequence[Value] = ()
        if isinstance(one, RealSet):
            nodes = [*one.without, *(end for part in one.parts for end in (part.low, part.high))]
        elif isinstance(one, NamedValue):
            nodes = one.value.items if isinstance(one.value, Several) else (one.value,)
        for node in nodes:
            if not isinstance(node, Node):
                raise _Unclear
            if numeric.infinite(node) or (isinstance(one, NamedValue) and _progression(node, name) is not None):
                continue
            placed = _with(node, known)
            found.append((_number(placed), placed))
    if len(found) > _MAX_BORDERS:
        raise _Unclear
    return found


def _with(node: Node, known: dict[str, Fraction]) -> Node:
    for name, value in known.items():
        node = replaced(node, name, Number(value))
    return node


def _number(node: Node) -> float:
    value = numeric.magnitude(node)
    if value is None:
        raise _Unclear
    return value


def _is_counted(gold: Value, answer: Value, name: str) -> bool:
    """Return True if the letter stands for whole numbers."""
    return name in _WHOLE or any(
        isinstance(one, Relation) or (isinstance(one, NamedValue) and letters(one.value))
        for side in (gold, answer)
        for one in _statements(side)
    )


def _counted(borders: list[tuple[float, Node]]) -> Iterator[list[tuple[Node, float]]]:
    near = {round(end) + step for end, _ in borders for step in (-2, -1, 0, 1, 2)}
    for at in sorted(near | set(_COUNTED)):
        yield [(Number(Fraction(at)), float(at))]


def _regions(borders: list[tuple[float, Node]]) -> Iterator[list[tuple[Node, float]]]:
    """Places at each border, and in each interval between them."""
    ends: list[tuple[float, Node]] = []
    for end, node in sorted(borders, key=lambda border: border[0]):
        if not ends or end - ends[-1][0] > _CLOSE * max(1.0, abs(end)):
            ends.append((end, node))
    for end, node in ends:
        yield [(node, end)]
    if not ends:
        return
    low, high = Fraction(ends[0][0]), Fraction(ends[-1][0])
    gaps = [[low - step for step in _BEYOND], [high + step for step in _BEYOND]]
    for (one, _), (other, _) in pairwise(ends):
        gaps.append([Fraction(one) + (Fraction(other) - Fraction(one)) * part for part in _INSIDE])
    for gap in gaps:
        yield [(Number(at), float(at)) for at in gap]


def _values_at(value: Value, name: str, place: Node, at: float, known: dict[str, Fraction]) -> tuple[list[Value], bool]:
    """The values at a place, and True if a row is about it; a function without cases has its value anywhere."""
    if not isinstance(value, Piecewise):
        return [_placed(value, name, place, known)], False
    found = [
        case.value
        for case in value.rows
        if any(all(_holds(one, name, at, known) for one in both) for both in case.when)
    ]
    is_explicit = bool(found)
    if not found:
        found = [case.value for case in value.rows if not case.when]
    return [_placed(one, name, place, known) for one in found], is_explicit


def _placed(value: Value, name: str, place: Node, known: dict[str, Fraction]) -> Value:
    return _with(replaced(value, name, place), known) if isinstance(value, Node) else value


def _holds(condition: Value, name: str, at: float, known: dict[str, Fraction]) -> bool:
    if isinstance(condition, RealSet):
        if any(_is_at(at, _number(_with(point, known))) for point in condition.without):
            return False
        return any(
            _beyond(at, part.low, part.has_low, known, 1) and _beyond(at, part.high, part.has_high, known, -1)
            for part in condition.parts
        )
    if isinstance(condition, NamedValue):
        values = condition.value.items if isinstance(condition.value, Several) else (condition.value,)
        return any(_is_one_of(at, value, name, known) for value in values if isinstance(value, Node))
    if isinstance(condition, Relation) and condition.signs == ("==", "mod"):
        rests, modulus = condition.sides[1], condition.sides[2]
        modules = _number(modulus) if isinstance(modulus, Node) else 0
        if not modules:
            raise _Unclear
        rest_values = rests.items if isinstance(rests, Several) else (rests,)
        return any(isinstance(rest, Node) and _is_whole((at - _number(rest)) / modules) for rest in rest_values)
    if _is_domain(condition):
        return _is_whole(at) if _domain(condition) != "RR" else True
    raise _Unclear


def _domain(condition: Value) -> str:
    within = condition.sides[1] if isinstance(condition, Relation) else None
    if not isinstance(within, Constant) or within.name not in ("ZZ", "NN", "ZZ+", "RR"):
        raise _Unclear
    return within.name


def _beyond(at: float, end: Node, has_end: bool, known: dict[str, Fraction], sign: int) -> bool:
    if numeric.infinite(end):
        return True
    border = _number(_with(end, known))
    return has_end if _is_at(at, border) else (at - border) * sign > 0


def _is_at(at: float, border: float) -> bool:
    return abs(at - border) <= _CLOSE * max(1.0, abs(border))


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9


def _is_one_of(at: float, value: Node, name: str, known: dict[str, Fraction]) -> bool:
    progression = _progression(value, name)
    if progression is None:
        return _is_at(at, _number(_with(value, known)))
    first, step = progression
    return _is_whole((at - first) / step)


def _progression(value: Node, name: str) -> tuple[float, float] | None:
    """First term and step of `2k + 1`; None for a value without a letter for whole numbers."""
    counted = letters(value)
    if len(counted) != 1 or counted == {name}:
        return None
    letter = next(iter(counted))
    terms = [numeric.magnitude(replaced(value, letter, Number(Fraction(at)))) for at in (0, 1, 2)]
    if None in terms:
        return None
    first, second, third = (term or 0.0 for term in terms)
    if second == first or abs(third - second - (second - first)) > _CLOSE or not _is_whole(second - first):
        return None
    return first, second - first
