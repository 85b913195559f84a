"""One call of a reward or a verifier, here or in a worker process, and what came of it."""

import inspect
import time
from dataclasses import dataclass
from typing import Any

from ..errors import R1Error, RewardError, Unavailable
from ..records import Rollout, Status
from ..workers import Outcome, call_isolated
from .isolation import Isolation


@dataclass(frozen=True, slots=True)
class Called:
    """What a reward or a verifier returned; with a status that is not "ok" there is no value, and a reason."""

    value: Any
    seconds: float
    status: Status = "ok"
    reason: str = ""


async def call(function: Any, argument: Any, limits: Isolation | None, rollout: Rollout, what: str) -> Called:
    """`function(argument)`, in a worker where it has `limits`. `rollout` and `what` are for the message.

    Raises: RewardError where it raised. Never a price of 0.0: a bug in a reward must stop the run, not teach the model.
    """
    if limits is not None:
        return await _call_there(function, argument, limits, rollout, what)
    started = time.perf_counter()
    try:
        value = function(argument)
        value = await value if inspect.isawaitable(value) else value
    except Unavailable as error:
        return Called(None, time.perf_counter() - started, "error", str(error))
    except Exception as error:
        raise _failed(error, rollout, what) from error
    return Called(value, time.perf_counter() - started)


async def _call_there(function: Any, argument: Any, limits: Isolation, rollout: Rollout, what: str) -> Called:
    sent = argument if isinstance(argument, Rollout) else list(argument)
    try:
        outcome = await call_isolated(function, sent, timeout_s=limits.timeout_s, memory_bytes=limits.memory_bytes)
    except R1Error as error:
        raise RewardError(f"{what}: {error}\n  {where(rollout)}") from error
    match outcome:
        case Outcome(status="ok"):
            return Called(outcome.value, outcome.seconds)
        case Outcome(status="raised", value=Unavailable()):
            return Called(None, outcome.seconds, "error", str(outcome.value))
        case Outcome(status="raised"):
            raise _failed(outcome.value, rollout, what) from outcome.value
        case Outcome(status="died"):
            return Called(None, outcome.seconds, "error", outcome.reason)
        case _:
            return Called(None, outcome.seconds, "timeout", outcome.reason)


def _failed(error: BaseException, rollout: Rollout, what: str) -> RewardError:
    return RewardError(f"{what} failed: {type(error).__name__}: {error}\n  {where(rollout)}")


def where(rollout: Rollout) -> str:
    """The task and the completion, for a message."""
    return f"task {rollout.task.id or rollout.task.prompt!r:.200}, completion {rollout.completion.text!r:.200}"
