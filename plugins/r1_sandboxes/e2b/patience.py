"""Which faults of E2B pass, and waiting until they have."""

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
    """What `act` returns, tried again for `patience_s` while its error `passes`. Raises: Unavailable after that; other errors."""
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
    """Whether the server took nothing because of a rate limit or because it is busy."""
    from e2b import RateLimitException, SandboxException
    from e2b.exceptions import ServiceBusyException

    if isinstance(error, RateLimitException | ServiceBusyException):
        return True
    return isinstance(error, SandboxException) and _status(error) in ("429", "503")


def may_pass(error: Exception) -> bool:
    """Whether making a sandbox later may work: refused, or the server cannot be reached; not a wrong key or template."""
    from e2b import SandboxException, TimeoutException
    from httpx import TransportError

    if is_refused(error) or isinstance(error, TimeoutException | TransportError | OSError):
        return True
    return isinstance(error, SandboxException) and _status(error) in ("500", "502", "504")


def words(error: BaseException) -> str:
    """An error of the client, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _status(error: Exception) -> str:
    """Of HTTP. The code interpreter's errors have it in their text alone."""
    return str(getattr(error, "status_code", None) or str(error)[:3])
