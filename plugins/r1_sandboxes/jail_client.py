"""One jail with a warm interpreter in it, from outside: `Jail` hands it programs, watches them and ends it."""

import contextlib
import json
import math
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

from . import proc_usage
from .languages import Step, Toolchain
from .memory_files import KeptPipe, opened, sealed, text_of
from .scratch import Scratch

GRACE_S = 10.0  # beyond a program's own time, before the jail itself counts as hung
THREADS, FAMILY = 256, 64  # threads of one process; threads and processes of a program that may start processes
MOST_STDERR_BYTES = 64 << 20
_OUT_OF_MEMORY = 250  # the exit code of jail_inside/run_python.py
_KILL, _CPU_TIME, _FILE_SIZE = -9, -24, -25
_WATCH_S = 0.02  # between two checks of the programs' usage
_V8_CLAIMS = 1 << 30  # memory that V8 claims and hardly uses
_STACKS = (THREADS << 23) + (256 << 20)  # address space that the stacks of Python's threads claim and hardly use
_MARGIN = 96 << 20  # memory that an idle V8, a compiler or an interpreter holds in addition to the program's
_FLOW, _DRAIN_S = 16 << 10, 0.005  # bytes of stderr at a time below which the next ones are left for a while
_END_S = 5.0  # for a jail to clear up after itself


class JailDied(Exception):
    """The jail ended before it answered; the message says how."""


