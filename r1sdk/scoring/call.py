"""Call a reward or a verifier once, in this process or in a worker, and record the result."""

import time
from dataclasses import dataclass
from typing import Any

from ..errors import R1Error, RewardError, Unavailable
from ..plugins.guard import PluginFault, call_async
from ..records import Rollout, Status
from ..workers import Outcome, call_isolated
from .isolation import Isolation


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a reward or a verifier. If `status` is not "ok", `value` is None and `reason` says why."""

    value: Any
    seconds: float
    status: Status = "ok"
    reason: str = ""


async def call(function: Any, argument: Any, limits: Isolation | None, rollout: Rollout, label: str) -> CallResult:
    """Return the result of `function(argument)`, called in a worker if it has `limits`.

    `rollout` and `label` appear in error messages. Raises: RewardError if the function raises. Such a failure never becomes
    a reward of 0.0: a bug in a reward must stop the run, not teach the model.
    """
    if limits is not None:
        return await _call_in_worker(function, argument, limits, rollout, label)
    started = time.perf_counter()
    try:
        value = await call_async(label, function, argument)
    except Unavailable as error:
        return CallResult(None, time.perf_counter() - started, "error", str(error))
    except PluginFault as error:
        raise RewardError(f"{error}\n  {describe_attempt(rollout)}") from error
    except Exception as error:
        raise _reward_error(error, rollout, label) from error
    return CallResult(value, time.perf_counter() - started)


async def _call_in_worker(function: Any, argument: Any, limits: Isolation, rollout: Rollout, label: str) -> CallResult:
    sent = argument if isinstance(argument, Rollout) else list(argument)
    try:
        outcome = await call_isolated(function, sent, timeout_s=limits.timeout_s, memory_bytes=limits.memory_bytes)
    except R1Error as error:
        raise RewardError(f"{label}: {error}\n  {describe_attempt(rollout)}") from error
    match outcome:
        case Outcome(status="ok"):
            return CallResult(outcome.value, outcome.seconds)
        case Outcome(status="raised", value=Unavailable()):
            return CallResult(None, outcome.seconds, "error", str(outcome.value))
        case Outcome(status="raised"):
            raise _reward_error(outcome.value, rollout, label) from outcome.value
        case Outcome(status="died"):
            return CallResult(None, outcome.seconds, "error", outcome.reason)
        case _:
            return CallResult(None, outcome.seconds, "timeout", outcome.reason)


def _reward_error(error: BaseException, rollout: Rollout, label: str) -> RewardError:
    return RewardError(f"{label} failed: {type(error).__name__}: {error}\n  {describe_attempt(rollout)}")


def describe_attempt(rollout: Rollout) -> str:
    """Return the task and the completion, shortened for a message."""
    return f"task {rollout.task.id or rollout.task.prompt!r:.200}, completion {rollout.completion.text!r:.200}"
