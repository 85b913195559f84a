"""The process in which plugins are tried: `python -m r1sdk.conformance.trial`.

The parent process kills it if a step hangs. On Linux it also ends when the parent ends for any reason.

It reads one JSON object from stdin: the pid of the `parent`, `subjects` (kind, name, options), `task_source` or null,
`timeout_s`, the number of the `first` step, the `stopped` subjects, and `only_observes`. It prints JSON lines:
`{"begin", "limit_s", "subject", "check", "part", "gate"}` before each step, `{"finding", "seen", "seconds"}` after it, and
`{"end": true}` at the end.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..plugins.loading import load_plugins
from . import advantage_steps, environment_steps, reward_steps, sandbox_steps, verifier_steps
from .findings import Subject
from .steps import TrialCandidate, TrialStep, run_guarded

_PR_SET_PDEATHSIG = 1

STEPS = {
    "reward": reward_steps.steps,
    "environment": environment_steps.steps,
    "verifier": verifier_steps.steps,
    "sandbox": sandbox_steps.steps,
    "advantage": advantage_steps.steps,
}


def main() -> None:
    """Run the requested steps in order."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the prints of plugins go to stderr
    request = json.load(sys.stdin)
    _end_with(request["parent"])

    def print_line(**line: Any) -> None:
        print(json.dumps(line), file=out, flush=True)

    stopped = set(request["stopped"])
    for number, (at, step) in enumerate(_steps(request)):
        if number < request["first"] or (request["only_observes"] and not step.observes) or at in stopped:
            continue
        print_line(begin=number, limit_s=step.limit_s, subject=at, check=step.check, part=step.part, gate=step.gate)
        started = time.perf_counter()
        finding, seen = run_guarded(step)
        print_line(finding=asdict(finding), seen=seen, seconds=time.perf_counter() - started)
        if step.gate and finding.outcome == "fails":
            stopped.add(at)
    print_line(end=True)


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when `parent` ends: a plugin that hangs would otherwise run for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it had already ended
            sys.exit(1)


def _steps(request: dict[str, Any]) -> Iterator[tuple[int, TrialStep]]:
    registry = load_plugins()
    source = Subject(**request["task_source"]) if request["task_source"] else None
    for at, given in enumerate(request["subjects"]):
        candidate = TrialCandidate(registry, Subject(**given), source)
        yield from ((at, step) for step in STEPS[candidate.subject.kind](candidate, request["timeout_s"]))


if __name__ == "__main__":
    main()
