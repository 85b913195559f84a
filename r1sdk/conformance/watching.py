"""Run trials in separate processes: kill one whose step takes too long, and continue after that step in a new one."""

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from .findings import ContractFinding, Subject

START_S = 120.0  # until the first step begins, which includes imports on a busy machine


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of one step. `seen`: a value that must be the same in another process."""

    subject: int  # index among the subjects
    part: str
    finding: ContractFinding
    seen: Any = None
    seconds: float = 0.0  # infinite for a step that was killed or that ended its process


@dataclass(slots=True)
class _Process:
    """One trial process and the lines it prints."""

    process: "subprocess.Popen[str]"
    errors: IO[bytes]
    lines: "queue.Queue[dict[str, Any] | None]" = field(default_factory=queue.Queue)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def how_it_ended(self) -> str:
        """Return its exit status and the last line of its errors."""
        code = self.process.wait()
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 2000))
        last = self.errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"the process ended with {code}{': ' + last if last else ''}"

    def end(self) -> None:
        """Kill the process and its children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.errors.close()


def run_trials(
    subjects: Sequence[Subject],
    task_source: Subject | None,
    timeout_s: float,
    hash_seed: int,
    only_observes: bool = False,
    progress: Callable[[Subject, str], None] | None = None,
) -> list[TrialResult]:
    """Run every step for every subject and return the results. A step that hangs or breaks its process fails."""
    request = {
        "parent": os.getpid(),
        "subjects": [asdict(subject) for subject in subjects],
        "task_source": asdict(task_source) if task_source else None,
        "timeout_s": timeout_s,
        "only_observes": only_observes,
    }
    tried: list[TrialResult] = []
    first, stopped = 0, list[int]()
    while True:
        running = _start({**request, "first": first, "stopped": stopped}, hash_seed)
        try:
            broken = _follow(running, subjects, tried, progress)
        finally:
            running.end()
        if broken is None:
            return tried
        first = broken["begin"] + 1
        if broken["gate"]:
            stopped.append(broken["subject"])


def _start(request: dict[str, Any], hash_seed: int) -> _Process:
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
    process = subprocess.Popen(
        [sys.executable, "-m", "r1sdk.conformance.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OMP_NUM_THREADS": "1",
        },
        start_new_session=True,
    )
    assert process.stdin is not None
    with process.stdin:
        json.dump(request, process.stdin)
    running = _Process(process, errors)
    threading.Thread(target=running.read, daemon=True).start()
    return running


def _follow(
    running: _Process,
    subjects: Sequence[Subject],
    tried: list[TrialResult],
    progress: Callable[[Subject, str], None] | None,
) -> dict[str, Any] | None:
    """Collect the results of the steps. Returns the step that broke the process, or None at the end."""
    begun: dict[str, Any] | None = None
    while True:
        try:
            line = running.lines.get(timeout=begun["limit_s"] if begun else START_S)
        except queue.Empty:
            line, ending = None, f"more than {begun['limit_s']:g} s" if begun else ""
        else:
            ending = running.how_it_ended() if line is None else ""
        if line is None:
            if begun is None:
                raise RuntimeError(f"the plugins could not be tried: {ending or f'nothing after {START_S:g} s'}")
            finding = ContractFinding(begun["check"], "fails", ending)
            tried.append(TrialResult(begun["subject"], begun["part"], finding, seconds=math.inf))
            return begun
        if "begin" in line:
            begun = line
            if progress:
                progress(subjects[line["subject"]], line["check"])
        elif "finding" in line:
            assert begun is not None
            finding = ContractFinding(**line["finding"])
            tried.append(TrialResult(begun["subject"], begun["part"], finding, line["seen"], line["seconds"]))
        else:
            return None
