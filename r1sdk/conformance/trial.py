"""The process in which plugins are tried: `python -m r1sdk.conformance.trial`. Whoever started it ends it if a step hangs.

Reads one JSON object from stdin: `subjects` (kind, name, options), `task_source` or null, `timeout_s`, the number of the
`first` step, and whether it `only_observes`. Prints JSON lines: `{"begin", "limit_s", "subject", "check", "part"}` before each step, then
`{"finding", "seen", "seconds"}`; `{"end": true}` at the end.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..plugins import load_plugins
from . import environments, rewards, sandboxes
from .findings import Subject, skipped
from .steps import Candidate, Step, guarded

STEPS = {"reward": rewards.steps, "environment": environments.steps, "sandbox": sandboxes.steps}


def main() -> None:
    """Take the steps that were asked for, one after the other."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins print goes elsewhere
    asked = json.load(sys.stdin)

    def say(**line: Any) -> None:
        print(json.dumps(line), file=out, flush=True)

    for number, (at, step, built) in enumerate(_steps(asked)):
        if number < asked["first"] or (asked["only_observes"] and not step.observes):
            continue
        say(begin=number, limit_s=step.limit_s, subject=at, check=step.check, part=step.part)
        started = time.perf_counter()
        if step.check == "builds" or built.done():
            finding, seen = guarded(step)
        else:
            finding, seen = skipped(step.check, "it could not be built"), None
        say(finding=asdict(finding), seen=seen, seconds=time.perf_counter() - started)
    say(end=True)


class _Built:
    """Whether a candidate can be built."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.known: bool | None = None

    def done(self) -> bool:
        if self.known is None:
            try:
                self.known = self.candidate.built is not None
            except Exception:  # noqa: BLE001 - the step "builds" says why
                self.known = False
        return self.known


def _steps(asked: dict[str, Any]) -> Iterator[tuple[int, Step, _Built]]:
    registry = load_plugins()
    source = Subject(**asked["task_source"]) if asked["task_source"] else None
    for at, given in enumerate(asked["subjects"]):
        candidate = Candidate(registry, Subject(**given), source)
        built = _Built(candidate)
        yield from ((at, step, built) for step in STEPS[candidate.subject.kind](candidate, asked["timeout_s"]))


if __name__ == "__main__":
    main()
