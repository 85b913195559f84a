"""Calls in worker processes that can be killed, for functions that are slow, may hang, or may break their process."""

from collections.abc import Callable
from typing import Any

from .outcome import DEFAULT_MEMORY_BYTES, Outcome

__all__ = ["DEFAULT_MEMORY_BYTES", "Outcome", "call_isolated"]


async def call_isolated(
    function: Callable[..., Any], *args: Any, timeout_s: float, memory_bytes: int | None = DEFAULT_MEMORY_BYTES
) -> Outcome:
    """The outcome of `function(*args)` in a worker process of the pool that this process shares.

    The function and its arguments are pickled: a function of a module, frozen dataclasses. A coroutine function is run to
    its end in the worker. `timeout_s` runs from the moment the call starts in a worker, not from when it was asked for;
    what its module takes to import is not counted. `memory_bytes`: how much the worker may grow; None: no limit. What the
    function prints is dropped, its stdin is empty, and environment variables that look like secrets are not there.

    In any event loop. Inside a worker the call is made in place, under the limits of the call that it is part of.
    Raises: R1Error where something cannot be pickled, or no worker can be started.
    """
    from . import worker

    if worker.inside:
        return await worker.call_here(function, *args)
    from .pool import shared_pool

    return await shared_pool().call_async(function, *args, timeout_s=timeout_s, memory_bytes=memory_bytes)
