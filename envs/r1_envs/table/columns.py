"""Which column of a table holds what: as the options say, or by the usual names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import r1sdk

from ..table_io import Row

USUAL = {  # what -> names, in the order in which they are looked for
    "prompt": ("problem", "question", "prompt", "description", "text"),
    "answer": ("answer", "final_answer", "solution"),
    "choices": ("choices", "options"),
    "tests": ("tests", "test_list", "verification_info", "test_cases"),
    "solution": ("solution", "code"),
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

    def describe(self, row: Row, verifier: str) -> str:
        """Which columns of `row` are used by that verifier, and which of them were found by their usual names."""
        needed = {"choice": ("prompt", "choices", "answer"), "code": ("prompt", "tests")}
        said, found = [], []
        for what in (*needed.get(verifier, ("prompt", "answer")), "category"):
            if (name := self.name(what, row)) is not None:
                said.append(f"{what} from {name!r}")
                found += [] if getattr(self, what) else [f"{what}_column"]
        return ", ".join(said) + (f" (found by name; else set {', '.join(found)})" if found else "")
