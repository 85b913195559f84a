"""Retry calls of E2B while their errors are of a kind that passes."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import r1sdk

Result = TypeVar("Result")
FIRST_S, LONGEST_S = 0.5, 10.0  # pauses


class Disturbed(Exception):
    """The sandbox did not answer as it should; the program may be why."""


async def waited_out(
    act: Callable[[], Awaitable[Result]], passes: Callable[[Exception], bool], patience_s: float
) -> Result:
    """Return `await act()`, retried for `patience_s` while its error `passes`. Raises: Unavailable after that; other errors."""
    end, pause = time.monotonic() + patience_s, FIRST_S
    while True:
        try:
            return await act()
        except Exception as error:
            if not passes(error):
                raise
            if time.monotonic() + pause > end:
                raise r1sdk.Unavailable(f"sandbox e2b, tried for {patience_s:.0f} s: {words(error)}") from None
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, LONGEST_S)


def is_refused(error: Exception) -> bool:
    """True if the server refused because of a rate limit, or because it is busy."""
    from e2b import RateLimitException, SandboxException
    from e2b.exceptions import ServiceBusyException

    if isinstance(error, RateLimitException | ServiceBusyException):
        return True
    return isinstance(error, SandboxException) and _status(error) in ("429", "503")


def may_pass(error: Exception) -> bool:
    """True if making a sandbox may work later: refused, or the server cannot be reached; not a wrong key or template."""
    from e2b import SandboxException, TimeoutException
    from httpx import TransportError

    if is_refused(error) or isinstance(error, TimeoutException | TransportError | OSError):
        return True
    return isinstance(error, SandboxException) and _status(error) in ("500", "502", "504")


def words(error: BaseException) -> str:
    """Return an error of the client in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _status(error: Exception) -> str:
    """Return the HTTP status. Errors of the code interpreter have it in their text alone."""
    return str(getattr(error, "status_code", None) or str(error)[:3])
