"""The values that an answer may have: made by the reader, compared by type."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written. `places`: its decimal places, None for an integer."""

    value: Fraction
    places: int | None = None
    digits: int = 0  # significant ones, of a decimal


@dataclass(frozen=True, slots=True)
class Symbol:
    """A letter, or a name such as `a_1`."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """pi, e, i, infinity, the empty set, or a set of numbers such as RR."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation or a function on its arguments."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Items between brackets, which may be a point, an interval, a set or a list. `opening` and `closing` as written."""

    opening: str
    closing: str
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of a matrix; a vector has one row or one column."""

    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One row of a function by cases. `when`: alternatives, each of conditions that all hold; none: in all other cases."""

    value: Value
    when: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Piecewise:
    """A function by cases."""

    rows: tuple[Branch, ...]


Node = Number | Symbol | Constant | Apply | Bracketed | Matrix | Piecewise


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit, `%` and degrees included. A unit that is no known one is the word that was written."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class CompositeQuantity:
    """A quantity in several units, as `2 h 30 min`."""

    parts: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class Based:
    """A whole number with the base of its digits written behind it."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """`3:4`. `is_clock`: it may be a time of day as well."""

    terms: tuple[Node, ...]
    is_clock: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `half`: "am", "pm" or "" where neither is written."""

    hour: int
    minute: int
    second: int
    half: str


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the calendar; parts that are not written are None."""

    day: int | None
    month: int
    year: int | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain such as `a < b \\le c` or `x = y`. `signs` stand between `sides`."""

    sides: tuple[Value, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers between two ends."""

    low: Node
    high: Node
    has_low: bool
    has_high: bool


@dataclass(frozen=True, slots=True)
class RealSet:
    """A union of intervals, without some points. `name`: the variable of the inequality it was written as."""

    parts: tuple[Interval, ...]
    without: tuple[Node, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class SetBuilder:
    """`{ element | conditions }`."""

    element: Value
    conditions: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A value and the name that is given to it: `x = 5`, `f(x) = x^2`."""

    name: str
    value: Value
    left: Node | None = None  # the left side as an expression


@dataclass(frozen=True, slots=True)
class Several:
    """Several answers in any order. `is_set`: braces stand around them. `is_choice`: one of them holds, each of another letter."""

    items: tuple[Value, ...]
    is_set: bool = False
    is_choice: bool = False


@dataclass(frozen=True, slots=True)
class Conditioned:
    """A value and the conditions on its letters: `2n for n \\ge 3`."""

    value: Value
    conditions: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Approximate:
    """A value that is said to be rounded; `exact` is the unrounded value, if that is written too."""

    value: Value
    exact: Value | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Letters of a multiple choice, and the text after a single one."""

    letters: str
    content: Value | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Words in lower case."""

    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """Words and mathematics in turn; all of it counts."""

    parts: tuple[Value, ...]


Value = (
    Node | Quantity | CompositeQuantity | Based | Ratio | Clock | Date | Relation | RealSet | SetBuilder | NamedValue | Several | Conditioned | Approximate
    | Choice | Words | Prose
)  # fmt: skip
