"""One jail with a warm interpreter in it, seen from outside: started, asked to run programs, ended."""

import contextlib
import fcntl
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import r1sdk

from . import held
from .bubblewrap import DEVICES, ENVIRONMENT, INSIDE, bubblewrap_command, find_bwrap
from .interpreter import JAIL, find_interpreter
from .languages import Step, Toolchain
from .scratch import Scratch

Mode = Literal["bubblewrap", "landlock"]
START_S = 60.0  # on a busy machine, with heavy modules
GRACE_S = 10.0  # beyond a program's own time, before the jail itself counts as hung
_OUT_OF_MEMORY = 250  # the exit code of jail/program.py
_KILL, _CPU_TIME, _FILE_SIZE = -9, -24, -25
_WATCH_S = 0.02  # between two looks at what programs hold
_PROCESSES = 32  # of a family
_RESERVED = 1 << 30  # what V8 may claim beside what it may hold: the stacks of its threads, above all
_HELD_BESIDE = 96 << 20  # what an idle V8 or a compiler holds, beside what a program may
_MFD_EXEC = 0x10
_SEALS = 1 | 2 | 4 | 8  # against sealing, shrinking, growing, writing


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
            out, err = (files.enter_context(_memory_file()) for _ in range(2))
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
                raise JailDied(self._last_words() or f"it does not take a program: {error}") from None
            ended = self._answer(limits.timeout_s + GRACE_S, partial(self._excess, step, limits, built is not None))
            if ended["broken"]:
                raise JailDied(f"no limits could be set: {ended['broken']}")
            stderr = _text(err, limits.output_bytes)
            status = _status(ended, max(os.fstat(out).st_size, os.fstat(err).st_size) > limits.output_bytes)
            if status == "failed" and step is not None and step.no_memory in stderr[-4096:]:
                status = "memory"
            if ended["unkept"]:
                status, stderr = "failed", ended["unkept"]
            return r1sdk.Execution(
                status=status,
                stdout=_text(out, limits.output_bytes),
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
            raise JailDied(self._last_words() or str(error)) from None
        if not packet:
            raise JailDied(self._last_words() or "it ended by itself")
        answer: dict[str, Any] = json.loads(packet)
        return answer

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)  # it has closed its end: what it had to say is written
        return _text(self.errors, 2000).strip().rpartition("\n")[2]


def start_jail(
    mode: Mode, preload: Sequence[str] = (), disk_bytes: int = 64 << 20, toolchain: Toolchain | None = None
) -> Jail:
    """A jail that is ready. The thread that calls this must live as long as the jail. Raises: JailDied, R1Error."""
    interpreter = find_interpreter(preload, toolchain.paths if toolchain else ())
    settings = {
        "landlock": mode == "landlock",
        "preload": list(preload),
        "search": interpreter.search,
        "read": _readable(interpreter.standard, interpreter.libraries, interpreter.packages, interpreter.hidden),
        "listed": [interpreter.standard, *interpreter.libraries],
        "devices": [path for path in DEVICES if os.path.exists(path)],
    }
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    info, told = os.pipe()
    errors = os.memfd_create("errors", os.MFD_CLOEXEC)
    command = [
        interpreter.program,
        "-s",
        "-S",
        "-P",
        "-B",
        f"{INSIDE if mode == 'bubblewrap' else JAIL}/warm.py",
        str(there.fileno()),
    ]
    command.append(json.dumps(settings))
    scratch = None
    if mode == "bubblewrap":
        bwrap = find_bwrap()
        if bwrap is None:
            raise JailDied("bubblewrap is not installed")
        command = [*bubblewrap_command(bwrap, interpreter, disk_bytes, told), *command]
    else:
        scratch = Scratch()
    try:
        process = subprocess.Popen(
            command,
            pass_fds=(there.fileno(), *((told,) if mode == "bubblewrap" else ())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=scratch.path if scratch else "/",
            env={**ENVIRONMENT, **({"TMPDIR": str(scratch.path), "HOME": str(scratch.path)} if scratch else {})},
            start_new_session=True,
        )
        there.close()
        os.close(told)
        jail = Jail(here, process, process.pid, 0, disk_bytes, scratch, errors, toolchain)
        try:
            if mode == "bubblewrap":
                jail.pid = json.loads(_read_info(info) or b"{}").get("child-pid", 0)
            jail._answer(START_S)
            pages = int(Path(f"/proc/{jail.pid}/statm").read_text().split()[0])
        except (JailDied, OSError, ValueError) as error:
            reason = jail._last_words() or str(error)
            jail.close()
            raise JailDied(reason) from None
        jail.baseline_bytes = pages * os.sysconf("SC_PAGE_SIZE")
        if (toolchain is not None or scratch is not None) and not held.can_be_seen(jail.pid):
            jail.close()
            raise JailDied("this kernel does not list the children of a process, so what they hold cannot be bounded")
        return jail
    finally:
        os.close(info)


def _readable(standard: str, libraries: Sequence[str], packages: Sequence[str], hidden: Sequence[str]) -> list[str]:
    """The paths whose contents may be read, so that the hidden ones are in none: Landlock cannot take back a part."""
    paths = {os.path.realpath(path) for path in (*packages, str(JAIL))}
    folders = [os.path.realpath(path) for path in (standard, *libraries)]
    concealed = {os.path.realpath(path) for path in hidden}
    while folders:
        folder = folders.pop()
        if folder in concealed:
            continue
        if any(path.startswith(folder + "/") for path in concealed):
            folders += [entry.path for entry in os.scandir(folder) if not entry.is_symlink() and entry.is_dir()]
            paths |= {entry.path for entry in os.scandir(folder) if entry.is_file()}
        else:
            paths.add(folder)
    return sorted(paths)


def _status(ended: dict[str, Any], printed_too_much: bool) -> r1sdk.ExecutionStatus:
    if ended["ended"] == "timeout" or ended["code"] == _CPU_TIME:
        return "timeout"
    if ended["ended"] == "output" or ended["code"] == _FILE_SIZE or printed_too_much:
        return "output"
    if ended["ended"] == "memory" or ended["code"] in (_OUT_OF_MEMORY, _KILL):
        return "memory"
    return "ok" if ended["code"] == 0 else "failed"


@contextlib.contextmanager
def _memory_file() -> Iterator[int]:
    file = memory_file()
    try:
        yield file
    finally:
        os.close(file)


def memory_file(runs: bool = False) -> int:
    """An open file in memory; `runs`: one that a program can be started from."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("r1", flags | (_MFD_EXEC if runs else 0))
    except OSError:
        return os.memfd_create("r1", flags)  # a kernel before 6.3, where every such file can be started


def seal(file: int) -> None:
    """Nobody can change `file` any more."""
    os.lseek(file, 0, os.SEEK_SET)
    fcntl.fcntl(file, 1033, _SEALS)  # F_ADD_SEALS


@contextlib.contextmanager
def sealed(text: str) -> Iterator[int]:
    """A file in memory that holds `text` and that nobody can change. Lone surrogates become question marks."""
    with _memory_file() as file:
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            rest = rest[os.write(file, rest) :]
        seal(file)
        yield file


def _text(file: int, most: int) -> str:
    return os.pread(file, most, 0).decode("utf-8", "replace")


def _read_info(info: int) -> bytes:
    """What bwrap says of its child, or nothing where it fails."""
    end, told = time.monotonic() + START_S, b""
    poll = select.poll()
    poll.register(info, select.POLLIN)
    while poll.poll(max(0.0, end - time.monotonic()) * 1000):
        part = os.read(info, 4096)
        told += part
        if not part or b"}" in told:
            break
    return told
