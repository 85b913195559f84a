"""One program, in the process that was forked for it: limits first, then the code. Never returns."""

import atexit
import builtins
import os
import signal
import sys
import threading
import traceback
from _sitebuiltins import Quitter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import command
import kernel

OUT_OF_MEMORY = 250  # the exit code of a program that ran out of memory


def run(files: Sequence[int], limits: dict[str, Any], report: int) -> None:
    """Run the program in the first of `files` and end this process with its exit code; the others are its stdin, stdout, stderr.

    With a `command` in `limits` this process becomes that command. To `report` goes why it could not be run.
    """
    try:
        os.setsid()
        kernel.die_with_parent()
        source = _read_all(files[0]) if limits.get("command") != [] else b""
        for given, here in zip(files[1:4], range(3), strict=True):
            os.dup2(given, here)
        if "command" in limits:
            command.become(limits, source, files[0], report)
        _close_all_but(report)
        for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ, signal.SIGPIPE):
            signal.signal(caught, signal.SIG_DFL if caught in (signal.SIGINT, signal.SIGTERM) else signal.SIG_IGN)
        kernel.hide_memory(hidden=False)  # from outside, its files are looked at; inside there is nobody else
        kernel.restrict_resources(limits["cpu_s"], limits["memory_bytes"], limits["file_bytes"])
        kernel.restrict_calls()
    except BaseException as error:  # noqa: BLE001 - nothing may get past this point unrestricted
        os.write(report, repr(error).encode()[:500])
        os._exit(1)
    os.close(report)
    exit_code = _execute(source)
    try:
        threading._shutdown()  # type: ignore[attr-defined] # as at the end of any Python program
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - the program's own
        exit_code = exit_code or 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001 - it may have closed or replaced them
            exit_code = exit_code or 1
    os._exit(exit_code)


def _close_all_but(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, 4096)


def _execute(source: bytes) -> int:
    """Its exit code."""
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = ["main.py"]
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    try:
        exec(compile(source, "main.py", "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - what the jail is for
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return (stop.code or 0) & 255
        print(stop.code, file=sys.stderr)
        return 1
    except MemoryError:
        return OUT_OF_MEMORY
    except BaseException as error:  # noqa: BLE001 - whatever it raised
        try:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            traceback.print_exception(error, limit=-8)
        except BaseException:  # noqa: BLE001, S110 - an exception of its own making
            pass
        return 1
    return 0


def _read_all(file: int) -> bytes:
    """Not through the file's position: other processes read the same one."""
    parts: list[bytes] = []
    length = 0
    while part := os.pread(file, 1 << 20, length):
        parts.append(part)
        length += len(part)
    return b"".join(parts)
