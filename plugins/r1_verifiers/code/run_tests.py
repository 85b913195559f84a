"""Verify a reply's program: run it on the tests of its task in a sandbox, and compare its output outside of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import r1sdk

from . import Imports, Scoring
from .checker import run_checker
from .choose import choose_block
from .code_block import Block, find_blocks
from .hacks import find_hacks
from .tests import Tests, read_tests

SHOWN = 512  # characters of a program that a verdict keeps
MAX_LENGTH = 200_000  # characters of a program
BUDGET = 12.0  # times the limit of one test: the budget for the failed tests of one reply
_CHOSEN_FROM = 20  # blocks of a reply that are compared with one another, the last ones
_LOOKED_AT = 4  # outputs that are searched for guesses
_AT_ONCE = 64  # tests that the sandbox is given together


async def check_program(
    text: str,
    info: Mapping[str, Any],
    sandbox: r1sdk.Sandbox,
    *,
    scoring: Scoring = "fraction",
    exact: bool = False,
    timeout_s: float = 5.0,
    memory_bytes: int = 512 << 20,
    imports: Imports = "auto",
    budget_s: float | None = None,
) -> r1sdk.Verdict:
    """Run the tests in a task's info; see `run_tests`. Raises: R1Error where they cannot be read, Unavailable."""
    tests = read_tests(info, timeout_s, memory_bytes, imports)
    return await run_tests(text, tests, sandbox, scoring=scoring, exact=exact, budget_s=budget_s)


async def run_tests(
    text: str,
    tests: Tests,
    sandbox: r1sdk.Sandbox,
    *,
    scoring: Scoring = "fraction",
    exact: bool = False,
    budget_s: float | None = None,
) -> r1sdk.Verdict:
    """Return the verdict on the program in reply `text`; its reason says how each test ended.

    `fraction`: weights of the tests passed over all weights. `all`: 1.0 if every test is passed, else 0.0. `weighted`: as
    `fraction`, but after the first test that is not passed no more are begun, and those count as not passed. The last two save
    work by that. `budget_s`: seconds that failed tests may take together, 12 times the limit of one where it is None; what is not run
    then is not passed. `timeout`: nothing was passed, and a test ran out of time. Raises: Unavailable where the sandbox does not
    respond.
    """
    blocks = find_blocks(text, tests.language)
    if not blocks:
        return r1sdk.Verdict(0.0, reason=f"no closed block of {tests.language} code after the think block")
    short = [block for block in blocks if len(block.code) <= MAX_LENGTH]
    if not short:
        return r1sdk.Verdict(0.0, extracted=blocks[-1].code[:SHOWN], reason=f"longer than {MAX_LENGTH} characters")
    block = await choose_block(short[-_CHOSEN_FROM:], tests, sandbox, r1sdk.ExecutionLimits())
    run = _Run(tests, sandbox, exact, budget_s or BUDGET * tests.limits.timeout_s)
    await run.all(block.code, stops_early=scoring != "fraction")
    weights = [case.weight for case in tests.cases]
    earned = sum(weight for weight, ending in zip(weights, run.endings, strict=True) if ending == "passed")
    if scoring == "all":
        value = float(all(ending == "passed" for ending in run.endings))
    else:
        value = min(1.0, earned / sum(weights))
    is_timeout = "passed" not in run.endings and "timeout" in run.endings
    return r1sdk.Verdict(
        0.0 if is_timeout else value,
        "timeout" if is_timeout else "ok",
        extracted=block.code[:SHOWN],
        seconds=run.seconds,
        reason=_reason(run, block, blocks),
        marks={"code/hacks": find_hacks(block.code, tests.cases, run.printed, tests.language)},
    )


