"""Start a jail, under bubblewrap or behind Landlock alone."""

import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from . import proc_usage
from .bubblewrap import DEVICES, ENVIRONMENT, INSIDE, bubblewrap_command, find_bwrap
from .interpreter import JAIL, Interpreter, find_interpreter
from .jail_client import Jail, JailDied
from .languages import Toolchain
from .scratch import Scratch

Mode = Literal["bubblewrap", "landlock"]
START_S = 60.0  # on a busy machine, with heavy modules
LANDLOCK_AT_MOST = 1 << 10  # tests lower it: the jail then uses the features of an older kernel

_shows_proc: bool | None = None  # None: not tried yet in this process


def start_jail(
    mode: Mode, preload: Sequence[str] = (), disk_bytes: int = 64 << 20, toolchain: Toolchain | None = None
) -> Jail:
    """Return a jail that is ready. The thread that calls this must live as long as the jail. Raises: JailDied, R1Error."""
    global _shows_proc
    interpreter = find_interpreter(preload, toolchain.paths if toolchain else ())
    if mode == "landlock":
        return _start(_landlock_settings(interpreter, preload), interpreter, disk_bytes, toolchain)
    bwrap = find_bwrap()
    if bwrap is None:
        raise JailDied("bubblewrap is not installed")
    # With a /proc of its own the jail has /dev/stdin and /dev/fd. Some containers forbid to mount it, and without Landlock
    # it could be read.
    if _shows_proc is not False:
        try:
            command = bubblewrap_command(bwrap, interpreter, disk_bytes, has_proc=True)
            jail = _start(_bubblewrap_settings(preload, interpreter, 2), interpreter, disk_bytes, toolchain, command)
            _shows_proc = True
            return jail
        except JailDied:
            if _shows_proc:
                raise
    command = bubblewrap_command(bwrap, interpreter, disk_bytes, has_proc=False)
    jail = _start(_bubblewrap_settings(preload, interpreter, None), interpreter, disk_bytes, toolchain, command)
    _shows_proc = False
    return jail


def _landlock_settings(interpreter: Interpreter, preload: Sequence[str]) -> dict[str, Any]:
    return {
        "is_disk": False,
        "landlock_from": 1,
        "landlock_at_most": LANDLOCK_AT_MOST,
        "preload": list(preload),
        "search": interpreter.search,
        "read": _readable(interpreter.standard, interpreter.libraries, interpreter.packages, interpreter.hidden),
        "listed": [interpreter.standard, *interpreter.libraries],
        "devices": [path for path in DEVICES if os.path.exists(path)],
    }


def _bubblewrap_settings(preload: Sequence[str], interpreter: Interpreter, landlock_from: int | None) -> dict[str, Any]:
    return {
        "is_disk": True,
        "landlock_from": landlock_from,
        "landlock_at_most": LANDLOCK_AT_MOST,
        "preload": list(preload),
        "search": interpreter.search,
        "read": None,
        "listed": [],
        "devices": [path for path in DEVICES if os.path.exists(path)],
    }


def _start(
    settings: dict[str, Any],
    interpreter: Interpreter,
    disk_bytes: int,
    toolchain: Toolchain | None,
    bubblewrap: Sequence[str] | None = None,
) -> Jail:
    """Start a jail with these settings; `bubblewrap` is the command that makes it, if one does. Raises: JailDied."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    info, told = os.pipe()
    errors = os.memfd_create("errors", os.MFD_CLOEXEC)
    inside = INSIDE if bubblewrap else str(JAIL)
    command = [interpreter.program, "-s", "-S", "-P", "-B", f"{inside}/serve_programs.py", str(there.fileno())]
    command.append(json.dumps(settings))
    scratch = None if bubblewrap else Scratch()
    if bubblewrap:
        command = [bubblewrap[0], "--info-fd", str(told), *bubblewrap[1:], *command]
    try:
        process = subprocess.Popen(
            command,
            pass_fds=(there.fileno(), *((told,) if bubblewrap else ())),
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
            if bubblewrap:
                jail.pid = json.loads(_read_info(info) or b"{}").get("child-pid", 0)
            said = jail.wait_until_ready(START_S)
            if not bubblewrap:
                jail.pid = said  # a child of the process that we started, which clears up after it
            pages = [int(field) for field in Path(f"/proc/{jail.pid}/statm").read_text().split()[:2]]
        except (JailDied, OSError, ValueError, KeyError) as error:
            reason = jail.last_words() or str(error)
            jail.close()
            raise JailDied(reason) from None
        jail.baseline_bytes, jail.resident_bytes = (count * os.sysconf("SC_PAGE_SIZE") for count in pages)
        if not proc_usage.can_be_seen(jail.pid):
            jail.close()
            raise JailDied("this kernel does not list the children of a process, so their memory cannot be limited")
        return jail
    finally:
        os.close(info)


def _readable(standard: str, libraries: Sequence[str], packages: Sequence[str], hidden: Sequence[str]) -> list[str]:
    """Return the paths that may be read, so that none contains a hidden one: Landlock cannot take back a part."""
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


def _read_info(info: int) -> bytes:
    """Return the message of bwrap about its child, or nothing where it fails."""
    end, told = time.monotonic() + START_S, b""
    poll = select.poll()
    poll.register(info, select.POLLIN)
    while poll.poll(max(0.0, end - time.monotonic()) * 1000):
        part = os.read(info, 4096)
        told += part
        if not part or b"}" in told:
            break
    return told
