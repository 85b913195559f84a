"""The verifier `code`: programs, run on the tests of their row in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import r1sdk

from .code import TEST_COLUMNS, Imports, Scoring
from .fences import language_name

if TYPE_CHECKING:
    from .code.tests import Tests

# Columns that belong to the tests.
_KEPT = ("language", "timeout_s", "memory_bytes", "tolerance", "prelude", "checker", "imports")


@dataclass(frozen=True)
class CodeVerifier:
    """0.0 to 1.0: how many of its task's tests a program passes. The expected outputs never enter the sandbox."""

    scoring: Scoring = "fraction"  # all: 1.0 or 0.0; weighted: by weights, none begun after one that fails
    exact: bool = False  # the same text but for a last newline, instead of the same words
    timeout_s: float = 5.0  # of a case, where the row does not say
    memory_bytes: int = 512 << 20
    shown: int = 1  # tests that the prompt shows as examples
    imports: Imports = (
        "auto"  # the usual ones before a program: where the benchmark's own grader has them; always; never
    )
    budget_s: float | None = None  # that failed tests of one reply may take together; None: 12 times timeout_s
    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option()

    reads: ClassVar[Sequence[str]] = ("tests",)

    def __post_init__(self) -> None:
        if self.shown < 0:
            raise ValueError(f"shown is at least 0, got {self.shown}")
        r1sdk.ExecutionLimits(timeout_s=self.timeout_s, memory_bytes=self.memory_bytes)

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        """Return the first tests as examples, and the tests as info. Raises: R1Error where they cannot be read."""
        from .code.shapes import NoTests, normal_info, read_solution
        from .code.tests import read_tests

        try:
            found = normal_info(row.row, _column_of(row))
        except NoTests:
            row.get("tests")
            raise
        info: dict[str, Any] = {name: row.row[name] for name in _KEPT if row.row.get(name) is not None} | found
        tests = read_tests(info, imports=self.imports)
        solution = read_solution(row.row, row.find("solution"), tests.language)
        kind = (
            "Define the function" if tests.cases[0].is_call else "Write a program that reads stdin and prints to stdout"
        )
        asked = f"{kind}, in one fenced block of {tests.language} code in the answer."
        return r1sdk.Posed(
            added="\n\n".join([*tests.examples(self.shown), asked]),
            answer=solution,
            info={**info, "language": tests.language},
        )

    def check_rows(self, rows: Iterable[r1sdk.RowView]) -> None:
        """Look up the languages of all programs. Raises: R1Error that names each one which the sandbox cannot run."""
        if self.sandbox is None:
            return
        missing = []
        for language in list(_languages(rows)) or ["python"]:
            try:
                self.sandbox.check(language)
            except r1sdk.R1Error as error:
                missing.append(str(error))
        if missing:
            raise r1sdk.R1Error("\n".join(missing))

    def read_gold(self, task: r1sdk.Task) -> Tests:
        """Return the tests of a task. Raises: Unverifiable where they cannot be read."""
        from .code.tests import read_tests

        try:
            tests = read_tests(task.info, self.timeout_s, self.memory_bytes, self.imports)
        except (ValueError, r1sdk.R1Error) as error:
            raise r1sdk.Unverifiable(str(error)) from None
        return replace(tests, solution=task.answer)

    async def verify(self, gold: Tests, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return the verdict of the tests. Raises: Unavailable where the sandbox does not respond."""
        if self.sandbox is None:
            raise r1sdk.R1Error("the verifier code needs a sandbox: CodeVerifier(sandbox=...)")
        from .code.run_tests import run_tests

        return await run_tests(
            reply.text, gold, self.sandbox, scoring=self.scoring, exact=self.exact, budget_s=self.budget_s
        )

    def variants(self, gold: Tests) -> Iterator[str]:
        """Yield programs that are nearly right, as fenced blocks: empty, the first expected output, the first test alone, off by one."""
        from .code.near_programs import near_misses

        yield from near_misses(gold, gold.solution)

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """Return the reference solution as a reply; None where there is none."""
        if task.answer is None:
            return None
        language = task.info.get("language") or "python"
        block = f"```{language}\n{task.answer.rstrip()}\n```"
        return f"<think>\nThe program is known.\n</think>\n<answer>\n{block}\n</answer>"

    def examples(self) -> Iterator[tuple[r1sdk.Task, str]]:
        """Yield a task with two tests, and a program that passes them."""
        tests = [{"input": "2 3\n", "output": "5\n"}, {"input": "10 -4\n", "output": "6\n"}]
        prompt = [{"role": "user", "content": "Print the sum of the two numbers on stdin."}]
        task = r1sdk.Task(prompt, "print(sum(map(int, input().split())))", {"tests": tests}, "sum")
        yield task, self.gold_reply(task) or ""


def _languages(rows: Iterable[r1sdk.RowView]) -> Iterator[str]:
    """The languages of the programs that `rows` ask for, each once."""
    seen = set()
    for row in rows:
        language = row.row.get("language")
        tests = row.find("tests") if language is None else None
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


def _column_of(row: r1sdk.RowView) -> str | None:
    """The column that has the tests, if it was named; None where the shapes are to find it."""
    held = row.find("tests")
    name = None if held is None else next((name for name, value in row.row.items() if value is held), None)
    usual = next((name for name in TEST_COLUMNS if row.row.get(name) is not None), None)
    return None if name == usual else name
