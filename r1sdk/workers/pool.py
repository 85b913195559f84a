"""Calls made in worker processes that can be killed: `WorkerPool`, with one thread here for each worker there."""

import asyncio
import atexit
import contextlib
import hashlib
import os
import pickle
import queue
import threading
import time
import types
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal, Self

from ..errors import R1Error
from . import wire
from . import worker as process
from .handles import LOAD_S, ForkServer, Worker
from .outcome import DEFAULT_MEMORY_BYTES, Outcome

_MAX_WORKERS = 32
_MAX_FUNCTIONS = 32  # that a worker keeps unpickled


@dataclass(slots=True)
class _Item:
    modules: frozenset[str]
    key: bytes
    function: bytes
    arguments: bytes
    timeout_s: float
    memory_bytes: int | None
    future: "Future[Outcome]" = field(default_factory=Future)


class WorkerPool:
    """Worker processes for functions that are slow, may hang, or may break their process.

    A call's time runs from the moment it starts in a worker, and is kept here. A worker that overruns, ends, or needs more
    than its memory is killed and replaced; the call that it was making is lost, no other. Workers start when they are
    needed, and end with this process, however that ends. Safe to use from any thread. In a process forked from this one
    the pool begins anew.

    `workers`: default: the processors that this process may use, divided by LOCAL_WORLD_SIZE.

    Not covered: code that means harm. A worker runs as this user, may read and write files and use the network, and can
    signal this process. Code that a model wrote belongs into a sandbox.
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
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
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
        """The future outcome of `function(*arguments)`. Raises: R1Error where these cannot be pickled."""
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
        packed, modules = pack(function)
        item = _Item(
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
            self._queue.put(item)
            if not self._idle.acquire(blocking=False) and len(self._threads) < self.workers:
                thread = threading.Thread(target=self._run, name=f"r1-worker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return item.future

    def call(self, function: Callable[..., Any], *arguments: Any, **limits: Any) -> Outcome:
        """The outcome of `function(*arguments)`, waited for. Limits: as `submit`."""
        return self.submit(function, *arguments, **limits).result()

    async def call_async(self, function: Callable[..., Any], *arguments: Any, **limits: Any) -> Outcome:
        """The outcome of `function(*arguments)`, in any event loop. Limits: as `submit`."""
        return await asyncio.wrap_future(self.submit(function, *arguments, **limits))

    def close(self) -> None:
        """End the workers. Calls that are waiting are cancelled; those being made are lost."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                if (item := self._queue.get_nowait()) is not None:
                    item.future.cancel()
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
        """In the child of a fork the threads are gone, and the workers belong to the parent."""
        self._server.forget()
        closed = self._closed
        self._begin()
        self._closed = closed

    def _run(self) -> None:
        """One thread: its worker, and the calls that this worker makes."""
        worker: Worker | None = None
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                self._idle.release()
                item = self._queue.get()
            if item is None:
                return
            if not item.future.set_running_or_notify_cancel():
                continue
            try:
                worker = self._make(item, worker)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the outcome
                worker = None
                item.future.set_exception(error)
            del item

    def _make(self, item: _Item, worker: Worker | None) -> Worker | None:
        """Make one call, in `worker` or a new one. Returns the worker where it can be used again."""
        how = ""
        for _ in range(3):  # a worker that ended before it began on the item has not been ended by it
            worker = worker or self._server.fork(item.modules)
            try:
                reply = self._begun(worker, item)
            except (wire.Closed, wire.Late) as error:
                late = isinstance(error, wire.Late)
                how = self._server.bury(worker)
                worker = None
                if late:
                    how = f"did not load the function within {LOAD_S:g} s"
                    break
                continue
            if reply[:1] != process.STARTED:  # it could not be loaded
                item.future.set_result(_outcome(reply, 0.0, item))
                return self._kept(worker, reply)
            return self._finished(worker, item)
        item.future.set_result(Outcome("died", reason=f"the worker {how} before it began"))
        return None

    def _begun(self, worker: Worker, item: _Item) -> bytes:
        """Send the call; the first frame that comes back. Raises: Closed, Late."""
        forget = len(worker.functions) >= _MAX_FUNCTIONS and item.key not in worker.functions
        if forget:
            worker.functions.clear()
        function = None if item.key in worker.functions else item.function
        request = (forget, item.key, function, item.arguments, item.memory_bytes)
        wire.send(worker.connection, pickle.dumps(request, pickle.HIGHEST_PROTOCOL))
        reply = wire.receive(worker.connection, time.monotonic() + LOAD_S, wire.MAX_RESULT_BYTES)
        if reply[:1] == process.STARTED:
            worker.functions.add(item.key)
        return reply

    def _finished(self, worker: Worker, item: _Item) -> Worker | None:
        """The outcome of a call that has started; whoever waits has it before anything is tidied up."""
        started = time.monotonic()
        try:
            reply = wire.receive(worker.connection, started + item.timeout_s, wire.MAX_RESULT_BYTES)
        except wire.Late:
            worker.kill()
            seconds = time.monotonic() - started
            item.future.set_result(Outcome("timeout", None, seconds, f"no result within {item.timeout_s:g} s"))
            self._server.bury(worker)
            return None
        except wire.Closed:
            seconds = time.monotonic() - started
            how = self._server.bury(worker)
            item.future.set_result(Outcome("died", None, seconds, f"the worker {how}"))
            return None
        item.future.set_result(_outcome(reply, time.monotonic() - started, item))
        return self._kept(worker, reply)

    def _kept(self, worker: Worker, reply: bytes) -> Worker | None:
        if reply[1:2] == process.GOOD:
            return worker
        self._server.bury(worker)
        return None


