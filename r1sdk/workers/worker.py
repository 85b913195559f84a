"""The worker process: receive a call, report that it starts, make it, send the result.

Pure Python cannot undo everything that a function does to its own process; `_restore` undoes the common changes. A worker
that cannot be restored reports this and is replaced.
"""

import asyncio
import inspect
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import wire
from .outcome import Outcome

STARTED, VALUE, RAISED, MEMORY = b"S", b"V", b"E", b"M"
SPENT = b"!"  # follows the tag: this worker must be replaced
GOOD = b"."
inside = False  # True in a worker process


def work(connection: socket.socket) -> None:
    """Make calls until the pool closes the connection."""
    global inside
    inside = True
    # A process forked by a call would hold the connection open, and the pool would not notice that this worker ended.
    os.register_at_fork(after_in_child=connection.close)
    home, recursion = os.getcwd(), sys.getrecursionlimit()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    base_bytes = _data_bytes()
    functions: dict[bytes, Any] = {}
    while True:
        try:
            request = pickle.loads(wire.receive(connection))
        except wire.Closed:
            return
        reply = _run_request(connection, functions, *request)
        memory_bytes = request[-1]
        fit = _restore(home, recursion, mask) and (memory_bytes is None or _data_bytes() - base_bytes < memory_bytes)
        tag, payload = reply
        try:
            wire.send(connection, tag + (GOOD if fit and tag != MEMORY else SPENT) + payload)
        except wire.Closed:
            return


def _run_request(
    connection: socket.socket,
    functions: dict[bytes, Any],
    forget: bool,
    key: bytes,
    sent_function: tuple[bytes, list[str]] | None,
    pickled_arguments: bytes,
    memory_bytes: int | None,
) -> tuple[bytes, bytes]:
    """Run one request and return the tag and the payload of its answer."""
    try:
        if forget:
            functions.clear()
        if sent_function is not None:
            pickled, sys.path[:] = sent_function
            functions[key] = pickle.loads(pickled)
        function, arguments = functions[key], pickle.loads(pickled_arguments)
        del pickled_arguments
        wire.send(connection, STARTED)  # from here on the function's own time counts
        _limit_growth(memory_bytes)
        try:
            return VALUE, _call_function(function, arguments)
        finally:
            _limit_growth(None)
    except MemoryError:
        return MEMORY, b""
    except BaseException as error:  # noqa: BLE001 - SystemExit too: it ends the function, not the worker
        try:
            return RAISED, _pickle_error(error)
        except MemoryError:
            return MEMORY, b""


def _call_function(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    value = function(*arguments)
    if inspect.isawaitable(value):
        value = asyncio.run(_await(value))
    pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    if len(pickled) > wire.MAX_RESULT_BYTES - 1024:
        raise ValueError(f"returned {len(pickled)} bytes, more than {wire.MAX_RESULT_BYTES - 1024}")
    return pickled


async def _await(value: Any) -> Any:
    return await value


async def call_here(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Make a nested call inside this worker, under the limits of the outer call."""
    started = time.monotonic()
    try:
        value = function(*arguments)
        value = await value if inspect.isawaitable(value) else value
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the exception is the outcome
        return Outcome(
            "raised", error, time.monotonic() - started, "".join(traceback.format_exception(error, limit=-8))
        )
    return Outcome("ok", value, time.monotonic() - started)


def _pickle_error(error: BaseException) -> bytes:
    """Pickle the exception with its traceback, or a RuntimeError with the same text if it cannot be pickled."""
    trace = "".join(traceback.format_exception(error, limit=-8))[-8192:]
    with suppress(BaseException):
        pickled = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        if type(pickle.loads(pickled)) is type(error) and len(pickled) < 1 << 20:
            return pickle.dumps((pickled, trace))
    text = "its text is not available"
    with suppress(BaseException):
        text = str(error)[:8192]
    return pickle.dumps((pickle.dumps(RuntimeError(f"{type(error).__name__}: {text}")), trace))


def _limit_growth(memory_bytes: int | None) -> None:
    """Let the process grow by `memory_bytes` from its present size; None lifts the limit.

    Only writable memory counts. Loaded libraries and reserved addresses do not: some libraries reserve many times the
    memory of the machine.
    """
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = most if memory_bytes is None else _data_bytes() + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def _data_bytes() -> int:
    """Return the bytes of writable memory, which the limit is about; 0 if they cannot be read."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except OSError:  # not Linux
        return 0


def _restore(home: str, recursion: int, mask: set[int | signal.Signals]) -> bool:
    """Undo the changes a call may have made to this process. Returns True if nothing that the call started remains."""
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        sys.setrecursionlimit(recursion)
        os.chdir(home)
        os.waitpid(-1, os.WNOHANG)  # no ChildProcessError: a child is left, and the server ends it with this worker
    except ChildProcessError:
        return threading.active_count() == 1
    except OSError:
        pass
    return False
