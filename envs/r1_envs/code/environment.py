"""The environment of programming problems: its tasks, their check in a sandbox, and their reference solutions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import r1sdk
from r1_rewards.code.programs import Scoring, check_program
from r1_rewards.code.values import show_value

from .problems import OWN, Problem, read_problems


@dataclass(frozen=True)
class CodeProblems:
    """Programs to write, judged by running them on tests in a sandbox: 40 small problems of ours, or those of `file`.

    A file has columns prompt and tests (or MBPP's text and test_list, or Open-R1's verification_info); its rows may have a
    `solution`, `timeout_s`, `memory_bytes`, `tolerance`, `language`. A problem belongs to one split for ever. What is expected
    never enters the sandbox.
    """

    file: str | None = None  # JSON lines, CSV or parquet, or a data set on the Hub; None: our own
    level: Literal[1, 2, 3] | None = None  # of our own problems: 1 is the easiest; None: all
    scoring: Scoring = (
        "fraction"  # of the tests; all: 1.0 or 0.0; weighted: by weights, none begun after one that fails
    )
    exact: bool = False  # the same text but for a last newline, instead of the same words
    test_share: float = 0.25  # of the problems
    shown: int = 1  # tests that the prompt shows as examples
    timeout_s: float = 5.0  # of a case, where the problem does not say
    memory_bytes: int = 512 << 20
    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option()

    def __post_init__(self) -> None:
        if not 0.0 <= self.test_share <= 1.0:
            raise ValueError(f"test_share is from 0 to 1, got {self.test_share}")
        if self.shown < 0:
            raise ValueError(f"shown is at least 0, got {self.shown}")
        if self.file is not None and self.level is not None:
            raise ValueError("level is of our own problems; a file has none")
        r1sdk.ExecutionLimits(timeout_s=self.timeout_s, memory_bytes=self.memory_bytes)

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """The tasks of "train" or "test", in the order of the file. Raises: R1Error for a language that cannot be run."""
        if split not in ("train", "test"):
            raise r1sdk.R1Error(f"code has the splits train and test, not {split!r}")
        if self.sandbox is not None:
            _check_languages(self.file or OWN, self.sandbox)
        for problem in read_problems(self.file or OWN):
            if problem.is_test(self.test_share) != (split == "test") or self.level not in (None, problem.level):
                continue
            yield self._task(problem, f"{split}/row {problem.row}")

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """The share of the tests that the reply's program passes. Raises: Unavailable where the sandbox does not answer."""
        if self.sandbox is None:
            raise r1sdk.R1Error("environment 'code' needs a sandbox: CodeProblems(sandbox=...)")
        return await check_program(
            rollout.completion.text,
            rollout.task.info,
            self.sandbox,
            scoring=self.scoring,
            exact=self.exact,
            timeout_s=self.timeout_s,
            memory_bytes=self.memory_bytes,
        )

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """The tasks of `split` that have a reference solution, each with it as the reply."""
        for task in self.tasks(split):
            if (reply := self.gold_reply(task)) is not None:
                yield task, r1sdk.Completion([{"role": "assistant", "content": reply}])

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """The reference solution as a reply: it must earn 1.0, or the task cannot be judged. None where there is none."""
        if task.answer is None:
            return None
        language = task.info.get("language") or "python"
        block = f"```{language}\n{task.answer.rstrip()}\n```"
        return f"<think>\nThe program is known.\n</think>\n<answer>\n{block}\n</answer>"

    def summary(self) -> str:
        """Which tasks these are, and where they run, in one line."""
        which = self.file or ("our own" if self.level is None else f"our own, level {self.level}")
        jail = next((g.how for g in self.sandbox.check() if g.name == "jail"), "") if self.sandbox else ""
        return f"Programs: {which}" + (f"; run in {jail}" if jail else "")

    def _task(self, problem: Problem, name: str) -> r1sdk.Task:
        cases = problem.tests.cases
        kind = "Define the function" if cases[0].is_call else "Write a program that reads stdin and prints to stdout"
        examples = [_example(case.stdin, case.expected, case.is_call) for case in cases[: self.shown]]
        asked = "\n\n".join(
            [problem.prompt, *examples, f"{kind}, in one fenced block of {problem.tests.language} code in the answer."]
        )
        return r1sdk.Task(
            prompt=[{"role": "system", "content": r1sdk.SYSTEM_PROMPT}, {"role": "user", "content": asked}],
            answer=problem.solution,
            info={**problem.info, "language": problem.tests.language},
            id=name,
        )


def _check_languages(source: str, sandbox: r1sdk.Sandbox) -> None:
    """The languages of all problems, before the first task of any split. Raises: R1Error for all that cannot be run."""
    missing = []
    for language, row in _languages(source):
        try:
            sandbox.check(language)
        except r1sdk.R1Error as error:
            missing.append(f"row {row}: {error}")
    if missing:
        raise r1sdk.R1Error("\n".join(missing))


@cache
def _languages(source: str) -> tuple[tuple[str, int], ...]:
    """The languages of the problems, each with the first row that has it."""
    rows: dict[str, int] = {}
    for problem in read_problems(source):
        rows.setdefault(problem.tests.language, problem.row)
    return tuple(rows.items())


def _example(stdin: str, expected: str, is_call: bool) -> str:
    if not is_call:
        return f"Input:\n{stdin.rstrip()}\nOutput:\n{expected.rstrip()}"
    asked = json.loads(stdin)
    call = asked.get("call") or f"{asked['function']}({', '.join(map(repr, asked['arguments']))})"
    return f"Example: {call} is {show_value(expected)}"
