"""The event loop that speaks with E2B, one per process, in its own thread: callers come from any thread and any loop."""

import asyncio
import atexit
import contextlib
import os
import threading
from concurrent.futures import Future

import r1sdk

from .cell import Cell
from .fleet import CLOSE_S, Fleet, Settings

_fleets: dict[Settings, Fleet] = {}
_tasks: set["asyncio.Task[object] | None"] = set()
_loop: asyncio.AbstractEventLoop | None = None
_lock = threading.Lock()


def submit(settings: Settings, cell: Cell, patience_s: float | None = None) -> Future[list[r1sdk.Execution]]:
    """Run a cell in this process's fleet of these settings. The future raises: Unavailable, R1Error."""
    return asyncio.run_coroutine_threadsafe(_run(settings, cell, patience_s), _running_loop())


def close_fleets() -> None:
    """Cancel running programs and delete every sandbox of this process; the next program makes new ones."""
    if _loop is not None and _fleets:
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_close(), _loop).result(2 * CLOSE_S)


async def _run(settings: Settings, cell: Cell, patience_s: float | None) -> list[r1sdk.Execution]:
    task = asyncio.current_task()
    _tasks.add(task)
    try:
        return await _fleets.setdefault(settings, Fleet(settings)).run(cell, patience_s)
    finally:
        _tasks.discard(task)


async def _close() -> None:
    running = [task for task in _tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    fleets = list(_fleets.values())
    _fleets.clear()
    await asyncio.gather(*(fleet.close() for fleet in fleets))


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="r1-e2b", daemon=True).start()
        return _loop


def _forget() -> None:
    """Forget the fleets in a forked process: the sandboxes belong to its parent, and the thread is not here."""
    global _loop, _lock
    _loop, _lock = None, threading.Lock()
    _fleets.clear()
    _tasks.clear()


atexit.register(close_fleets)
os.register_at_fork(after_in_child=_forget)
