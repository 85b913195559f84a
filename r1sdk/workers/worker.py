"""What a worker does: receive a call, say that it starts, make it, send what came of it.

Python only: it cannot undo what a function does to its own process beyond what `_tidy` puts back; a worker that cannot be
as it was says so and is replaced.
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
SPENT = b"!"  # after the tag: this worker must be replaced
GOOD = b"."
inside = False  # whether this process is a worker


def work(connection: socket.socket) -> None:
    """Make calls until the pool closes the connection."""
    global inside
    inside = True
    # A process that a call forks would hold the connection open, and the end of this worker would not be seen.
    os.register_at_fork(after_in_child=connection.close)
    home, recursion = os.getcwd(), sys.getrecursionlimit()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    born = _data()
    functions: dict[bytes, Any] = {}
    while True:
        try:
            request = pickle.loads(wire.receive(connection))
        except wire.Closed:
            return
        reply = _made(connection, functions, *request)
        memory_bytes = request[-1]
        fit = _tidy(home, recursion, mask) and (memory_bytes is None or _data() - born < memory_bytes)
        tag, payload = reply
        try:
            wire.send(connection, tag + (GOOD if fit and tag != MEMORY else SPENT) + payload)
        except wire.Closed:
            return


def _made(
    connection: socket.socket,
    functions: dict[bytes, Any],
    forget: bool,
    key: bytes,
    sent_function: tuple[bytes, list[str]] | None,
    pickled_arguments: bytes,
    memory_bytes: int | None,
) -> tuple[bytes, bytes]:
    """The tag and the payload of the answer to one request."""
    try:
        if forget:
            functions.clear()
        if sent_function is not None:
            pickled, sys.path[:] = sent_function
            functions[key] = pickle.loads(pickled)
        function, arguments = functions[key], pickle.loads(pickled_arguments)
        del pickled_arguments
        wire.send(connection, STARTED)  # from here on the time is the function's own
        _limit(memory_bytes)
        try:
            return VALUE, _value(function, arguments)
        finally:
            _limit(None)
    except MemoryError:
        return MEMORY, b""
    except BaseException as error:  # noqa: BLE001 - SystemExit too: it is the function that leaves, not the worker
        try:
            return RAISED, _pickled_error(error)
        except MemoryError:
            return MEMORY, b""


def _value(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    value = function(*arguments)
    if inspect.isawaitable(value):
        value = asyncio.run(_awaited(value))
    pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    if len(pickled) > wire.MAX_RESULT_BYTES - 1024:
        raise ValueError(f"returned {len(pickled)} bytes, more than {wire.MAX_RESULT_BYTES - 1024}")
    return pickled


async def _awaited(value: Any) -> Any:
    return await value


async def call_here(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """A call that a call in this worker makes: the limits of the outer one hold for both."""
    started = time.monotonic()
    try:
        value = function(*arguments)
        value = await value if inspect.isawaitable(value) else value
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return Outcome(
            "raised", error, time.monotonic() - started, "".join(traceback.format_exception(error, limit=-8))
        )
    return Outcome("ok", value, time.monotonic() - started)


def _pickled_error(error: BaseException) -> bytes:
    """The exception with the place where it was raised, or, where it cannot be sent, one that says the same."""
    said = "".join(traceback.format_exception(error, limit=-8))[-8192:]
    with suppress(BaseException):
        pickled = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        if type(pickle.loads(pickled)) is type(error) and len(pickled) < 1 << 20:
            return pickle.dumps((pickled, said))
    text = "its text cannot be had"
    with suppress(BaseException):
        text = str(error)[:8192]
    return pickle.dumps((pickle.dumps(RuntimeError(f"{type(error).__name__}: {text}")), said))


def _limit(memory_bytes: int | None) -> None:
    """Let the process grow by `memory_bytes` from what it holds now; None: by any amount.

    What counts is memory that can be written to. Libraries that are loaded, and addresses that are only reserved, of which
    some hold many times the memory of the machine, do not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = most if memory_bytes is None else _data() + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def _data() -> int:
    """The bytes of writable memory that the limit is about; 0 where that cannot be known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except OSError:  # not Linux
        return 0


def _tidy(home: str, recursion: int, mask: set[int | signal.Signals]) -> bool:
    """Put back what a call may have changed. Returns whether nothing that it started is still there."""
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        sys.setrecursionlimit(recursion)
        os.chdir(home)
        os.waitpid(-1, os.WNOHANG)  # a child is left: the server ends it together with this worker
    except ChildProcessError:
        return threading.active_count() == 1
    except OSError:
        pass
    return False
