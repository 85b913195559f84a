"""Trials from outside: processes that call the plugins' code, killed where a step takes too long, and begun again after it."""

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

START_S = 120.0  # until the first step begins: imports, on a busy machine


@dataclass(frozen=True, slots=True)
class Tried:
    """What one step found. `seen`: what must be the same in another process."""

    subject: int  # its place among those that were asked for
    part: str
    finding: ContractFinding
    seen: Any = None
    seconds: float = 0.0  # infinite for a step that was ended, or that ended its process


@dataclass(slots=True)
class _Process:
    """One trial process, and the lines that it prints."""

    process: "subprocess.Popen[str]"
    errors: IO[bytes]
    lines: "queue.Queue[dict[str, Any] | None]" = field(default_factory=queue.Queue)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def how_it_ended(self) -> str:
        """Its exit status, and the last line that it said."""
        code = self.process.wait()
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 2000))
        said = self.errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"the process ended with {code}{': ' + said if said else ''}"

    def end(self) -> None:
        """Kill it, and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.errors.close()


def try_out(
    subjects: Sequence[Subject],
    task_source: Subject | None,
    timeout_s: float,
    hash_seed: int,
    only_observes: bool = False,
    progress: Callable[[Subject, str], None] | None = None,
) -> list[Tried]:
    """What every step for every subject found. A step that hangs or breaks its process is a finding too."""
    asked = {
        "parent": os.getpid(),
        "subjects": [asdict(subject) for subject in subjects],
        "task_source": asdict(task_source) if task_source else None,
        "timeout_s": timeout_s,
        "only_observes": only_observes,
    }
    tried: list[Tried] = []
    first, stopped = 0, list[int]()
    while True:
        running = _start({**asked, "first": first, "stopped": stopped}, hash_seed)
        try:
            broken = _follow(running, subjects, tried, progress)
        finally:
            running.end()
        if broken is None:
            return tried
        first = broken["begin"] + 1
        if broken["gate"]:
            stopped.append(broken["subject"])


def _start(asked: dict[str, Any], hash_seed: int) -> _Process:
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
        json.dump(asked, process.stdin)
    running = _Process(process, errors)
    threading.Thread(target=running.read, daemon=True).start()
    return running


def _follow(
    running: _Process,
    subjects: Sequence[Subject],
    tried: list[Tried],
    progress: Callable[[Subject, str], None] | None,
) -> dict[str, Any] | None:
    """Collect what the steps find. Returns the step that broke the process; None at the end."""
    begun: dict[str, Any] | None = None
    while True:
        try:
            said = running.lines.get(timeout=begun["limit_s"] if begun else START_S)
        except queue.Empty:
            said, how = None, f"more than {begun['limit_s']:g} s" if begun else ""
        else:
            how = running.how_it_ended() if said is None else ""
        if said is None:
            if begun is None:
                raise RuntimeError(f"the plugins could not be tried: {how or f'nothing after {START_S:g} s'}")
            finding = ContractFinding(begun["check"], "fails", how)
            tried.append(Tried(begun["subject"], begun["part"], finding, seconds=math.inf))
            return begun
        if "begin" in said:
            begun = said
            if progress:
                progress(subjects[said["subject"]], said["check"])
        elif "finding" in said:
            assert begun is not None
            finding = ContractFinding(**said["finding"])
            tried.append(Tried(begun["subject"], begun["part"], finding, said["seen"], said["seconds"]))
        else:
            return None
