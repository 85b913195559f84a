"""One jail with a warm interpreter in it, seen from outside: asked to run programs, watched, ended."""

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import r1sdk

from . import held
from .languages import Step, Toolchain
from .memory_files import opened, sealed, text_of
from .scratch import Scratch

GRACE_S = 10.0  # beyond a program's own time, before the jail itself counts as hung
_OUT_OF_MEMORY = 250  # the exit code of jail/program.py
_KILL, _CPU_TIME, _FILE_SIZE = -9, -24, -25
_WATCH_S = 0.02  # between two looks at what programs hold
_PROCESSES = 32  # of a family
_RESERVED = 1 << 30  # what V8 may claim beside what it may hold: the stacks of its threads, above all
_HELD_BESIDE = 96 << 20  # what an idle V8 or a compiler holds, beside what a program may


class JailDied(Exception):
    """The jail ended before it answered; the message says how."""


@dataclass(eq=False)
class Jail:
    """A running jail. One program at a time; not for several threads at once."""

    connection: socket.socket
    process: "subprocess.Popen[bytes]"
    pid: int  # of the interpreter, as seen from outside
    baseline_bytes: int  # address space of the interpreter before any program
    disk_bytes: int  # the size of its disk, whatever a program's limit is
    scratch: Scratch | None  # the folder that programs write to, if it is not inside the jail
    errors: int  # a file in memory: what the jail itself says when it fails
    toolchain: Toolchain | None = None  # None: it runs Python

    def build(self, code: int, built: int, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
        """The execution of the compiler on the program in file `code`; what it builds goes to file `built`. Raises: JailDied."""
        assert self.toolchain is not None and self.toolchain.build is not None
        return self._execute(self.toolchain.build, code, "", limits, built)

    def run(self, code: int, stdin: str, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
        """One execution of the program in file `code`, or of what was built of it. Raises: JailDied; the jail is of no use then."""
        return self._execute(self.toolchain.run if self.toolchain else None, code, stdin, limits)

    def _execute(
        self, step: Step | None, code: int, stdin: str, limits: r1sdk.ExecutionLimits, built: int | None = None
    ) -> r1sdk.Execution:
        with contextlib.ExitStack() as files:
            given = files.enter_context(sealed(stdin))
            out, err = (files.enter_context(opened()) for _ in range(2))
            request = {
                "timeout_s": limits.timeout_s,
                "cpu_s": int(limits.timeout_s) + 2,
                "memory_bytes": self.baseline_bytes + limits.memory_bytes,
                "file_bytes": limits.output_bytes + 1,
                "disk_bytes": limits.disk_bytes,
            }
            sent = [code, given, out, err]
            if step is not None:
                request |= self._command(step, limits, built is not None)
            if built is not None:
                sent.append(built)
            try:
                socket.send_fds(self.connection, [json.dumps(request).encode()], sent)
            except OSError as error:
                raise JailDied(self.last_words() or f"it does not take a program: {error}") from None
            ended = self._answer(limits.timeout_s + GRACE_S, partial(self._excess, step, limits, built is not None))
            if ended["broken"]:
                raise JailDied(f"no limits could be set: {ended['broken']}")
            stderr = text_of(err, limits.output_bytes)
            status = _status(ended, max(os.fstat(out).st_size, os.fstat(err).st_size) > limits.output_bytes)
            if status == "failed" and step is not None and step.no_memory in stderr[-4096:]:
                status = "memory"
            if ended["unkept"]:
                status, stderr = "failed", ended["unkept"]
            return r1sdk.Execution(
                status=status,
                stdout=text_of(out, limits.output_bytes),
                stderr=stderr,
                exit_code=ended["code"] if ended["ended"] == "exit" else None,
                seconds=ended["seconds"],
            )

    def _command(self, step: Step, limits: r1sdk.ExecutionLimits, builds: bool) -> dict[str, Any]:
        """What a request has beside the limits, for another language than Python."""
        assert self.toolchain is not None
        memory_mb = max(1, limits.memory_bytes >> 20)
        return {
            "command": [part.replace("{memory_mb}", str(memory_mb)) for part in step.command],
            "source": self.toolchain.source,
            "environment": dict(self.toolchain.environment),
            "family": step.family,
            "reserves": step.reserves,
            **({"memory_bytes": limits.memory_bytes + _RESERVED} if step.reserves else {}),
            "processes": 4 * _PROCESSES if step.family and self.scratch is None else 0,  # threads count here
            **({"built": "main", "file_bytes": limits.disk_bytes} if builds else {}),
        }

    def close(self) -> None:
        """End it and everything in it."""
        self.connection.close()
        self.process.kill()
        self.process.wait()
        os.close(self.errors)
        if self.scratch is not None:
            self.scratch.remove()

    def _excess(self, step: Step | None, limits: r1sdk.ExecutionLimits, builds: bool) -> str:
        """What the program and what it has started hold too much of, `memory` or `output`, beyond what the kernel limits."""
        is_watched = step is not None and step.watched
        if not is_watched and self.scratch is None:
            return ""
        pids = list(held.descendants(self.pid))
        if is_watched and (len(pids) > _PROCESSES or held.memory_of(pids) > limits.memory_bytes + _HELD_BESIDE):
            return "memory"
        largest = limits.disk_bytes if builds else limits.output_bytes
        unlinked = 0 if self.scratch is None else held.unlinked_in(str(self.scratch.path), pids, largest)
        return "output" if unlinked > limits.disk_bytes else ""

    def _answer(self, timeout_s: float, excess: Callable[[], str] = lambda: "") -> dict[str, Any]:
        """What the jail says. The program is ended where it holds an `excess` meanwhile."""
        ready = select.poll()
        ready.register(self.connection, select.POLLIN)
        end, stopped = time.monotonic() + timeout_s, False
        while not ready.poll(_WATCH_S * 1000):
            if time.monotonic() > end:
                raise JailDied(f"no answer within {timeout_s:.0f} s")
            if not stopped and (what := excess()):
                stopped = True
                with contextlib.suppress(OSError):  # then its end is read below
                    self.connection.send(what.encode())
        try:
            packet = self.connection.recv(65536)
        except OSError as error:
            raise JailDied(self.last_words() or str(error)) from None
        if not packet:
            raise JailDied(self.last_words() or "it ended by itself")
        answer: dict[str, Any] = json.loads(packet)
        return answer

    def wait_until_ready(self, timeout_s: float) -> None:
        """Until its interpreter is warm. Raises: JailDied."""
        self._answer(timeout_s)

    def last_words(self) -> str:
        """What it said of its end, if anything."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)  # it has closed its end: what it had to say is written
        return text_of(self.errors, 2000).strip().rpartition("\n")[2]


def _status(ended: dict[str, Any], printed_too_much: bool) -> r1sdk.ExecutionStatus:
    if ended["ended"] == "timeout" or ended["code"] == _CPU_TIME:
        return "timeout"
    if ended["ended"] == "output" or ended["code"] == _FILE_SIZE or printed_too_much:
        return "output"
    if ended["ended"] == "memory" or ended["code"] in (_OUT_OF_MEMORY, _KILL):
        return "memory"
    return "ok" if ended["code"] == 0 else "failed"
