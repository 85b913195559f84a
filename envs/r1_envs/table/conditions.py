"""Conditions on rows, as `level >= 4` or `source in ["amc", "aime"]`: read strictly, nothing is evaluated."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import r1sdk

from ..table_io import Row

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
}
_CONDITION = re.compile(r"\s*(.+?)\s*(!=|<=|>=|==|=|<|>|\bnot in\b|\bin\b)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column with a value. A row whose column is empty does not meet it, but for `= null`."""

    column: str
    sign: str
    value: Any

    def holds(self, row: Row) -> bool:
        """Raises: R1Error where the row has no such column, or its value cannot be compared."""
        if self.column not in row:
            raise r1sdk.R1Error(f"no column {self.column!r} for the condition on it; found {', '.join(map(str, row))}")
        found = row[self.column]
        if isinstance(self.value, (int, float)) and isinstance(found, str):
            try:
                found = float(found)  # a CSV has texts only
            except ValueError:
                pass
        if self.sign in ("=", "==", "!="):
            return OPERATORS[self.sign](found, self.value)
        if found is None:
            return False
        try:
            return OPERATORS[self.sign](found, self.value)
        except TypeError:
            raise r1sdk.R1Error(
                f"{self.column!r} is {found!r:.60}, which {self.sign} cannot compare with {self.value!r:.60}"
            ) from None


def read_condition(text: str) -> Condition:
    """`COLUMN SIGN VALUE`; the value is JSON, or a text without quotes. Raises: ValueError."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f"a condition is COLUMN SIGN VALUE with a sign of {', '.join(OPERATORS)}, got {text!r}")
    column, sign, value = match.groups()
    try:
        read = json.loads(value)
    except ValueError:
        read = value
    if sign in ("in", "not in") and not isinstance(read, list):
        raise ValueError(f"after {sign!r} comes a list, as {column} {sign} [1, 2], got {text!r}")
    return Condition(column, sign, read)
