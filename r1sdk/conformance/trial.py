"""The process in which plugins are tried: `python -m r1sdk.conformance.trial`. Whoever started it ends it if a step hangs; on
Linux it ends too when that process does, however that ended.

Reads one JSON object from stdin: the `parent` process, `subjects` (kind, name, options), `task_source` or null, `timeout_s`, the number of the
`first` step, the subjects that are `stopped`, and whether it `only_observes`. Prints JSON lines: `{"begin", "limit_s", "subject", "check", "part", "gate"}` before each step, then
`{"finding", "seen", "seconds"}`; `{"end": true}` at the end.
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
from . import environment_steps, reward_steps, sandbox_steps, verifier_steps
from .findings import Subject
from .steps import TrialCandidate, TrialStep, guarded

_PR_SET_PDEATHSIG = 1

STEPS = {
    "reward": reward_steps.steps,
    "environment": environment_steps.steps,
    "verifier": verifier_steps.steps,
    "sandbox": sandbox_steps.steps,
}


def main() -> None:
    """Take the steps that were asked for, one after the other."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins print goes elsewhere
    asked = json.load(sys.stdin)
    _end_with(asked["parent"])

    def say(**line: Any) -> None:
        print(json.dumps(line), file=out, flush=True)

    stopped = set(asked["stopped"])
    for number, (at, step) in enumerate(_steps(asked)):
        if number < asked["first"] or (asked["only_observes"] and not step.observes) or at in stopped:
            continue
        say(begin=number, limit_s=step.limit_s, subject=at, check=step.check, part=step.part, gate=step.gate)
        started = time.perf_counter()
        finding, seen = guarded(step)
        say(finding=asdict(finding), seen=seen, seconds=time.perf_counter() - started)
        if step.gate and finding.outcome == "fails":
            stopped.add(at)
    say(end=True)


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` is gone: a plugin that hangs would go on for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before that
            sys.exit(1)


def _steps(asked: dict[str, Any]) -> Iterator[tuple[int, TrialStep]]:
    registry = load_plugins()
    source = Subject(**asked["task_source"]) if asked["task_source"] else None
    for at, given in enumerate(asked["subjects"]):
        candidate = TrialCandidate(registry, Subject(**given), source)
        yield from ((at, step) for step in STEPS[candidate.subject.kind](candidate, asked["timeout_s"]))


if __name__ == "__main__":
    main()
