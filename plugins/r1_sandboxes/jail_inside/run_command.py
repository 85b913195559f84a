"""Programs of other languages: the forked process becomes a compiler, an interpreter, or the program that a compiler built."""

import contextlib
import os
import signal
import stat
from typing import Any

import kernel

_COPIED = 1 << 20  # bytes at a time


def become(limits: dict[str, Any], source: bytes, code: int) -> None:
    """Become the command in `limits`; an empty one is the built program in file `code`. Returns only by raising.

    `source` goes into the scratch folder first, under the name that the language wants.
    """
    here = os.getcwd()
    environment = {"PATH": "/usr/bin:/bin", "HOME": here, "TMPDIR": here, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
    environment |= limits["environment"]
    argv = limits["command"]
    if argv:
        with open(limits["source"], "xb") as file:
            file.write(source)
    os.set_inheritable(code, False)
    for low, high in ((3, code), (code + 1, kernel.GATE_AT), (kernel.GATE_AT + 1, 4096)):
        os.closerange(low, high)  # the gate's closes with the exec
    for caught in (signal.SIGINT, signal.SIGXFSZ, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(caught, signal.SIG_DFL)
    kernel.restrict_resources(limits["cpu_s"], limits["memory_bytes"], limits["file_bytes"], limits["claims_memory"])
    kernel.restrict_calls("family" if limits["family"] else "exec")
    if argv:
        os.execve(argv[0], argv, environment)
    os.execve(code, ["main"], environment)


def end_family(leader: int) -> int:
    """Kill the process group of `leader`, which has not been waited for, and wait until all are gone. Return its exit code.

    None can have left the group: setsid and setpgid are refused. Orphans become children of this process.
    """
    os.kill(leader, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # it has not even become a leader yet
        os.killpg(leader, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1])
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return code


def end_children() -> None:
    """Kill the children of this process with their process groups, until none is left. Orphans become its children meanwhile."""
    own = os.getpid()
    while True:
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as file:
            children = [int(child) for child in file.read().split()]
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(child) != os.getpgid(0):
                    os.killpg(os.getpgid(child), signal.SIGKILL)
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def keep(name: str, file: int, most: int) -> str:
    """Copy the built program, of at most `most` bytes, to `file`. Return why that cannot be done, or nothing."""
    try:
        built = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"nothing was built: {error.strerror}"
    try:
        state = os.fstat(built)
        if not stat.S_ISREG(state.st_mode) or state.st_size > most:
            return f"the built program is no file of at most {most} bytes"
        copied = 0
        while part := os.pread(built, _COPIED, copied):
            os.write(file, part)
            copied += len(part)
    finally:
        os.close(built)
    return ""
