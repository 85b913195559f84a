"""A jail, started: under bubblewrap, or by itself behind Landlock."""

import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from . import held
from .bubblewrap import DEVICES, ENVIRONMENT, INSIDE, bubblewrap_command, find_bwrap
from .interpreter import JAIL, find_interpreter
from .jails import Jail, JailDied
from .languages import Toolchain
from .scratch import Scratch

Mode = Literal["bubblewrap", "landlock"]
START_S = 60.0  # on a busy machine, with heavy modules


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
            jail.wait_until_ready(START_S)
            pages = int(Path(f"/proc/{jail.pid}/statm").read_text().split()[0])
        except (JailDied, OSError, ValueError) as error:
            reason = jail.last_words() or str(error)
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
