"""The expressions in a problem, which an answer may repeat on its left side."""

from __future__ import annotations

import re
from functools import lru_cache

from .lexer import tokens
from .signs import CannotRead, tidied
from .statements import Statements
from .types import Node, Relation, Value

_SPAN = re.compile(r"(?<!\\)\$([^$]{1,200})\$|\\\((.{1,200}?)\\\)|\\\[(.{1,200}?)\\\]", re.DOTALL)
_ASKED = re.compile(
    r"(?:find|compute|determine|evaluate|value of|what is|solve(?: the inequality)?)\s+([^.?,;:$]{1,60})", re.IGNORECASE
)
_MAX_SPANS = 40
_INDEXED = re.compile(r"([A-Za-z])_\{?(\w+)")
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
    problem = problem[:20_000]
    found: set[str] = set()
    plain = _SPAN.sub(" ", problem)
    for match in _SPAN.finditer(problem):
        text = next(filter(None, match.groups()))
        found.update(_COMMAND.findall(text))
        for run in _RUN.findall(_COMMAND.sub(" ", text)):
            found.update(run if len(run) <= 3 or run.isupper() else ())
    for text in _BESIDE_SIGNS.findall(plain) + _ALONE.findall(plain):
        found.update(text)
    found.update(f"{letter}_{index}" for letter, index in _INDEXED.findall(problem))
    return frozenset(found)
