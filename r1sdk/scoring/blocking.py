"""Run a coroutine from code that is not async: in scripts, in the trainer, in a notebook's cell."""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..errors import R1Error

Result = TypeVar("Result")


def run_blocking(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `coroutine`, run in a new event loop.

    Unlike `asyncio.run` this leaves SIGINT alone, so Ctrl-C ends a batch that is being sampled at once and not at the next `await`.
    Where this thread already runs a loop, as in a notebook, the new one runs in a thread of its own.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_run, coroutine).result()


def _run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner() as runner:
        return runner.get_loop().run_until_complete(coroutine)


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return the results in order. The first failure cancels the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
    return [task.result() for task in tasks]


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to report of several tasks that failed together: one that the user can act on, if there is one."""
    leaves: list[BaseException] = []
    left: list[BaseException] = [errors]
    while left:
        error = left.pop(0)
        if isinstance(error, BaseExceptionGroup):
            left += error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, R1Error)), leaves[0])
