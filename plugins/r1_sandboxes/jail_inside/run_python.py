"""One Python program, in the process that was forked for it: limits first, then the code. Never returns."""

import _io
import _thread
import atexit
import builtins
import contextlib
import gc
import linecache
import os
import resource
import signal
import sys
import threading
import traceback
from _sitebuiltins import Quitter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import kernel
import run_command

OUT_OF_MEMORY = 250  # the exit code of a program that ran out of memory
_UNFLUSHED = 120  # the exit code of Python if it cannot flush its output
_STARTERS = ("start_new_thread", "start_joinable_thread")  # the second since Python 3.13


_streams: list[Any] = []  # the standard streams and their buffers: a program may replace them, with text left in them
_file = "main.py"
_source = b""


def prepare() -> None:
    """Do everything that is the same for all programs, before any is forked: memory that a fork touches first is copied then.

    Nothing that Python runs in this process itself may be imported or started after it.
    """
    global _file
    _streams[:] = [stream for stream in (sys.stdout, sys.stderr) for stream in (stream, stream.buffer)]
    sys.set_int_max_str_digits(0)  # contests print large numbers; the time is limited
    sys.argv = ["main.py"]
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    # Tracebacks and `inspect` find the source, though there is no file.
    _file = os.path.join(os.getcwd(), "main.py")
    linecache.cache["main.py"] = linecache.cache[_file] = (lambda: _source.decode("utf-8", "replace"),)
    _give_room_to_stacks()


def run(files: Sequence[int], limits: dict[str, Any]) -> None:
    """Run the program in the first of `files` and end this process with its exit code; the others are its stdin, stdout, stderr.

    With a `command` in `limits` this process becomes that command. The parent is sent the gate, and why it could not be run.
    """
    global _source
    try:
        os.setsid()
        kernel.die_with_parent()
        source = _read_all(files[0]) if limits.get("command") != [] else b""
        for given, here in zip(files[1:4], range(3), strict=True):
            os.dup2(given, here)
        if "command" in limits:
            run_command.become(limits, source, files[0])
        os.closerange(3, kernel.GATE_AT)
        os.closerange(kernel.GATE_AT + 1, 4096)
        for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ, signal.SIGPIPE):
            signal.signal(caught, signal.SIG_DFL if caught in (signal.SIGINT, signal.SIGTERM) else signal.SIG_IGN)
        kernel.hide_memory(hidden=False)  # from outside, its files are looked at; inside there is nobody else
        kernel.restrict_resources(
            limits["cpu_s"], limits["memory_bytes"], limits["file_bytes"], reserve_bytes=limits["reserve_bytes"]
        )
        kernel.restrict_calls("one")
    except BaseException as error:  # noqa: BLE001 - nothing may get past this point unrestricted
        with contextlib.suppress(OSError):
            os.write(kernel.GATE_AT, repr(error).encode()[:500])
        os._exit(1)
    os.close(kernel.GATE_AT)
    _source = source
    os._exit(_finish(_execute(source)))


def _execute(source: bytes) -> int:
    """Run the program as `__main__`. Return its exit code."""
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    main.__file__ = _file
    sys.modules["__main__"] = main
    try:
        exec(compile(source, "main.py", "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - the purpose of the jail
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


def _finish(exit_code: int) -> int:
    """Finish as Python does: wait for threads, run exit handlers, flush, destroy. Return the exit code."""
    try:
        threading._shutdown()  # type: ignore[attr-defined] # as at the end of any Python program
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - the program's own
        exit_code = exit_code or 1
    for name in ("stdout", "stderr"):
        try:
            stream = getattr(sys, name, None)
            if stream is not None and not _is_closed(stream):
                stream.flush()
        except BaseException:  # noqa: BLE001 - it may be anything by now
            exit_code = exit_code or _UNFLUSHED
    try:
        sys.modules.pop("__main__", None)
        gc.collect()  # destructors run, while the names of the program are still there for them
        for kept in gc.get_objects():  # files that something still holds, which Python would close later
            if isinstance(kept, _io._IOBase):
                _flush(kept)
    except BaseException:  # noqa: BLE001, S110 - it may have broken whatever is used here
        pass
    for stream in _streams:
        _flush(stream)
    return exit_code


def _flush(stream: Any) -> None:
    try:
        if not _is_closed(stream):
            stream.flush()
    except BaseException:  # noqa: BLE001, S110 - the descriptor may be closed, the class the program's own
        pass


def _is_closed(stream: Any) -> bool:
    """As Python finds it out: a stream that cannot tell counts as open."""
    try:
        return bool(stream.closed)
    except BaseException:  # noqa: BLE001 - the program's own
        return False


def _give_room_to_stacks() -> None:
    """Raise the limit on address space, by the reserve, when the program starts its first thread.

    The stack of a thread is reserved as a whole and used in part. From then on the memory of the program is limited from
    outside, by what it holds.
    """
    originals = {name: getattr(_thread, name) for name in _STARTERS if hasattr(_thread, name)}

    def replace(functions: dict[str, Any]) -> None:
        for name, function in functions.items():
            setattr(_thread, name, function)
            setattr(threading, f"_{name}", function)

    def starter(name: str) -> Any:
        def start(*arguments: Any, **options: Any) -> Any:
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
            replace(originals)
            return originals[name](*arguments, **options)

        return start

    replace({name: starter(name) for name in originals})


def _read_all(file: int) -> bytes:
    """Read all of `file`, but not through its position: other processes read the same one."""
    parts: list[bytes] = []
    length = 0
    while part := os.pread(file, 1 << 20, length):
        parts.append(part)
        length += len(part)
    return b"".join(parts)