def _reason(run: "_Run", block: Block, blocks: Sequence[Block]) -> str:
    """Return the reason: the outcome of the tests, and anything unusual about how the program was run."""
    endings, tests = run.endings, run.tests
    runs = [(ending, len(list(same))) for ending, same in groupby(endings)]
    listed = ", ".join(ending if count == 1 else f"{ending} x{count}" for ending, count in runs[:12])
    said = [f"{endings.count('passed')} of {len(endings)} tests passed: {listed}{', ...' if len(runs) > 12 else ''}"]
    if run.complaint:
        said[0] += f" ({run.complaint})"
    if run.is_spent:
        said.append(f"failed tests took {run.budget_s:g} s, so the rest was not run")
    if len(blocks) > 1:
        at = next(number for number, one in enumerate(blocks, 1) if one is block)
        said.append(f"block {at} of {len(blocks)} was run")
    if tests.has_imports:
        said.append("the usual imports stand before it")
    if tests.left_out:
        said.append(f"left out: {len(tests.left_out)} tests, the first: {tests.left_out[0]:.120}")
    return "; ".join(said)


@dataclass
class _Run:
    """The tests of one task while a program is run on them."""

    tests: Tests
    sandbox: r1sdk.Sandbox
    exact: bool
    budget_s: float
    seconds: float = 0.0  # of all
    failed_s: float = 0.0  # of those that did not pass
    complaint: str = ""  # the last line of the first
    is_spent: bool = False

    def __post_init__(self) -> None:
        self.endings = ["not run"] * len(self.tests.cases)
        self.printed: list[str] = []  # on the first cases, the start of each

    async def all(self, code: str, stops_early: bool) -> None:
        """Run `code` on every case, or until one fails or the budget is spent. Raises: Unavailable."""
        program = self.tests.program(code)
        for chunk in self._chunks(stops_early):
            await self._some(program, chunk)
            if stops_early and any(self.endings[at] != "passed" for at in chunk):
                break

    def _chunks(self, stops_early: bool) -> Iterator[range]:
        """A few first where one failure ends it: a program that fails mostly fails its first test. All within the budget."""
        start, size, count = 0, 1 if stops_early else _AT_ONCE, len(self.tests.cases)
        while start < count:
            left = int((self.budget_s - self.failed_s) / self.tests.limits.timeout_s + 1e-6)
            if left < 1 and self.failed_s > 0:
                self.is_spent = True
                return
            end = min(count, start + min(size, max(1, left), _AT_ONCE))
            yield range(start, end)
            start, size = end, size * 4

    async def _some(self, program: str, chunk: range) -> None:
        tests = self.tests
        stdins = [tests.cases[at].stdin for at in chunk]
        executions = await self.sandbox.run(program, stdins, limits=tests.limits, language=tests.language)
        if len(executions) != len(stdins):
            raise r1sdk.Unavailable(f"the sandbox ran {len(executions)} of {len(stdins)} cases")
        if chunk.start == 0:
            self.printed = [execution.stdout[:SHOWN] for execution in executions[:_LOOKED_AT]]
        refused = await self._refused(chunk, executions)
        for at, execution in zip(chunk, executions, strict=True):
            if tests.checker:
                met = execution.status == "ok" and not refused[at]
                self.complaint = self.complaint or refused.get(at, "")
            else:
                met = tests.cases[at].is_met_by(execution, self.exact)
            self.endings[at] = "passed" if met else "wrong" if execution.status == "ok" else execution.status
            self.seconds += execution.seconds
            self.failed_s += 0.0 if met else execution.seconds
            if execution.status == "failed" and not self.complaint:
                self.complaint = execution.stderr.strip().rpartition("\n")[2][:120]

    async def _refused(self, chunk: range, executions: Sequence[r1sdk.Execution]) -> dict[int, str]:
        """Return the checker's objection to each case of `chunk` that ended well; "" for none."""
        tests = self.tests
        ended = [(at, done) for at, done in zip(chunk, executions, strict=True) if done.status == "ok"]
        if not tests.checker or not ended:
            return {}
        cases = [(tests.cases[at].stdin, tests.cases[at].expected, done.stdout) for at, done in ended]
        said = await run_checker(tests.checker, cases, self.sandbox, tests.limits)
        return {at: complaint for (at, _), complaint in zip(ended, said, strict=True)}