@dataclass(eq=False)
class Jail:
    """A running jail. It runs one program at a time, and is not for several threads at once."""

    connection: socket.socket
    process: "subprocess.Popen[bytes]"
    pid: int  # of the interpreter, as seen from outside
    baseline_bytes: int  # address space of the interpreter before any program
    disk_bytes: int  # the size of its disk, whatever a program's limit is
    scratch: Scratch | None  # the folder that programs write to; None: a disk inside the jail
    errors: int  # a file in memory that holds the jail's own error message when it fails
    toolchain: Toolchain | None = None  # None: it runs Python
    resident_bytes: int = 0  # memory that the interpreter holds before any program
    landlock: int = 0  # the version that restricts it; 0: none does

    def build(self, code: int, built: int, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
        """Compile the program in file `code` into file `built`. Return the execution of the compiler. Raises: JailDied."""
        assert self.toolchain is not None and self.toolchain.build is not None
        return self._execute(self.toolchain.build, code, "", limits, built)

    def run(self, code: int, stdin: str, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
        """Run the program in file `code` once. Raises: JailDied, after which this jail is of no use."""
        return self._execute(self.toolchain.run if self.toolchain else None, code, stdin, limits)

    def _execute(
        self, step: Step | None, code: int, stdin: str, limits: r1sdk.ExecutionLimits, built: int | None = None
    ) -> r1sdk.Execution:
        with contextlib.ExitStack() as files:
            given = files.enter_context(sealed(stdin))
            out = files.enter_context(opened())
            errors = files.enter_context(contextlib.closing(KeptPipe(limits.output_bytes)))
            request = self._limits(step, limits) | self._command(step, limits, built is not None)
            sent = [code, given, out, errors.writer, *([] if built is None else [built])]
            try:
                socket.send_fds(self.connection, [json.dumps(request).encode()], sent)
            except OSError as error:
                raise JailDied(self.last_words() or f"it takes no program: {error}") from None
            errors.close_writer()
            excess = partial(self._excess, step, limits, built is not None, errors)
            ended = self._answer(limits.timeout_s + GRACE_S, excess, errors)
            if ended["broken"]:
                raise JailDied(f"no limits could be set: {ended['broken']}")
            while errors.bytes <= MOST_STDERR_BYTES and errors.drain() and select.select([errors.reader], [], [], 0)[0]:
                pass
            stderr = errors.text
            too_much = os.fstat(out).st_size > limits.output_bytes or errors.bytes > MOST_STDERR_BYTES
            status = _status(ended, too_much)
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

    def _limits(self, step: Step | None, limits: r1sdk.ExecutionLimits) -> dict[str, Any]:
        """Return the part of a request that every program has."""
        return {
            "timeout_s": limits.timeout_s,
            "cpu_s": int(limits.timeout_s) + 2,
            "memory_bytes": self.baseline_bytes + limits.memory_bytes,
            "reserve_bytes": _STACKS if step is None else 0,
            "file_bytes": limits.output_bytes + 1,
            "disk_bytes": limits.disk_bytes,
            "tasks": FAMILY if step is not None and step.family else THREADS,
        }

    def _command(self, step: Step | None, limits: r1sdk.ExecutionLimits, builds: bool) -> dict[str, Any]:
        """Return the part of a request that another language than Python has."""
        if step is None:
            return {}
        assert self.toolchain is not None
        memory_mb = max(1, limits.memory_bytes >> 20)
        return {
            "command": [part.replace("{memory_mb}", str(memory_mb)) for part in step.command],
            "source": self.toolchain.source,
            "environment": dict(self.toolchain.environment),
            "family": step.family,
            "claims_memory": step.claims_memory,
            **({"memory_bytes": limits.memory_bytes + _V8_CLAIMS} if step.claims_memory else {}),
            **({"built": "main", "file_bytes": limits.disk_bytes} if builds else {}),
        }

    def close(self) -> None:
        """End it and every process in it."""
        self.connection.close()
        if self.scratch is None:
            self.process.kill()  # all die with the first process of a process namespace
        else:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_S)
            self.process.kill()
        self.process.wait()
        os.close(self.errors)
        if self.scratch is not None:
            self.scratch.remove()

    def _excess(self, step: Step | None, limits: r1sdk.ExecutionLimits, builds: bool, errors: KeptPipe) -> str:
        """Return the limit that the program is beyond, of those that the kernel does not keep: `memory`, `output` or none."""
        if errors.bytes > MOST_STDERR_BYTES:
            return "output"
        pids = list(proc_usage.descendants(self.pid))
        most = limits.memory_bytes + _MARGIN + (self.resident_bytes if step is None else 0)
        if (step is None or step.watched) and proc_usage.memory_of(pids) > most:
            return "memory"
        # Twice: a program that may ask for threads and processes at a gate is refused them at the limit itself.
        if proc_usage.tasks_of(pids) > 2 * (FAMILY if step is not None and step.family else THREADS):
            return "memory"
        if self.scratch is None:
            return ""
        largest = limits.disk_bytes if builds else limits.output_bytes
        unlinked = proc_usage.unlinked_in(str(self.scratch.path), pids, largest)
        return "output" if unlinked > limits.disk_bytes else ""

    def _answer(
        self, timeout_s: float, excess: Callable[[], str] = lambda: "", errors: KeptPipe | None = None
    ) -> dict[str, Any]:
        """Wait for the jail's answer, and watch the program meanwhile: it is ended when it has an `excess`."""
        ready = select.poll()
        ready.register(self.connection, select.POLLIN)
        end, look, stopped = time.monotonic() + timeout_s, time.monotonic() + _WATCH_S, False
        drain = 0.0 if errors is not None else math.inf  # when stderr is read again
        while True:
            now = time.monotonic()
            if errors is not None and drain <= now:
                ready.register(errors.reader, select.POLLIN)
                drain = math.inf
            events = dict(ready.poll(max(0.0, min(look, drain) - now) * 1000))
            if errors is not None and errors.reader in events:
                taken = errors.bytes
                if not errors.drain():
                    ready.unregister(errors.reader)
                elif errors.bytes - taken < _FLOW:  # or a program that writes single bytes would keep this thread busy
                    ready.unregister(errors.reader)
                    drain = time.monotonic() + _DRAIN_S
            if self.connection.fileno() in events:
                answer = self._receive()
                if "asks" not in answer:
                    return answer
                self._send(b"tasks %d" % proc_usage.tasks_of(proc_usage.descendants(self.pid)))
            if (now := time.monotonic()) >= look:
                look = now + _WATCH_S
                if now > end:
                    raise JailDied(f"no answer within {timeout_s:.0f} s")
                if not stopped and (what := excess()):
                    stopped = True
                    self._send(what.encode())

    def _receive(self) -> dict[str, Any]:
        try:
            packet = self.connection.recv(65536)
        except OSError as error:
            raise JailDied(self.last_words() or str(error)) from None
        if not packet:
            raise JailDied(self.last_words() or "it ended by itself")
        answer: dict[str, Any] = json.loads(packet)
        return answer

    def _send(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # its end is read next
            self.connection.send(packet)

    def wait_until_ready(self, timeout_s: float) -> int:
        """Wait until its interpreter is warm. Return the process id of the interpreter as it sees it. Raises: JailDied."""
        said = self._answer(timeout_s)
        self.landlock = int(said["landlock"])
        return int(said["pid"])

    def last_words(self) -> str:
        """Return its error message, if it has ended with one."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)  # it has closed its end: its message is written
        return text_of(self.errors, 2000).strip().rpartition("\n")[2]


def _status(ended: dict[str, Any], printed_too_much: bool) -> r1sdk.ExecutionStatus:
    if ended["ended"] == "timeout" or ended["code"] == _CPU_TIME:
        return "timeout"
    if ended["ended"] == "output" or ended["code"] == _FILE_SIZE or printed_too_much:
        return "output"
    if ended["ended"] == "memory" or ended["code"] in (_OUT_OF_MEMORY, _KILL):
        return "memory"
    return "ok" if ended["code"] == 0 else "failed"
