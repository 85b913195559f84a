"""The code check: a reply's program run on the tests of its task in a sandbox, compared outside of it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import r1sdk

from . import Scoring
from .blocks import find_program
from .cases import Tests, read_tests
from .checker import run_checker

SHOWN = 512  # characters of a program that a verdict keeps
MAX_LENGTH = 200_000  # characters of a program


async def check_program(
    text: str,
    info: Mapping[str, Any],
    sandbox: r1sdk.Sandbox,
    *,
    scoring: Scoring = "fraction",
    exact: bool = False,
    timeout_s: float = 5.0,
    memory_bytes: int = 512 << 20,
) -> r1sdk.Verdict:
    """How many of the tests in `info` the program in reply `text` passes; its reason says how each ended.

    `fraction`: weights of the tests passed over all weights. `all`: 1.0 if every test is passed, else 0.0. `weighted`: as
    `fraction`, but after the first test that is not passed no more are begun, and those count as not passed. The last two save
    work by that. `timeout`: nothing was passed, and a test ran out of time. Raises: Unavailable where the sandbox does not
    answer, R1Error where the tests cannot be read.
    """
    tests = read_tests(info, timeout_s, memory_bytes)
    code = find_program(text, tests.language)
    if code is None:
        return r1sdk.Verdict(0.0, reason=f"no closed block of {tests.language} code after the think block")
    if len(code) > MAX_LENGTH:
        return r1sdk.Verdict(0.0, extracted=code[:SHOWN], reason=f"longer than {MAX_LENGTH} characters")
    endings, seconds, complaint = await _run(code, tests, sandbox, exact, scoring != "fraction")
    weights = [case.weight for case in tests.cases]
    earned = sum(weight for weight, ending in zip(weights, endings, strict=True) if ending == "passed")
    if scoring == "all":
        value = float(all(ending == "passed" for ending in endings))
    else:
        value = min(1.0, earned / sum(weights))
    runs = [(ending, len(list(run))) for ending, run in groupby(endings)]
    listed = ", ".join(ending if count == 1 else f"{ending} x{count}" for ending, count in runs[:12])
    passed = f"{endings.count('passed')} of {len(endings)} tests passed: {listed}{', ...' if len(runs) > 12 else ''}"
    is_timeout = "passed" not in endings and "timeout" in endings
    return r1sdk.Verdict(
        0.0 if is_timeout else value,
        "timeout" if is_timeout else "ok",
        extracted=code[:SHOWN],
        seconds=seconds,
        reason=passed + (f" ({complaint})" if complaint else ""),
    )


async def _run(
    code: str, tests: Tests, sandbox: r1sdk.Sandbox, exact: bool, stop_early: bool
) -> tuple[list[str], float, str]:
    """How each case ended, the seconds of all, and the last line of the first complaint."""
    program = tests.program(code)
    endings = ["not run"] * len(tests.cases)
    seconds, complaint = 0.0, ""
    for chunk in _chunks(len(tests.cases), stop_early):
        stdins = [tests.cases[at].stdin for at in chunk]
        executions = await sandbox.run(program, stdins, limits=tests.limits, language=tests.language)
        if len(executions) != len(stdins):
            raise r1sdk.Unavailable(f"the sandbox ran {len(executions)} of {len(stdins)} cases")
        refused = await _refused(tests, chunk, executions, sandbox)
        for at, execution in zip(chunk, executions, strict=True):
            if tests.checker:
                met = execution.status == "ok" and not refused[at]
                complaint = complaint or refused.get(at, "")
            else:
                met = tests.cases[at].is_met_by(execution, exact)
            endings[at] = "passed" if met else "wrong" if execution.status == "ok" else execution.status
            seconds += execution.seconds
            if execution.status == "failed" and not complaint:
                complaint = execution.stderr.strip().rpartition("\n")[2][:120]
        if stop_early and any(endings[at] != "passed" for at in chunk):
            break
    return endings, seconds, complaint


async def _refused(
    tests: Tests, chunk: range, executions: Sequence[r1sdk.Execution], sandbox: r1sdk.Sandbox
) -> dict[int, str]:
    """Of the cases in `chunk` that ended well, what the task's checker says against each; "" where nothing."""
    ended = [(at, done) for at, done in zip(chunk, executions, strict=True) if done.status == "ok"]
    if not tests.checker or not ended:
        return {}
    cases = [(tests.cases[at].stdin, tests.cases[at].expected, done.stdout) for at, done in ended]
    said = await run_checker(tests.checker, cases, sandbox, tests.limits)
    return {at: complaint for (at, _), complaint in zip(ended, said, strict=True)}


def _chunks(count: int, stop_early: bool) -> Iterator[range]:
    """All at once, or a few first: a program that fails mostly fails its first test."""
    start, size = 0, 1 if stop_early else count
    while start < count:
        yield range(start, min(count, start + size))
        start, size = start + size, size * 4
