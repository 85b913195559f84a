"""Which column of a table holds what: as the options say, or by the usual names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import r1sdk

from ..table_io import Row

USUAL = {  # what -> names, in the order in which they are looked for
    "prompt": ("problem", "question", "prompt", "description", "text"),
    "answer": ("answer", "final_answer", "solution"),
    "choices": ("choices", "options"),
    "tests": (
        *("tests", "test_list", "verification_info", "test_cases", "input_output", "reward_model", "ground_truth"),
        *("public_test_cases", "official_tests", "test"),
    ),
    "solution": ("solution", "code", "gold_standard_solution", "canonical_solution", "solutions"),
    "category": ("category", "subject", "topic"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table by what they hold. None: the first of the usual names that a row has."""

    prompt: str | None = None
    answer: str | None = None
    choices: str | None = None
    tests: str | None = None
    solution: str | None = None
    category: str | None = None

    def name(self, what: str, row: Row) -> str | None:
        """The column of `row` that holds `what`, None where it has none. One that holds something goes before an empty one."""
        named = getattr(self, what)
        names = [name for name in ((named,) if named else USUAL[what]) if name in row]
        return next((name for name in names if row[name] is not None), names[0] if names else None)

    def get(self, what: str, row: Row) -> Any:
        """The value that `row` has of `what`. Raises: R1Error that names the columns there are."""
        name = self.name(what, row)
        if name is not None:
            return row[name]
        named = getattr(self, what)
        looked_for = (named,) if named else USUAL[what]
        hint = ""
        if what == "answer" and self.name("tests", row):
            hint = "\n  it has tests: choose the verifier code"
        elif what == "category":
            hint = ", or with null for none"
        raise r1sdk.R1Error(
            f"no column {' or '.join(map(repr, looked_for))}; found {', '.join(map(str, row))}"
            f"\n  name the column with the option {what}_column{hint}"
        )

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
                said.append(f"{what} from {name!r}")
                found += [] if getattr(self, what) else [f"{what}_column"]
        return ", ".join(said) + (f" (found by name; else set {', '.join(found)})" if found else "")


@dataclass(frozen=True, slots=True)
class TableRow:
    """An `r1sdk.RowView`: one row, with the columns that hold what, and its problem in words."""

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
