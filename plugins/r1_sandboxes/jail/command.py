"""Programs of other languages: the forked process becomes a compiler, an interpreter, or what a compiler made."""

import contextlib
import os
import resource
import signal
import stat
from typing import Any

import kernel

_COPIED = 1 << 20  # bytes at a time


def become(limits: dict[str, Any], source: bytes, code: int, report: int) -> None:
    """Become the command in `limits`; an empty one is the built program in file `code`. Returns only by raising.

    `source` goes into the scratch folder first, under the name that the language wants. `report` closes with the exec.
    """
    here = os.getcwd()
    environment = {"PATH": "/usr/bin:/bin", "HOME": here, "TMPDIR": here, "LANG": "C.UTF-8", **limits["environment"]}
    argv = limits["command"]
    if argv:
        with open(limits["source"], "xb") as file:
            file.write(source)
    for kept in (code, report):
        os.set_inheritable(kept, False)
    low, high = sorted((code, report))
    os.closerange(3, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, 4096)
    for caught in (signal.SIGINT, signal.SIGXFSZ, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(caught, signal.SIG_DFL)
    kernel.restrict_resources(limits["cpu_s"], limits["memory_bytes"], limits["file_bytes"], limits["reserves"])
    if limits["processes"]:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"],) * 2)
    kernel.restrict_calls("family" if limits["family"] else "exec")
    if argv:
        os.execve(argv[0], argv, environment)
    os.execve(code, ["main"], environment)


def end_family(leader: int) -> int:
    """Kill the process group of `leader`, which has not been waited for, and wait until all are gone; its exit code.

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


def keep(name: str, file: int, most: int) -> str:
    """Copy what was built, at most `most` bytes, to `file`. Why that cannot be done, or nothing."""
    try:
        built = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"nothing was built: {error.strerror}"
    try:
        state = os.fstat(built)
        if not stat.S_ISREG(state.st_mode) or state.st_size > most:
            return f"what was built is no file of at most {most} bytes"
        copied = 0
        while part := os.pread(built, _COPIED, copied):
            os.write(file, part)
            copied += len(part)
    finally:
        os.close(built)
    return ""
