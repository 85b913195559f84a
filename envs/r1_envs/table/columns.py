"""The columns of a table by role: as the options say, or by the usual names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import r1sdk
from r1_verifiers import TEST_COLUMNS

from ..table_io import Row

USUAL = {  # role -> names in any case, in the order of search
    "prompt": ("problem", "question", "prompt", "description", "text", "instruction", "messages", "conversations"),
    "answer": (
        "answer",
        "final_answer",
        "solution",
        "expected_answer",
        "ground_truth",
        "reward_model.ground_truth",
        "messages",
        "conversations",
        "output",
    ),
    "choices": ("choices", "options"),
    "tests": TEST_COLUMNS,
    "solution": ("solution", "code", "gold_standard_solution", "canonical_solution", "solutions"),
    "category": ("category", "subject", "topic"),
}


def cell(row: Row, name: str) -> Any:
    """The value of a column, or of a key of an object in one: `reward_model.ground_truth`. None where it is not there."""
    value, rest = _column(row, name)
    for key in rest:
        value = json.loads(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _column(row: Row, name: str) -> tuple[Any, list[str]]:
    """The value of the column that a name begins with, and the keys that follow it. A column may have a point in its name."""
    if name in row:
        return row[name], []
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        if (column := ".".join(parts[:length])) in row:
            return row[column], parts[length:]
    return None, parts


def _has(row: Row, name: str, what: str, is_named: bool) -> bool:
    value, rest = _column(row, name)
    if name in row:
        return is_named or what != "answer" or name not in ("messages", "conversations") or answered(value) is not None
    return bool(rest) and value is not None and cell(row, name) is not None


def _keys_inside(row: Row) -> list[str]:
    return [f"{name}.{key}" for name, value in row.items() if isinstance(value, Mapping) for key in value]


def is_conversation(value: Any) -> bool:
    """Return True for a list of messages with roles, or with `from` and `value`."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, Mapping) and ("role" in one or "from" in one) for one in value)
    )


def answered(conversation: Any) -> Any:
    """Return the last message of the assistant, or the gold answer in it; None if there is no such message."""
    if not is_conversation(conversation):
        return None
    last = conversation[-1]
    if str(last.get("role", last.get("from"))) not in ("assistant", "gpt"):
        return None
    gold = last.get("ground_truth")
    if isinstance(gold, Mapping):
        gold = gold.get("value")
    return gold if gold is not None else last.get("content", last.get("value"))


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table by role. None: the first of the usual names that a row has."""

    prompt: str | None = None
    answer: str | None = None
    choices: str | None = None
    tests: str | None = None
    solution: str | None = None
    category: str | None = None

    def name(self, what: str, row: Row) -> str | None:
        """The column of `row` that holds `what`, None where it has none. One that holds something goes before an empty one."""
        named = getattr(self, what)
        spelled = {str(name).lower(): str(name) for name in row}
        usual = (name if name in row else spelled.get(name, name) for name in USUAL[what])
        names = [name for name in ((named,) if named else usual) if _has(row, name, what, bool(named))]
        return next((name for name in names if cell(row, name) is not None), names[0] if names else None)

    def get(self, what: str, row: Row) -> Any:
        """The value that `row` has of `what`. Raises: R1Error that names the columns there are."""
        name = self.name(what, row)
        if name is not None:
            value = cell(row, name)
            if what == "answer" and isinstance(value, Mapping) and value:
                raise r1sdk.R1Error(
                    f"{name!r} holds an object with the keys {', '.join(map(str, value))}"
                    f"\n  name the one that is the answer with the option {what}_column, as {name}.{next(iter(value))}"
                )
            if isinstance(value, float) and math.isnan(value) and what in ("prompt", "answer"):
                raise r1sdk.R1Error(f"{name!r} is NaN, which stands for a value that is missing")
            if what == "prompt" and (added := self._input(name, row)):
                return f"{value}\n\n{added}"
            return answered(value) if what == "answer" and is_conversation(value) else value
        named = getattr(self, what)
        looked_for = (named,) if named else USUAL[what]
        hint = ""
        if what == "answer" and self.name("tests", row):
            hint = "\n  it has tests: choose the verifier code"
        elif what == "category":
            hint = ", or with null for none"
        elif (inside := _keys_inside(row)) and what in ("prompt", "answer"):
            hint = f"; what an object holds is named COLUMN.KEY, as {inside[0]}"
        raise r1sdk.R1Error(
            f"no column {' or '.join(map(repr, looked_for))}; found {', '.join(map(str, row))}"
            f"\n  name the column with the option {what}_column{hint}"
        )

    def _input(self, name: str, row: Row) -> str:
        """Return the text that the column `input` adds to an `instruction`, as Alpaca has it."""
        spelled = {str(other).lower(): other for other in row}
        added = (
            row[spelled["input"]]
            if self.prompt is None and name.lower() == "instruction" and "input" in spelled
            else ""
        )
        return added if isinstance(added, str) and added.strip() else ""

    def find(self, what: str, row: Row) -> Any:
        """The value that `row` has of `what`; None where it has none and no column is named for it."""
        return self.get(what, row) if getattr(self, what) or self.name(what, row) else None

    def describe(self, row: Row, reads: Sequence[str]) -> str:
        """Say which columns of `row` are used by a verifier that reads those roles, and which were found by their usual names."""
        said, found = [], []
        for what in dict.fromkeys(("prompt", *reads, "category")):
            if what not in USUAL:
                continue
            if (name := self.name(what, row)) is not None:
                said.append(
                    f"{what} from {name!r}" + (" and 'input'" if what == "prompt" and self._input(name, row) else "")
                )
                found += [] if getattr(self, what) else [f"{what}_column"]
        return ", ".join(said) + (f" (found by name; else set {', '.join(found)})" if found else "")


@dataclass(frozen=True, slots=True)
class TableRow:
    """An `r1sdk.RowView`: one row, with its columns by role, and its problem as text."""

    row: Row
    columns: Columns
    problem: str = ""

    def get(self, role: str, /) -> Any:
        """Return the value of the column that has this role. Raises: R1Error that names the columns there are."""
        self._check(role)
        return self.columns.get(role, self.row)

    def find(self, role: str, /) -> Any:
        """Return the value of the column that has this role; None where no column has it and none was named for it."""
        self._check(role)
        return self.columns.find(role, self.row)

    def _check(self, role: str) -> None:
        if role not in USUAL:
            raise ValueError(f"a column has no role {role!r}: roles are {', '.join(USUAL)}; other columns are in `row`")
