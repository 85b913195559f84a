"""The verifier `code`: programs, run on the tests of their row in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import r1sdk
from r1_verifiers.code import Imports, Scoring
from r1_verifiers.code.tests import read_tests
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.shapes import NoTests, normal_info, read_solution
from r1_verifiers.fences import language_name

from ...rows import Row
from ..columns import Columns
from .contract import Posed

# Columns that belong to the tests.
_KEPT = ("language", "timeout_s", "memory_bytes", "tolerance", "prelude", "checker", "imports")


@dataclass(frozen=True)
class Code:
    """How many of its row's tests a program passes. What is expected never enters the sandbox."""

    scoring: Scoring = (
        "fraction"  # of the tests; all: 1.0 or 0.0; weighted: by weights, none begun after one that fails
    )
    exact: bool = False  # the same text but for a last newline, instead of the same words
    timeout_s: float = 5.0  # of a case, where the row does not say
    memory_bytes: int = 512 << 20
    shown: int = 1  # tests that the prompt shows as examples
    imports: Imports = "auto"  # the usual ones in front of a program: where the data set's own grader has them; always; never
    budget_s: float | None = None  # that failed tests of one reply may take together; None: 12 times timeout_s
    sandbox: Any = None  # the environment's

    def __post_init__(self) -> None:
        if self.shown < 0:
            raise ValueError(f"shown is at least 0, got {self.shown}")
        r1sdk.ExecutionLimits(timeout_s=self.timeout_s, memory_bytes=self.memory_bytes)

    def pose(self, problem: str, row: Row, columns: Columns) -> Posed:
        try:
            found = normal_info(row, columns.tests)
        except NoTests:
            columns.get("tests", row)
            raise
        info: dict[str, Any] = {name: row[name] for name in _KEPT if row.get(name) is not None} | found
        tests = read_tests(info, imports=self.imports)
        solution = read_solution(row, columns.find("solution", row), tests.language)
        kind = (
            "Define the function" if tests.cases[0].is_call else "Write a program that reads stdin and prints to stdout"
        )
        asked = f"{kind}, in one fenced block of {tests.language} code in the answer."
        return Posed(
            added="\n\n".join([*tests.examples(self.shown), asked]),
            answer=solution,
            info={**info, "language": tests.language},
        )

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Raises: Unavailable where the sandbox does not answer."""
        if self.sandbox is None:
            raise r1sdk.R1Error("the verifier code needs a sandbox: give the environment sandbox=...")
        return await check_program(
            rollout.completion.text,
            rollout.task.info,
            self.sandbox,
            scoring=self.scoring,
            exact=self.exact,
            timeout_s=self.timeout_s,
            memory_bytes=self.memory_bytes,
            imports=self.imports,
            budget_s=self.budget_s,
        )

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """The reference solution; None where there is none."""
        if task.answer is None:
            return None
        language = task.info.get("language") or "python"
        block = f"```{language}\n{task.answer.rstrip()}\n```"
        return f"<think>\nThe program is known.\n</think>\n<answer>\n{block}\n</answer>"


def languages(rows: Iterable[Row], columns: Columns) -> Iterator[str]:
    """The languages of the programs that `rows` ask for, each once."""
    seen = set()
    for row in rows:
        language = row.get("language")
        tests = columns.find("tests", row) if language is None else None
        if isinstance(tests, str) and "language" in tests:
            try:
                tests = json.loads(tests)
            except ValueError:
                continue  # said with its row, where that is read
        if isinstance(tests, Mapping):
            language = tests.get("language")
        name = language_name(str(language or "python"))
        if name not in seen:
            seen.add(name)
            yield name


def check_languages(wanted: Iterable[str], sandbox: r1sdk.Sandbox) -> None:
    """Raises: R1Error for all the languages that `sandbox` cannot run, before the first task."""
    missing = []
    for language in wanted:
        try:
            sandbox.check(language)
        except r1sdk.R1Error as error:
            missing.append(str(error))
    if missing:
        raise r1sdk.R1Error("\n".join(missing))
