"""The environment `code`: r1sdk's own programming problems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import r1sdk

from ..table import Table
from ..table_io import Row

OWN = str(Path(__file__).parent / "problems.jsonl")


@dataclass(frozen=True)
class CodeProblems(Table):
    """40 small programming problems, verified by running the programs on tests in a sandbox. For your own problems use `file`.

    A problem belongs to one split for ever. What is expected never enters the sandbox.
    """

    source: str = OWN
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option("code", shares=("sandbox",))
    test_share: float = 0.25
    category_column: str | None = "level"
    level: Literal[1, 2, 3] | None = None  # 1 is the easiest; None: all

    is_python: ClassVar[bool] = True
    heavy: ClassVar[tuple[str, ...]] = ("wrong",)  # programs that the tests must reject, for r1sdk's own tests

    def adapt(self, row: Row) -> Row | None:
        """Return the row if it has the level asked for."""
        return row if self.level in (None, row.get("level")) else None

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield the tasks of `split` that have a reference solution, each with that solution as the reply."""
        for task in self.tasks(split):
            if (reply := self.gold_reply(task)) is not None:
                yield task, r1sdk.Completion([{"role": "assistant", "content": reply}])

    def summary(self) -> str:
        """Return one line: the problems, and the sandbox that runs their programs."""
        which = "our own" if self.level is None else f"our own, level {self.level}"
        jail = next((g.how for g in self.sandbox.check() if g.name == "jail"), "") if self.sandbox else ""
        return f"Programs: {which}" + (f"; run in {jail}" if jail else "")
