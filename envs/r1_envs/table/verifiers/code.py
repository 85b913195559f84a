"""The verifier `code`: programs, run on the tests of their row in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import r1sdk
from r1_verifiers.code import Scoring
from r1_verifiers.code.cases import Case, read_tests
from r1_verifiers.code.programs import check_program
from r1_verifiers.code.values import show_value
from r1_verifiers.fences import language_name

from ...table_io import Row
from ..columns import Columns
from .contract import Posed

_KEPT = ("language", "timeout_s", "memory_bytes", "tolerance", "prelude", "checker")  # columns that belong to the tests


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
    sandbox: Any = None  # the environment's

    def __post_init__(self) -> None:
        if self.shown < 0:
            raise ValueError(f"shown is at least 0, got {self.shown}")
        r1sdk.ExecutionLimits(timeout_s=self.timeout_s, memory_bytes=self.memory_bytes)

    def pose(self, problem: str, row: Row, columns: Columns) -> Posed:
        given = _parsed(columns.get("tests", row))
        info: dict[str, Any] = {name: row[name] for name in _KEPT if row.get(name) is not None}
        info |= given if isinstance(given, Mapping) else {"tests": given}
        try:
            tests = read_tests(info)
        except ValueError as error:
            raise r1sdk.R1Error(str(error)) from None
        solution = columns.find("solution", row)
        kind = (
            "Define the function" if tests.cases[0].is_call else "Write a program that reads stdin and prints to stdout"
        )
        asked = f"{kind}, in one fenced block of {tests.language} code in the answer."
        return Posed(
            added="\n\n".join([*map(_example, tests.cases[: self.shown]), asked]),
            answer=solution if isinstance(solution, str) else None,
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


def _parsed(tests: Any) -> Any:
    """CSV and some data sets hold JSON in a string."""
    if not isinstance(tests, str):
        return list(tests) if isinstance(tests, tuple) else tests
    try:
        return json.loads(tests)
    except ValueError as error:
        raise r1sdk.R1Error(f"its tests are not JSON: {error}") from None


def _example(case: Case) -> str:
    if not case.is_call:
        return f"Input:\n{case.stdin.rstrip()}\nOutput:\n{case.expected.rstrip()}"
    asked = json.loads(case.stdin)
    call = asked.get("call") or f"{asked['function']}({', '.join(map(repr, asked['arguments']))})"
    return f"Example: {call} is {show_value(case.expected)}"
