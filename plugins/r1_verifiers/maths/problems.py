"""The expressions in a problem, which an answer may repeat on its left side."""

from __future__ import annotations

import re
from functools import lru_cache

from .lexer import tokens
from .signs import CannotRead, in_plain_signs, tidied
from .statements import Statements
from .types import Node, Relation, Value

_SPAN = re.compile(r"(?<!\\)\$([^$]{1,200})\$|\\\((.{1,200}?)\\\)|\\\[(.{1,200}?)\\\]", re.DOTALL)
_ASKED = re.compile(
    r"(?:find|compute|determine|evaluate|value of|what is|solve(?: the inequality)?)\s+([^.?,;:$]{1,60})", re.IGNORECASE
)
_MAX_SPANS = 40
_INDEXED = re.compile(r"([A-Za-z])_\{?(\w+)")
_NUMBERED = re.compile(r"(?<![A-Za-z\\])([A-Za-z])(\d{1,2})(?![A-Za-z\d]|\.\d)")
_MAY_BE_SQUARED = "xyzt"  # as `x2 - 3x` where the exponent was lost
# The corners of a figure, `triangle ABC`, and not words in capitals.
_CORNERS = re.compile(
    r"(?<![A-Za-z\\])(?!(?:AND|ANY|ALL|ARE|AS|AT|BUT|BY|BOTH|CAN|EACH|HAS|MAKE|THAT|WHAT|ABS|MAX|BVP)\b)[A-Z]{2,4}(?![A-Za-z])"
)
_BAR = re.compile(r"\||\\[lr]?vert(?![A-Za-z])|\\abs(?![A-Za-z])|absolute value")
_ORDER = re.compile(r"[<>]|\\(?:[lg]t|[lg]eq?|[lg]eqslant)(?![A-Za-z])|(?:less|greater) than|at (?:most|least)")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_RUN = re.compile(r"[A-Za-z]+")
_BESIDE_SIGNS = re.compile(
    r"(?<![A-Za-z\\])(?!sin|cos|tan|log|ln|exp|max|min|gcd|lcm|det)[A-Za-z]{1,3}(?=[=+*/^_(<>|\d]|'(?![A-Za-z]))"
    r"|(?<=[=+*/^_|\d])[A-Za-z]{1,3}(?![A-Za-z])"
)
_ALONE = re.compile(
    r"(?<![A-Za-z'\\])(?!I\b)(?:[B-Zb-z]|[aA](?!\s+[a-z]{2,})|[aA](?=\s+(?:and|or|is|are|be|in|such|with)\b))(?![A-Za-z'])"
)


@lru_cache(maxsize=1024)
def asked_for(problem: str) -> frozenset[Node]:
    """The expressions in a problem that hold letters and are no equations."""
    return frozenset(value for value in _statements_in(problem) if isinstance(value, Node))


def posed(problem: str) -> list[Relation]:
    """The equations and inequalities in a problem: who repeats one has not solved it."""
    return [value for value in _statements_in(problem) if isinstance(value, Relation)]


def may_pose_bars(problem: str) -> bool:
    """Return True if a problem holds bars and an order: an inequality with bars may be its own."""
    problem = in_plain_signs(problem[:20_000])
    return _BAR.search(problem) is not None and _ORDER.search(problem) is not None


@lru_cache(maxsize=1024)
def _statements_in(problem: str) -> tuple[Value, ...]:
    found: list[Value] = []
    texts = [next(filter(None, match.groups())) for match in _SPAN.finditer(problem[:20_000])] + _ASKED.findall(
        problem[:20_000]
    )
    for text in texts[:_MAX_SPANS]:
        try:
            parser = Statements(tokens(tidied(text)))
            value = parser.statement()
            parser.refuse_rest()
        except (CannotRead, RecursionError):
            continue
        found.append(value)
    return tuple(found)


@lru_cache(maxsize=1024)
def letters_in(problem: str) -> frozenset[str]:
    """The letters that a problem names, with their indices; rather one too many than one too few."""
    problem = in_plain_signs(problem[:20_000])
    found: set[str] = set()
    plain = _SPAN.sub(" ", problem)
    for match in _SPAN.finditer(problem):
        text = next(filter(None, match.groups()))
        found.update(_COMMAND.findall(text))
        for run in _RUN.findall(_COMMAND.sub(" ", text)):
            found.update(run if len(run) <= 3 or run.isupper() else ())
    for text in _BESIDE_SIGNS.findall(plain) + _ALONE.findall(plain):
        found.update(text)
    found.update(one for run in _CORNERS.findall(plain) for one in run)
    numbered = _NUMBERED.findall(problem)
    counted = {letter for letter, index in numbered if letter not in _MAY_BE_SQUARED or index in ("0", "1")}
    indexed = _INDEXED.findall(problem) + [pair for pair in numbered if pair[0] in counted]
    found.update(f"{letter}_{index}" for letter, index in indexed)
    return frozenset(found)
