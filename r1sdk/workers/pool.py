"""`WorkerPool`: calls in worker processes that can be killed, with one thread here per worker."""

import asyncio
import atexit
import contextlib
import hashlib
import os
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Self

from ..errors import R1Error
from .calls import Call, Caller
from .handles import ForkServer
from .outcome import DEFAULT_MEMORY_BYTES, Outcome
from .packing import pack

_MAX_WORKERS = 32


class WorkerPool:
    """A pool of worker processes for functions that are slow, may hang or may crash their process.

    The pool, not the worker, keeps the time of a call, which counts from the moment the call starts in a worker. A worker
    that overruns, ends or exceeds its memory is killed and replaced; only the call it was making is lost. Workers start
    when they are needed and end with this process, even if it is killed. Safe to use from any thread. A process forked
    from this one starts with an empty pool.

    `workers` defaults to the processors that this process may use, divided by LOCAL_WORLD_SIZE.

    Not a sandbox: a worker runs as this user, may read and write files and use the network, and can signal this process.
    Run model-written code in a sandbox.
    """

    def __init__(self, workers: int | None = None, memory_bytes: int | None = DEFAULT_MEMORY_BYTES) -> None:
        self.workers = default_workers() if workers is None else workers
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.memory_bytes = memory_bytes
        self._begin()
        _POOLS.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle = threading.Semaphore(0)
        self._queue: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._server = ForkServer()
        self._closed = False

    def submit(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        timeout_s: float,
        memory_bytes: int | None | Literal["pool"] = "pool",
    ) -> "Future[Outcome]":
        """Queue `function(*arguments)` and return the future outcome. Raises: R1Error if these cannot be pickled."""
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
        packed, modules = pack(function)
        call = Call(
            modules,
            hashlib.blake2b(packed, digest_size=16).digest(),
            packed,
            pack(arguments)[0],
            timeout_s,
            self.memory_bytes if memory_bytes == "pool" else memory_bytes,
        )
        with self._lock:
            if self._closed:
                raise R1Error("this pool of workers is closed")
            self._queue.put(call)
            if not self._idle.acquire(blocking=False) and len(self._threads) < self.workers:
                thread = threading.Thread(target=self._run, name=f"r1-worker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return call.future

    def call(self, function: Callable[..., Any], *arguments: Any, **limits: Any) -> Outcome:
        """Run `function(*arguments)`, wait for it and return the outcome. Limits: as in `submit`."""
        return self.submit(function, *arguments, **limits).result()

    async def call_async(self, function: Callable[..., Any], *arguments: Any, **limits: Any) -> Outcome:
        """Run `function(*arguments)` from any event loop and return the outcome. Limits: as in `submit`."""
        return await asyncio.wrap_future(self.submit(function, *arguments, **limits))

    def close(self) -> None:
        """End the workers. Waiting calls are cancelled; running calls are lost."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                if (call := self._queue.get_nowait()) is not None:
                    call.future.cancel()
        for _ in self._threads:
            self._queue.put(None)
        self._server.close()
        for thread in self._threads:
            thread.join(timeout=5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _after_fork(self) -> None:
        """Reset a forked child: its threads are gone, and the workers belong to the parent."""
        self._server.forget()
        closed = self._closed
        self._begin()
        self._closed = closed

    def _run(self) -> None:
        """Serve one thread: take calls from the queue and make them in this thread's worker."""
        caller = Caller(self._server)
        while True:
            try:
                call = self._queue.get_nowait()
            except queue.Empty:
                self._idle.release()
                call = self._queue.get()
            if call is None:
                return caller.end()
            if not call.future.set_running_or_notify_cancel():
                continue
            try:
                caller.make(call)
            except BaseException as error:  # noqa: BLE001 - it belongs to the code that waits for the outcome
                if not call.future.done():
                    call.future.set_exception(error)
            del call  # do not keep it alive while waiting for the next one


_POOLS: "weakref.WeakSet[WorkerPool]" = weakref.WeakSet()


def default_workers() -> int:
    """Return the number of processors that this process may use, divided among the ranks of this machine."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return min(_MAX_WORKERS, max(1, processors // max(1, int(ranks) if ranks.isdecimal() else 1)))


_shared: WorkerPool | None = None
_lock = threading.Lock()


def shared_pool() -> WorkerPool:
    """Return the pool of this process. It is made on first use and closed at exit."""
    global _shared
    with _lock:
        if _shared is None:
            _shared = WorkerPool()
            atexit.register(_shared.close)
        return _shared


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for pool in list(_POOLS):
        pool._after_fork()


os.register_at_fork(after_in_child=_after_fork)
