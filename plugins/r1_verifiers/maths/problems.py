"""The expressions in a problem, which an answer may repeat on its left side."""

from __future__ import annotations

import re
from functools import lru_cache

from .lexer import tokens
from .signs import CannotRead, tidied
from .statements import Statements
from .types import Node

_SPAN = re.compile(r"(?<!\\)\$([^$]{1,200})\$|\\\((.{1,200}?)\\\)|\\\[(.{1,200}?)\\\]", re.DOTALL)
_ASKED = re.compile(r"(?:find|compute|determine|evaluate|value of|what is)\s+([^.?,;:$]{1,60})", re.IGNORECASE)
_MAX_SPANS = 40


@lru_cache(maxsize=1024)
def asked_for(problem: str) -> frozenset[Node]:
    """The expressions in a problem that hold letters and are no equations."""
    found = set()
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
        if isinstance(value, Node):
            found.add(value)
    return frozenset(found)
