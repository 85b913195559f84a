"""The process that forks workers: `python -c "from r1sdk.workers.fork_server import main; main(...)"`, started by a pool.

It has no threads and no secrets in its environment, and it has imported the modules of the functions that are called, so a
worker is ready within milliseconds. It ends, with its workers, when the pool's process ends for any reason. Processes that
a worker leaves behind become its children and are killed when that worker is reaped.
"""

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from .worker import work

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"


def main(descriptor: int, parent: int) -> None:
    """Serve the pool at the other end of `descriptor` until the connection or the process `parent` is gone."""
    control = socket.socket(fileno=descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _send_reply(control, {"ready": os.getpid()})
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # up to this line the pool could read why the start failed
        os.dup2(null, stream)
    os.close(null)
    workers: set[int] = set()
    try:
        while request := _request(control, parent):
            message, descriptors = request
            _send_reply(control, _handle_request(control, message, descriptors, workers))
    finally:
        _end_all(workers)


def _handle_request(
    control: socket.socket, message: dict[str, Any], descriptors: list[int], workers: set[int]
) -> dict[str, Any]:
    if "reap" in message:
        return {"status": _reap(message["reap"], workers)}
    sys.path[:] = message["path"]
    for module in message["modules"]:
        # An import that fails here fails again in the worker, which reports it with the call that needs it.
        with suppress(BaseException):
            importlib.import_module(module)
    if (threads := _threads()) > 1:
        return {"threads": threads}
    gc.collect()
    gc.freeze()  # the workers share these pages until somebody writes to them
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            if _LINUX:
                libc = ctypes.CDLL(None)
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            control.close()
            if os.getppid() == server:
                os.setsid()
                work(socket.socket(fileno=descriptors[0]))
        finally:
            os._exit(0)
    workers.add(pid)
    for descriptor in descriptors:
        os.close(descriptor)
    return {"pid": pid}


def _request(control: socket.socket, parent: int) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next request with its descriptors, or None if the pool or its process is gone."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    # The socket alone is not enough: a process forked by the pool's process may hold its other end open.
    handle = _process_handle(parent)
    if handle is not None:
        poll.register(handle, select.POLLIN)
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(500)]
            if os.getppid() != parent or (handle is not None and handle in ready):
                return None
            if ready:
                break
    finally:
        if handle is not None:
            os.close(handle)
    text, descriptors = b"", []
    while not text.endswith(b"\n"):
        part, more, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not part:
            return None
        text += part
        descriptors += more
    return json.loads(text), descriptors


def _process_handle(parent: int) -> int | None:
    try:
        return os.pidfd_open(parent) if _LINUX else None
    except (OSError, AttributeError):  # an old kernel: the poll's timeout notices instead
        return None


def _send_reply(control: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):  # the next request notices that the pool is gone
        control.sendall(json.dumps(message).encode() + b"\n")


def _reap(pid: int, workers: set[int]) -> int | None:
    """Kill a worker and every process it left behind. Returns the worker's wait status."""
    status = None
    if pid in workers:
        workers.discard(pid)
        _kill(pid)
        with suppress(ChildProcessError):
            _, status = os.waitpid(pid, 0)
    for _ in range(100):  # children of a killed stray become strays themselves
        strays = [child for child in _children() if child not in workers]
        for stray in strays:
            with suppress(OSError):
                os.kill(stray, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(stray, 0)
        if not strays:
            break
    return status


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the worker's group, and the worker in case it has left the group
        with suppress(OSError):
            kill(pid, signal.SIGKILL)


def _end_all(workers: set[int]) -> None:
    for pid in list(workers):
        _kill(pid)
    for pid in list(workers):
        _reap(pid, workers)
    _reap(0, workers)


def _children() -> list[int]:
    try:
        return list(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
    except (OSError, ValueError):  # not Linux, or a kernel without this file
        return []


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()
