"""The typed value of a parsed statement: names and their values, intervals, sets, points, conditions, both signs of a `\\pm`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeGuard

from . import numeric
from .evaluate import exact, letters, nodes
from .real_sets import difference, equal_sets, meet
from .signs import CannotRead
from .types import (
    Apply,
    Approximate,
    Bracketed,
    Choice,
    CompositeQuantity,
    Conditioned,
    Constant,
    Interval,
    Matrix,
    NamedValue,
    Node,
    Number,
    Piecewise,
    Quantity,
    RealSet,
    Relation,
    SetBuilder,
    Several,
    Symbol,
    Value,
    Words,
)
from .units import differ

INFINITY = Constant("infinity")
MINUS_INFINITY = Apply("neg", (INFINITY,))
REALS = Interval(MINUS_INFINITY, INFINITY, False, False)
SAID_AGAIN = frozenset(["namely", "equivalently"])  # separators of values that say the same
_ORDER = {"<", ">", "<=", ">="}
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_AND, _OR = frozenset(["and", "wedge"]), frozenset(["or", "vee"])
_ZERO = Number(Fraction(0))
_REAL_SETS = {
    "RR": RealSet((REALS,)),
    "RR+": RealSet((Interval(_ZERO, INFINITY, False, False),)),
    "RR0": RealSet((Interval(_ZERO, INFINITY, True, False),)),
    "RR-": RealSet((Interval(MINUS_INFINITY, _ZERO, False, False),)),
    "RR*": RealSet((REALS,), (_ZERO,)),
}
_OF_SETS = frozenset(["cup", "cap", "setminus"])
_CALLS = frozenset(["call", "prime", "det", "abs", "norm", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "max", "min", "dim", "rank", "tr", "deg", "arg", "gcd", "lcm", "Re", "Im", "ker", "transpose"])  # fmt: skip


def meaning(value: Value) -> Value:
    """The typed value of a parsed one."""
    if isinstance(value, Relation):
        return _relation(value)
    if isinstance(value, Bracketed):
        return _group(value)
    if isinstance(value, Conditioned):
        inner = meaning(value.value)
        conditions = tuple(one for one in enumerated(map(meaning, value.conditions)) if not says_again(inner, one))
        return Conditioned(inner, conditions) if conditions else inner
    if isinstance(value, Apply):
        return _applied(value)
    if isinstance(value, Constant) and value.name in _REAL_SETS:
        return _REAL_SETS[value.name]
    if isinstance(value, Quantity):
        return _quantity(value)
    if isinstance(value, Matrix):
        return _matrix(value)
    return value


def _quantity(value: Quantity) -> Value:
    inner, unit = value.value, value.unit
    if isinstance(inner, Apply) and inner.name in ("degreesC", "degreesF") and not unit:
        return Quantity(inner.args[0], "degree" + inner.name[-1])
    if isinstance(inner, Apply) and inner.name == "degrees":
        inner, unit = (
            inner.args[0],
            "degree" + {"f": "F", "c": "C", "degreef": "F", "degreec": "C", "": ""}.get(unit.lower(), f" {unit}"),
        )
    read = meaning(inner)
    if isinstance(read, Several):
        return Several(tuple(Quantity(item, unit) if isinstance(item, Node) else item for item in read.items))
    return Quantity(inner, unit) if isinstance(read, Node) or isinstance(inner, Bracketed) else read


def _matrix(value: Matrix) -> Value:
    cells = [cell for row in value.rows for cell in row]
    if any(isinstance(cell, Relation) for cell in cells) and all(len(row) == 1 for row in value.rows):
        return combined([(meaning(cell), ",") for cell in cells])
    return value


# both signs


def _signs(node: Value) -> int:
    return sum(isinstance(part, Apply) and part.name in ("pm", "mp") for part in nodes(node))


def _with_sign(node: Node, is_plus: bool) -> Node:
    if isinstance(node, Apply):
        args = tuple(_with_sign(arg, is_plus) for arg in node.args)
        if node.name in ("pm", "mp"):
            return args[0] if is_plus == (node.name == "pm") else Apply("neg", args)
        return Apply(node.name, args)
    if isinstance(node, Bracketed):
        return Bracketed(
            node.opening,
            node.closing,
            tuple(_with_sign(item, is_plus) if isinstance(item, Node) else item for item in node.items),
        )
    return node


def both_signs(node: Node) -> Value:
    r"""The two values of an expression with `\pm`; all its signs go together."""
    return Several((meaning(_with_sign(node, True)), meaning(_with_sign(node, False)))) if _signs(node) else node


def _applied(value: Apply) -> Value:
    if _signs(value):
        return both_signs(value)
    if value.name in ("degrees", "degreesC", "degreesF"):
        return Quantity(value.args[0], "degree" + value.name[7:])
    if value.name == "percent":
        return Quantity(value.args[0], "%")
    if (
        value.name == "neg"
        and isinstance(value.args[0], Apply)
        and value.args[0].name in ("degrees", "degreesC", "degreesF")
    ):
        return Quantity(Apply("neg", (value.args[0].args[0],)), "degree" + value.args[0].name[7:])
    if value.name == "mul" and (percent := _percent_in_brackets(value.args[1])) and says_again(value.args[0], percent):
        return percent
    if value.name in ("cup", "setminus", "cap"):
        return _sets(value) or value
    if (scaled := _line(value) or _scaled(value)) is not None:
        return meaning(scaled)
    if value.name == "add" and value.args[0] == Constant("RR"):
        last = value.args[1]
        if isinstance(last, Apply) and last.name == "neg" and isinstance(last.args[0], Bracketed):
            return _sets(Apply("setminus", (value.args[0], last.args[0]))) or value
    if (
        value.name == "call"
        and isinstance(value.args[1], Bracketed)
        and isinstance(value.args[0], Symbol)
        and value.args[0].name.isupper()
        and len(value.args[1].items) > 1
    ):
        return NamedValue(value.args[0].name, meaning(value.args[1]), value.args[0])  # the point A(1, 2)
    if (
        value.name == "mul"
        and isinstance(value.args[0], Symbol)
        and value.args[0].name in ("Q",)
        and isinstance(value.args[1], Bracketed)
    ):
        return NamedValue(value.args[0].name, meaning(value.args[1]), value.args[0])
    return value


def _scaled(value: Apply) -> Matrix | Bracketed | None:
    r"""A multiple of a vector or matrix, or its transpose, cell by cell; None for anything else."""
    if value.name == "transpose":
        if isinstance(value.args[0], Matrix):
            rows = value.args[0].rows
            return Matrix(tuple(zip(*rows, strict=True))) if len({len(row) for row in rows}) == 1 else None
        return Matrix(tuple((item,) for item in value.args[0].items)) if _is_vector(value.args[0]) else None
    if value.name not in ("mul", "div", "neg"):
        return None
    vectors = [arg for arg in value.args if isinstance(arg, Matrix) or _is_vector(arg)]
    rest = [part for arg in value.args if arg not in vectors for part in nodes(arg)]
    if len(vectors) != 1 or (value.name == "div" and vectors[0] is not value.args[0]):
        nested = [_scaled(arg) if isinstance(arg, Apply) else None for arg in value.args]
        if len([one for one in nested if one is not None]) != 1 or vectors:
            return None
        return _scaled(Apply(value.name, tuple(one or arg for one, arg in zip(nested, value.args, strict=True))))
    if any(isinstance(part, Matrix | Bracketed | Piecewise) for part in rest):
        return None

    def scale(cell: Value) -> Value:
        args = tuple(cell if arg is vectors[0] else arg for arg in value.args)
        return Apply(value.name, args) if isinstance(cell, Node) else cell  # type: ignore[arg-type]

    vector = vectors[0]
    if isinstance(vector, Matrix):
        return Matrix(tuple(tuple(map(scale, row)) for row in vector.rows))
    assert isinstance(vector, Bracketed)
    return Bracketed(vector.opening, vector.closing, tuple(map(scale, vector.items)))


def _line(value: Apply) -> Matrix | Bracketed | None:
    """A sum of vectors with letters before some of them, as `(1, 2) + t(3, 4)`, cell by cell; None for anything else."""
    if value.name != "add" or not any(isinstance(arg, Apply) and letters(arg) for arg in value.args):
        return None
    first, second = map(_multiple, value.args)
    if isinstance(first, Bracketed) and isinstance(second, Bracketed) and len(first.items) == len(second.items):
        return Bracketed("(", ")", tuple(map(_sum, first.items, second.items)))
    if not (isinstance(first, Matrix) and isinstance(second, Matrix)):
        return None
    if [len(row) for row in first.rows] != [len(row) for row in second.rows]:
        return None
    return Matrix(tuple(tuple(map(_sum, *rows)) for rows in zip(first.rows, second.rows, strict=True)))


def _sum(one: Value, other: Value) -> Value:
    return Apply("add", (one, other))  # type: ignore[arg-type]


def _multiple(node: Node) -> Matrix | Bracketed | None:
    """A vector, a multiple of one or a sum of them; `t(1, 2)` is no function here."""
    if isinstance(node, Matrix):
        return node
    if isinstance(node, Bracketed):
        return node if _is_vector(node) and node.opening != "[" else None
    if not isinstance(node, Apply):
        return None
    if node.name == "call" and isinstance(node.args[0], Symbol) and len(node.args[0].name) == 1:
        node = Apply("mul", node.args)
    if node.name == "neg" and (inner := _multiple(node.args[0])) is not None:
        return _scaled(Apply("neg", (inner,)))
    return _line(node) or _scaled(node)


def _is_vector(node: Value) -> TypeGuard[Bracketed]:
    return (
        isinstance(node, Bracketed)
        and (node.opening, node.closing) in (("(", ")"), ("langle", "rangle"), ("[", "]"))
        and len(node.items) > 1
        and all(isinstance(item, Node) for item in node.items)
    )


def congruence_of(values: Sequence[Value]) -> Relation | None:
    r"""`n \equiv 1, 4 \pmod 5`, whose modulus stands behind the last of its values; None for anything else."""
    if len(values) < 2:
        return None
    first, *between, last = values
    if not (isinstance(last, Relation) and last.signs == ("mod",)):
        return None
    is_named = isinstance(first, Relation) and first.signs == ("==",)
    rests = [*first.sides[1:], *between] if isinstance(first, Relation) and is_named else [first, *between]
    left = first.sides[:1] if isinstance(first, Relation) and is_named else ()
    if not all(isinstance(rest, Node) for rest in rests):
        return None
    several = Several((*rests, last.sides[0]))
    return Relation((*left, several, last.sides[1]), ("==", "mod") if left else ("mod",))


# intervals and sets


def is_infinite(node: Value) -> bool:
    return node == INFINITY or node == MINUS_INFINITY


def interval_of(group: Bracketed) -> RealSet | None:
    """A group of two as the numbers between them, where its brackets allow that."""
    if group.opening not in "([" or group.closing not in ")]" or len(group.items) != 2:
        return None
    low, high = group.items
    if not (isinstance(low, Node) and isinstance(high, Node)):
        return None
    return RealSet((Interval(low, high, group.opening == "[", group.closing == "]"),))


def as_real_set(value: Value) -> RealSet | None:
    """A value as a set of real numbers, where it can be one."""
    value = meaning(value) if not isinstance(value, RealSet) else value
    if isinstance(value, RealSet):
        return value
    if isinstance(value, Bracketed):
        return interval_of(value)
    if isinstance(value, Conditioned):
        return None
    return None


def _group(group: Bracketed) -> Value:
    if group.opening == "{|":
        return _built(meaning(group.items[0]), group.items[1:])
    if group.opening in ("{", "\\{") or group.closing in ("}",) and group.opening == "{":
        items = [meaning(item) for item in group.items]
        if len(items) == 1 and isinstance(items[0], RealSet) and items[0].name:
            return items[0]
        flat = _flat(items)
        return Several(tuple(flat), is_set=True)
    if group.opening == "langle":
        return Bracketed("(", ")", tuple(meaning(item) for item in group.items))
    if len(group.items) == 1 and group.opening in "([":
        return meaning(group.items[0])
    if (
        group.opening == "["
        and len(group.items) > 1
        and all(isinstance(item, Bracketed) and item.opening == "[" for item in group.items)
    ):
        rows = [item.items for item in group.items if isinstance(item, Bracketed)]
        if len({len(row) for row in rows}) == 1:
            return Matrix(tuple(tuple(meaning(cell) for cell in row) for row in rows))
    interval = interval_of(group)
    if interval is not None and not any(isinstance(item, Bracketed) for item in group.items):
        ends = interval.parts[0]
        if group.opening != "(" or group.closing != ")" or is_infinite(ends.low) or is_infinite(ends.high):
            return interval
    items = [meaning(item) for item in group.items]
    if items and all(isinstance(item, NamedValue | Relation) for item in items):
        return combined([(item, ",") for item in items])
    return Bracketed(group.opening, group.closing, tuple(items))


def _built(element: Value, conditions: Sequence[Value]) -> Value:
    read = [meaning(condition) for condition in conditions]
    name, within = "", None
    if isinstance(element, Symbol):
        name = element.name
    elif isinstance(element, Relation) and element.signs == ("in",) and isinstance(element.sides[0], Symbol):
        name, within = element.sides[0].name, element.sides[1]
    elif isinstance(element, RealSet):
        name = element.name
    if name and (within is None or within == Constant("RR")):
        sets = [one for one in read if isinstance(one, RealSet) and one.name == name]
        if len(sets) == len(read) and sets:
            found = sets[0]
            for other in sets[1:]:
                found = meet(found, other) or found
            return RealSet(found.parts, found.without)
        for index, one in enumerate(read):
            if isinstance(one, NamedValue) and one.name == name:
                rest = tuple(other for at, other in enumerate(read) if at != index)
                return Conditioned(one.value, rest) if rest else one
    return SetBuilder(element, tuple(read))


def _sets(value: Value) -> Value | None:
    """A union, a difference or an intersection of intervals; None where it is something else."""
    if not (isinstance(value, Apply) and value.name in ("cup", "setminus", "cap")):
        return as_real_set(value)
    left = _sets(value.args[0])
    if value.name == "setminus":
        taken = meaning(value.args[1])
        if (
            isinstance(left, RealSet)
            and isinstance(taken, Several)
            and all(isinstance(item, Node) for item in taken.items)
        ):
            return RealSet(left.parts, (*left.without, *taken.items))  # type: ignore[arg-type]
        if isinstance(left, RealSet) and isinstance(value.args[1], Bracketed) and value.args[1].opening == "{":
            return RealSet(left.parts, (*left.without, *value.args[1].items))  # type: ignore[arg-type]
        removed = _sets(value.args[1])
        return difference(left, removed) if isinstance(left, RealSet) and isinstance(removed, RealSet) else None
    right = _sets(value.args[1])
    if value.name == "cup":
        if isinstance(left, RealSet) and isinstance(right, RealSet):
            return RealSet((*left.parts, *right.parts), (*left.without, *right.without))
        first, second = meaning(value.args[0]), meaning(value.args[1])
        if isinstance(first, Several) and isinstance(second, Several):
            return Several((*first.items, *second.items), is_set=True)
        for one, other in ((left, second), (right, first)):
            if (
                isinstance(one, RealSet)
                and isinstance(other, Several)
                and all(isinstance(item, Node) for item in other.items)
            ):
                points = tuple(Interval(item, item, True, True) for item in other.items)  # type: ignore[arg-type]
                return RealSet((*one.parts, *points), one.without)
        return None
    if isinstance(left, RealSet) and isinstance(right, RealSet):
        return meet(left, right)
    return None


# relations


def is_name(node: Value) -> bool:
    """Return True for a left side that only names a value: `x`, `f(x)`, `AB`, `\\det A`, `f^{-1}(x)`."""
    if isinstance(node, Symbol):
        return True
    if isinstance(node, Constant):
        return node.name in ("e", "i")
    if isinstance(node, Bracketed):
        return bool(node.items) and all(isinstance(item, Symbol) for item in node.items)
    if not isinstance(node, Apply):
        return False
    args = node.args
    if node.name in _CALLS:
        return (
            bool(letters(node)) and not any(isinstance(part, Number) for part in nodes(args[0])) or node.name == "call"
        )
    if node.name == "paren":
        return is_name(args[0])
    if node.name in _OF_SETS:
        return all(
            isinstance(arg, Symbol) or (isinstance(arg, Apply) and arg.name in _OF_SETS and is_name(arg))
            for arg in args
        )
    if node.name == "mul":
        if _is_inverse(args[0]) or (
            isinstance(args[0], Symbol) and isinstance(args[1], Bracketed) and len(args[1].items) == 1
        ):
            return True
        flat = _factors(node)
        if flat and isinstance(flat[0], Symbol) and flat[0].name in ("triangle", "angle", "Delta", "measuredangle"):
            return True
        if (
            flat
            and isinstance(flat[0], Symbol)
            and flat[0].name in ("E", "D", "P")
            and len(flat) == 2
            and isinstance(flat[1], Symbol)
        ):
            return True
        return all(isinstance(factor, Symbol) and factor.name[:1].isupper() for factor in flat)
    if node.name == "pow":
        return isinstance(args[0], Symbol) and args[0].name in ("f", "g", "F") and _is_inverse(node)
    if node.name == "div":
        above, below = _factors(args[0]), _factors(args[1])
        return all(
            isinstance(part[0], Symbol) and part[0].name in ("d", "partial") for part in (above, below) if part
        ) and bool(above and below)
    return False


def _is_inverse(node: Node) -> bool:
    if not (isinstance(node, Apply) and node.name == "pow" and isinstance(node.args[0], Symbol)):
        return False
    exponent = exact(node.args[1])
    return exponent == -1 and (node.args[0].name in ("f", "g", "h", "F", "G", "A", "B", "M", "T"))


def _factors(node: Node) -> list[Node]:
    if isinstance(node, Apply) and node.name == "mul":
        return [*_factors(node.args[0]), *_factors(node.args[1])]
    return [node]


def may_be_named(node: Value) -> bool:
    """Return True for a left side of letters alone, with no number in it, as `m + n`: a name that an answer may give its value."""
    if not isinstance(node, Node) or not letters(node):
        return False
    for part in nodes(node):
        if (isinstance(part, Number) and part.value != -1) or (
            isinstance(part, Apply) and part.name in ("neg", "pm", "mp")
        ):
            return False
    return True


def spelled(node: Value) -> str:
    """A name for a left side: the same for the same side."""
    if isinstance(node, Symbol | Constant):
        return node.name
    if isinstance(node, Number):
        return str(node.value)
    if isinstance(node, Apply):
        return f"{node.name}({', '.join(spelled(arg) for arg in node.args)})"
    if isinstance(node, Bracketed):
        return f"{node.opening}{', '.join(spelled(item) for item in node.items)}{node.closing}"
    return repr(node)


def _relation(value: Relation) -> Value:
    sides, signs = value.sides, value.signs
    if isinstance(sides[0], Apply) and sides[0].name == "nothing":
        rest = meaning(sides[1]) if len(sides) == 2 else meaning(Relation(sides[1:], signs[1:]))
        return Approximate(rest) if signs[0] == "~" else rest
    if set(signs) <= {"=", "~"}:
        return _equation(value)
    if set(signs) <= _ORDER:
        return _inequality(value) or Relation(tuple(meaning(side) for side in sides), signs)
    if signs == ("!=",) and isinstance(sides[0], Symbol):
        other = meaning(sides[1])
        points = other.items if isinstance(other, Several) else (other,)
        if all(isinstance(point, Node) for point in points):
            return RealSet((REALS,), points, sides[0].name)  # type: ignore[arg-type]
    if signs[0] == "in" and len(signs) == 1 and isinstance(sides[0], Symbol | Bracketed | Apply):
        within = meaning(sides[1])
        if isinstance(sides[0], Symbol):
            as_set = as_real_set(within)
            if as_set is not None and sides[1] != Constant("RR"):
                return RealSet(as_set.parts, as_set.without, sides[0].name)
            if sides[1] == Constant("RR"):
                return RealSet((REALS,), (), sides[0].name)
        if isinstance(within, Several) and within.is_set and is_name(sides[0]):
            return NamedValue(spelled(sides[0]), within, sides[0])
    return Relation(tuple(meaning(side) for side in sides), signs)


def _equation(value: Relation) -> Value:
    sides, signs = value.sides, value.signs
    first, last = sides[0], sides[-1]
    if isinstance(first, Matrix) and is_name(column := _as_point(first)):
        first = column
    if len(sides) == 2 and isinstance(last, Piecewise) and isinstance(first, Node):
        return NamedValue(spelled(first), last, first)
    if is_name(first) and not (isinstance(first, Constant) and len(sides) == 2 and not _is_plain(last)):
        rest = _value_of(sides[1:], signs[1:])
        if signs[0] == "~":
            rest = Approximate(rest)
        elif isinstance(rest, Relation):
            return Relation(tuple(meaning(side) for side in sides), signs)
        inner = rest.value if isinstance(rest, NamedValue) and not isinstance(first, Bracketed) else rest
        inner = _as_point(inner) if isinstance(first, Bracketed) else inner
        if isinstance(first, Bracketed) and isinstance(inner, Bracketed) and len(inner.items) == len(first.items):
            inner = Bracketed("(", ")", inner.items)
        return NamedValue(spelled(first), inner, first if isinstance(first, Node) else None)
    if len(sides) == 2 and isinstance(last, Symbol) and signs == ("=",):
        return NamedValue(last.name, meaning(first), last)
    if all(isinstance(side, Node) and not letters(side) for side in sides) or not any(
        isinstance(side, Node) and letters(side) for side in sides
    ):
        return _value_of(sides, signs)
    if signs[-1] == "~" and len(sides) == 2:
        return Approximate(meaning(last), meaning(first))
    return Relation(tuple(meaning(side) for side in sides), signs)


def _as_point(value: Value) -> Value:
    """A column as a point; anything else as it is."""
    if isinstance(value, Matrix) and all(len(row) == 1 for row in value.rows):
        return Bracketed("(", ")", tuple(row[0] for row in value.rows))
    return value


def _is_plain(value: Value) -> bool:
    return isinstance(value, Node | Quantity)


def _value_of(sides: tuple[Value, ...], signs: tuple[str, ...]) -> Value:
    """The value of a chain whose sides all say the same; the chain itself where they do not."""
    read = [meaning(side) for side in sides]
    if len(read) == 1:
        return read[0]
    rounded_from = (*signs, "~").index("~") + 1
    exact_sides, rounded = read[:rounded_from], read[rounded_from:]
    if any(_disagree(one, other) for one, other in pairwise(exact_sides)):
        return Relation(tuple(read), signs)
    if not all(close_enough(exact_sides[-1], side) for side in rounded):
        return Relation(tuple(read), signs)
    if rounded:
        return Approximate(rounded[0], exact_sides[-1])
    return _in_percent(exact_sides) or exact_sides[-1]


def _disagree(one: Value, other: Value) -> bool:
    """Return True if two sides of a chain surely do not say the same."""
    if isinstance(one, Quantity) and isinstance(other, Quantity) and differ(one.unit, other.unit):
        return True
    one, other = _without_units(one, other)
    if isinstance(one, RealSet) and isinstance(other, RealSet):
        return equal_sets(one, other) is False
    if isinstance(one, Bracketed) and isinstance(other, Bracketed):
        return len(one.items) != len(other.items) or any(map(_disagree, one.items, other.items))
    if isinstance(one, Matrix) and isinstance(other, Matrix):
        cells = [[cell for row in matrix.rows for cell in row] for matrix in (one, other)]
        return len(cells[0]) != len(cells[1]) or any(map(_disagree, *cells))
    return isinstance(one, Node) and isinstance(other, Node) and numeric.equal_nodes(one, other) is False


def _without_units(one: Value, other: Value) -> tuple[Value, Value]:
    """Both without their units; a percentage against a plain number as the number that it is."""
    units = [side.unit if isinstance(side, Quantity) else "" for side in (one, other)]
    first, second = (
        (Apply("percent", (side.value,)) if side.unit == "%" and units.count("%") == 1 else side.value)
        if isinstance(side, Quantity)
        else side
        for side in (one, other)
    )
    return first, second


def says_again(value: Value, other: Value) -> bool:
    """Return True if `other`, in brackets or behind "or", says the same number or formula as `value`."""
    if isinstance(value, NamedValue):
        value = value.value
    if isinstance(value, Approximate) and value.exact is not None:
        value = value.exact
    if isinstance(other, Approximate):
        numbers = _number_in(value), _number_in(other.value)
        return None not in numbers and other.exact is None and close_enough(value, other.value)
    if isinstance(value, Quantity) and isinstance(other, Quantity) and differ(value.unit, other.unit):
        return False
    one, again = _without_units(value, other)
    if not (isinstance(one, Node) and isinstance(again, Node)) or isinstance(again, Symbol | Bracketed | Matrix):
        return False
    return numeric.equal_nodes(one, again) is True


def _in_percent(values: Sequence[Value]) -> Value | None:
    """The percentage among values that are the same: it is read as a percentage and as a number."""
    return next((one for one in values if isinstance(one, Quantity) and one.unit == "%"), None)


def _percent_in_brackets(node: Node) -> Quantity | None:
    item = node.items[0] if isinstance(node, Bracketed) and len(node.items) == 1 else None
    return item if isinstance(item, Quantity) and item.unit == "%" else None


def close_enough(exact_side: Value, rounded: Value) -> bool:
    """Return True if one may be the other rounded, or cut off, at the last place that is written."""
    one, other = _number_in(exact_side), _number_in(rounded)
    in_percent = [isinstance(side, Quantity) and side.unit == "%" for side in (exact_side, rounded)]
    if one is not None and in_percent[0] != in_percent[1]:
        one = Apply("percent", (one,)) if in_percent[0] else Apply("mul", (one, Number(Fraction(100))))
    if one is None or other is None:
        return True
    literal = numeric.literal(other) or (other if isinstance(other, Number) else None)
    if literal is not None:
        return numeric.rounds_to(one, literal, may_be_cut=True)
    ours, theirs = numeric.magnitude(one), numeric.magnitude(other)
    return ours is None or theirs is None or abs(ours - theirs) <= 1e-3 * max(abs(ours), abs(theirs))


def _number_in(value: Value) -> Node | None:
    if isinstance(value, Quantity):
        value = value.value
    return value if isinstance(value, Node) and not letters(value) else None


def _inequality(value: Relation) -> RealSet | None:
    sides, signs = value.sides, value.signs
    if len(sides) == 2:
        left, right = sides
        if isinstance(right, Symbol) and not isinstance(left, Symbol):
            left, right, sign = right, left, FLIPPED[signs[0]]
        else:
            sign = signs[0]
        if not isinstance(left, Symbol):
            return None
        end = meaning(right)
        if not isinstance(end, Node) or left.name in letters(end):
            return None
        if sign in (">", ">="):
            return RealSet((Interval(end, INFINITY, sign == ">=", False),), (), left.name)
        return RealSet((Interval(MINUS_INFINITY, end, False, sign == "<="),), (), left.name)
    if len(sides) == 3 and isinstance(sides[1], Symbol):
        low, high = meaning(sides[0]), meaning(sides[2])
        if not (isinstance(low, Node) and isinstance(high, Node)):
            return None
        if signs[0] in ("<", "<=") and signs[1] in ("<", "<="):
            return RealSet((Interval(low, high, signs[0] == "<=", signs[1] == "<="),), (), sides[1].name)
        if signs[0] in (">", ">=") and signs[1] in (">", ">="):
            return RealSet((Interval(high, low, signs[1] == ">=", signs[0] == ">="),), (), sides[1].name)
    return None


# lists


def _flat(items: Sequence[Value]) -> list[Value]:
    found: list[Value] = []
    for item in items:
        found += item.items if isinstance(item, Several) and not item.is_set else [item]
    return found


def is_condition(value: Value) -> bool:
    """Return True for a statement that only restricts letters: an inequality, `k \\in \\mathbb{Z}`."""
    if isinstance(value, RealSet):
        return bool(value.name)
    return isinstance(value, Relation) and set(value.signs) <= {
        "<",
        ">",
        "<=",
        ">=",
        "in",
        "notin",
        "!=",
        "subset",
        "subseteq",
    }


def combined(parts: list[tuple[Value, str]]) -> Value:
    """Several values, each with the separator behind it, as one: a union, a system, a list, a value with its conditions."""
    first, *others = _with_letters_in([value for value, _ in parts])
    values = [first, *enumerated(others)]
    if len(values) == 1:
        return values[0]
    if (congruence := congruence_of(values)) is not None:
        return congruence
    joins = {separator for _, separator in parts[: len(values) - 1]}
    if joins <= SAID_AGAIN | {"or"} and all(says_again(values[0], value) for value in _without_name(values)):
        return _in_percent(values) or values[0]
    if joins & SAID_AGAIN:
        raise CannotRead("two values that do not agree")
    if (
        all(isinstance(value, RealSet) for value in values)
        and joins <= {",", ";"}
        and not any(value.name for value in values if isinstance(value, RealSet))
    ):
        return Several(tuple(values))
    if (
        all(isinstance(value, RealSet) for value in values)
        and len({value.name for value in values if isinstance(value, RealSet)}) == 1
    ):
        found = _joined_sets([value for value in values if isinstance(value, RealSet)], joins)
        if joins <= _AND and not found.parts:
            return Several(tuple(values))  # no number is in all of these
        return found
    if _takes_conditions(values[0], values[1:]):
        conditions = [value for value in values[1:] if is_condition(value)]
        rest = [values[0], *(value for value in values[1:] if not is_condition(value))]
        if conditions:
            return Conditioned(combined([(value, ",") for value in rest]), tuple(conditions))
    names = [value.name if isinstance(value, NamedValue) else None for value in values]
    if isinstance(first, NamedValue) and (all(name is None for name in names[1:]) or len(set(names)) == 1):
        unwrapped = [value.value if isinstance(value, NamedValue) else value for value in values]
        return NamedValue(first.name, Several(tuple(_flat(unwrapped))), first.left)
    if not joins <= _OR and (points := _points_by_name(values)) is not None:
        return points
    flat = _flat(values)
    unit = flat[-1].unit if isinstance(flat[-1], Quantity) else ""
    if unit and unit != "%" and all(isinstance(value, Node) and not letters(value) for value in flat[:-1]):
        flat = [Quantity(value, unit) if isinstance(value, Node) else value for value in flat]
    return Several(tuple(flat), is_choice=_is_choice(flat, joins))


def _points_by_name(values: Sequence[Value]) -> NamedValue | None:
    """`x = 1, y = 2 or x = 3, y = 4` as `(x, y) = (1, 2), (3, 4)`; None for any other values."""
    named = [value for value in values if isinstance(value, NamedValue) and isinstance(value.left, Symbol)]
    names = sorted({value.name for value in named})
    size = len(names)
    if len(named) < len(values) or size < 2 or len(named) % size or len(named) == size:
        return None
    groups = [sorted(named[at : at + size], key=lambda value: value.name) for at in range(0, len(named), size)]
    if any([value.name for value in group] != names for group in groups):
        return None
    left = Bracketed("(", ")", tuple(map(Symbol, names)))
    points = tuple(Bracketed("(", ")", tuple(value.value for value in group)) for group in groups)
    return NamedValue(spelled(left), Several(points), left)


def _is_choice(values: Sequence[Value], joins: set[str]) -> bool:
    """Return True for `x = 1 or y = 2`, where every value is of another letter. `x_1` and `x_2` are of one."""
    names = [value.name.partition("_")[0] for value in values if isinstance(value, NamedValue | RealSet)]
    is_or = bool(joins & _OR) and not joins & _AND
    return is_or and all(names) and len(set(names)) == len(names) == len(values) > 1


def _without_name(values: list[Value]) -> list[Value]:
    """The values behind the first, without the name that the first one has too."""
    name = values[0].name if isinstance(values[0], NamedValue) else None
    return [one.value if isinstance(one, NamedValue) and one.name == name else one for one in values[1:]]


def _takes_conditions(first: Value, others: list[Value]) -> bool:
    """Return True if conditions behind a value are its own: those behind a set restrict a letter of its ends."""
    if isinstance(first, RealSet):
        ends = letters(first)
        return any(
            isinstance(one, RealSet) and one.name in ends or _membership(one) is not None and bool(letters(one) & ends)
            for one in others
        )
    return not is_condition(first) and not isinstance(first, Words | Choice)


def enumerated(conditions: Iterable[Value]) -> list[Value]:
    r"""The conditions, with a set of numbers for `k = 0, \pm 1, \pm 2, \ldots` or `k = 1, 2, 3, \ldots` that ends them."""
    found = list(conditions)
    at = max((at for at, value in enumerate(found) if isinstance(value, NamedValue)), default=-1)
    first = found[at] if at >= 0 else None
    if not isinstance(first, NamedValue) or not isinstance(first.left, Symbol) or found[-1] != Symbol("..."):
        return found
    numbers = [exact(one) if isinstance(one, Node) else None for one in _flat([first.value, *found[at + 1 : -1]])]
    size = len(numbers)
    are_whole = Relation((first.left, Constant("ZZ")), ("in",))
    if size > 1 and numbers in ([*range(size)], [*range(1, size + 1)]):
        start = Number(numbers[0] or Fraction(0))
        return [*found[:at], are_whole, RealSet((Interval(start, INFINITY, True, False),), (), first.name)]
    if size > 2 and numbers == [(n + 1) // 2 * (1 if n % 2 else -1) for n in range(size)]:
        return [*found[:at], are_whole]
    return found


def _with_letters_in(values: list[Value]) -> list[Value]:
    r"""The values, with a set of numbers for each letter of `a, b \in \mathbb{R}` that stands behind another value."""
    found: list[Value] = []
    for value in reversed(values):
        within = _membership(found[-1]) if found else None
        if within is not None and isinstance(value, Symbol) and value.name in letters(values[0]) and value != values[0]:
            found.append(meaning(Relation((value, within), ("in",))))
        else:
            found.append(value)
    return found[::-1]


def _membership(value: Value) -> Value | None:
    """The set of numbers that a condition names."""
    if isinstance(value, RealSet) and value.name and value.parts == (REALS,) and not value.without:
        return Constant("RR")
    return value.sides[1] if isinstance(value, Relation) and value.signs == ("in",) else None


def _joined_sets(sets: list[RealSet], joins: set[str]) -> RealSet:
    """All sets joined by what stands between them; a comma between sets that do not meet stands for "or"."""
    found = sets[0]
    is_only_and = joins <= _AND
    for other in sets[1:]:
        met = meet(found, other)
        is_or = bool(joins & _OR) and not (other.without and other.parts == (REALS,))
        is_and = (
            bool(joins & _AND)
            or bool(other.without and other.parts == (REALS,))
            or bool(found.without and found.parts == (REALS,))
        )
        if (
            met is None
            or (not is_and and (is_or or not met.parts))
            or (is_and and not met.parts and not found.without and not is_only_and)
        ):
            found = RealSet((*found.parts, *other.parts), (*found.without, *other.without), found.name)
        else:
            found = met
    return found


__all__ = [
    "CompositeQuantity",
    "as_real_set",
    "both_signs",
    "close_enough",
    "combined",
    "enumerated",
    "interval_of",
    "is_condition",
    "is_name",
    "may_be_named",
    "meaning",
    "says_again",
]
