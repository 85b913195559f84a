"""Run a coroutine from code that is not async: a script, the trainer or a notebook cell."""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..errors import R1Error
from ..plugins.guard import abandon_calls

Result = TypeVar("Result")
CLOSING_S = 5.0  # for the tasks of an interrupted loop to end


def run_blocking(coroutine: Coroutine[Any, Any, Result], cancels: bool = False) -> Result:
    """Return the result of `coroutine`, run in a new event loop.

    Unlike `asyncio.run` this leaves SIGINT alone, so Ctrl-C ends a batch that is being sampled at once, not at the next `await`.
    With `cancels` Ctrl-C cancels the coroutine, which can then close what it opened.
    If this thread already runs a loop, as in a notebook, the new loop runs in another thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(coroutine, cancels)
    loops: list[asyncio.AbstractEventLoop] = []
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(_run, coroutine, cancels, loops)
        try:
            return running.result()
        except KeyboardInterrupt:  # Ctrl-C reaches this thread, and the other one works
            for loop in loops:
                loop.call_soon_threadsafe(_cancel_all, loop)
            raise


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _run(
    coroutine: Coroutine[Any, Any, Result], cancels: bool, loops: list[asyncio.AbstractEventLoop] | None = None
) -> Result:
    runner = asyncio.Runner()
    loop = runner.get_loop()
    if loops is not None:
        loops.append(loop)
    try:
        return runner.run(coroutine) if cancels else loop.run_until_complete(coroutine)
    except KeyboardInterrupt:
        abandon_calls()  # the loop ends with their coroutines unfinished
        if not cancels:
            _close_within(loop, CLOSING_S)
        raise
    finally:
        if not loop.is_closed():
            runner.close()


def _close_within(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Cancel the tasks of a loop that was interrupted, and close it.

    An interrupt can come where asyncio has just taken the callback that would continue a task. That task can no longer end, so
    nobody may wait for it without a bound, as `asyncio.Runner` does.
    """
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=seconds))
    loop.set_exception_handler(lambda *_: None)  # it would be told of tasks that did not end
    loop.close()


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return the results in order. The first failure cancels the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
    return [task.result() for task in tasks]


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to report for tasks that failed together: one that you can act on, if there is one."""
    leaves: list[BaseException] = []
    left: list[BaseException] = [errors]
    while left:
        error = left.pop(0)
        if isinstance(error, BaseExceptionGroup):
            left += error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, R1Error)), leaves[0])