def _outcome(reply: bytes, seconds: float, item: _Item) -> Outcome:
    tag, payload = reply[:1], reply[2:]
    if tag == process.MEMORY:
        limit = f"more than {item.memory_bytes} bytes of memory" if item.memory_bytes else "more memory than there is"
        return Outcome("memory", None, seconds, f"needed {limit}")
    try:
        if tag == process.VALUE:
            return Outcome("ok", pickle.loads(payload), seconds)
        error, said = pickle.loads(payload)
        return Outcome("raised", pickle.loads(error), seconds, said)
    except Exception as error:  # noqa: BLE001 - what the function returned can be made there and not here
        text = f"what it returned cannot be unpickled: {type(error).__name__}: {error}"
        return Outcome("raised", RuntimeError(text), seconds, text)


class _Pickler(pickle.Pickler):
    """Pickles what a worker can find again, and collects the modules that it needs for that."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.modules: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | types.FunctionType):
            if value.__module__ == "__main__":
                raise pickle.PicklingError(
                    f"{value.__qualname__} is defined in the script that runs, which a worker does not; put it in a module"
                )
            self.modules.add(value.__module__)
        return NotImplemented


def pack(value: Any) -> tuple[bytes, frozenset[str]]:
    """`value` pickled, and the modules that unpickling it imports. Raises: R1Error where a worker could not have it."""
    file = BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(value)
    except Exception as error:
        raise R1Error(f"{value!r:.100} cannot be sent to a worker process: {error}") from error
    return file.getvalue(), frozenset(pickler.modules)


def default_workers() -> int:
    """The processors that this process may use, divided among the ranks of this machine."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return min(_MAX_WORKERS, max(1, processors // max(1, int(ranks) if ranks.isdecimal() else 1)))


_POOLS: "weakref.WeakSet[WorkerPool]" = weakref.WeakSet()
_shared: WorkerPool | None = None
_shared_lock = threading.Lock()


def shared_pool() -> WorkerPool:
    """The pool of this process, made when it is first asked for and closed at exit."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = WorkerPool()
            atexit.register(_shared.close)
        return _shared


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for pool in list(_POOLS):
        pool._after_fork()


os.register_at_fork(after_in_child=_after_fork)
