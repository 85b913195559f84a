"""Run functions that are slow, may hang or may crash in worker processes that can be killed."""

from collections.abc import Callable
from typing import Any

from .outcome import DEFAULT_MEMORY_BYTES, Outcome

__all__ = ["DEFAULT_MEMORY_BYTES", "Outcome", "call_isolated"]


async def call_isolated(
    function: Callable[..., Any], *args: Any, timeout_s: float, memory_bytes: int | None = DEFAULT_MEMORY_BYTES
) -> Outcome:
    """Run `function(*args)` in a worker of this process's shared pool and return its outcome.

    The function and its arguments are pickled, so use a function defined in a module, and arguments such as frozen
    dataclasses. The worker runs a coroutine function to completion. `timeout_s` counts from the moment the call starts in
    the worker, not from the moment you asked for it, and excludes the time its module takes to import. `memory_bytes`
    limits how much the worker may grow; None means no limit. The function's output is discarded, its stdin is empty, and
    environment variables that look like secrets are removed.

    Works in any event loop. Inside a worker the call is made in place, under the limits of the surrounding call.
    Raises: R1Error if something cannot be pickled or no worker can be started.
    """
    from . import worker

    if worker.inside:
        return await worker.call_here(function, *args)
    from .pool import shared_pool

    return await shared_pool().call_async(function, *args, timeout_s=timeout_s, memory_bytes=memory_bytes)
