"""Verify and score rollouts: the one path that training, evaluation and generation share."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..contracts import Composite, Environment, takes_group
from ..errors import RewardError
from ..plugins.environment_calls import call_method
from ..plugins.frozen import frozen_rollout, kept_verdict
from ..plugins.guard import plugin_calls
from ..records import Rollout, Score, Verdict
from .blocking import run_blocking
from .call import CallResult, call, describe_attempt
from .isolation import isolation_of, unwrapped

Rewards = Mapping[str, tuple[Any, float]]
"""Reward and weight by name: `{"accuracy": (accuracy, 1.0)}`."""


def score(
    rollouts: Sequence[Rollout], environment: Environment, rewards: Rewards, group_size: int = 1
) -> tuple[list[Rollout], list[Score]]:
    """Verify the rollouts, then compute their rewards, from code that is not async. Shapes: [B] -> [B], [B].

    `group_size`: number of consecutive rollouts that answer one prompt, for group rewards. Raises: RewardError.
    """

    async def verify_and_score() -> tuple[list[Rollout], list[Score]]:
        with plugin_calls():
            verified = await verify(rollouts, environment)
            return verified, await score_rewards(verified, rewards, group_size)

    return run_blocking(verify_and_score())


async def verify(rollouts: Sequence[Rollout], environment: Environment) -> list[Rollout]:
    """Return each rollout with the environment's verdict. Shapes: [B] -> [B]. Raises: RewardError."""
    with plugin_calls():
        verdicts = await asyncio.gather(*(_verdict(environment, rollout) for rollout in rollouts))
    return [replace(rollout, verdict=verdict) for rollout, verdict in zip(rollouts, verdicts, strict=True)]


async def score_rewards(rollouts: Sequence[Rollout], rewards: Rewards, group_size: int = 1) -> list[Score]:
    """Return each verified rollout's rewards and their weighted total. Shapes: [B] x [K] -> [B]. Raises: RewardError."""
    handed = [frozen_rollout(rollout) for rollout in rollouts]
    with plugin_calls():
        columns = await asyncio.gather(
            *(_score_column(name, reward, handed, group_size) for name, (reward, _) in rewards.items())
        )
    rows = zip(*columns, strict=True) if rewards else ([] for _ in rollouts)
    return [_score(dict(zip(rewards, row, strict=True)), rewards) for row in rows]


def _score(results: Mapping[str, CallResult], rewards: Rewards) -> Score:
    failed = {name: result for name, result in results.items() if result.status != "ok"}
    return Score(
        rewards={name: result.value for name, result in results.items()},
        total=sum(rewards[name][1] * result.value for name, result in results.items() if result.value is not None),
        statuses={name: result.status for name, result in failed.items()},
        seconds={name: result.seconds for name, result in results.items()},
        reasons={name: result.reason for name, result in failed.items()},
    )


async def _verdict(environment: Environment, rollout: Rollout) -> Verdict:
    if rollout.session is not None and rollout.session.ended == "error":
        return Verdict(None, "error", reason=rollout.session.reason)
    handed = frozen_rollout(rollout)
    target, limits = unwrapped(environment), isolation_of(environment)
    while isinstance(target, Composite):
        part = call_method(target, "part_of", handed.task)
        target, limits = unwrapped(part), limits or isolation_of(part)
    label = f"{type(target).__name__}.verify"
    called = await call(target.verify, handed, limits, rollout, label)
    if called.status != "ok":
        # An answer that is too expensive to check is the model's fault, so it is 0.0. An unavailable judge is not: None.
        value = 0.0 if called.status == "timeout" else None
        return Verdict(value, called.status, seconds=called.seconds, reason=called.reason)
    if isinstance(called.value, Verdict):
        if len(called.value.turn_rewards) not in (0, rollout.turns):
            raise RewardError(
                f"{label} returned {len(called.value.turn_rewards)} turn_rewards for {rollout.turns} turns of the model; "
                f"give one for each, None where a turn has none\n  {describe_attempt(rollout)}"
            )
        verdict = kept_verdict(called.value)
        return verdict if verdict.seconds else replace(verdict, seconds=called.seconds)
    number = _number(called.value, label, rollout)
    if number is None:
        return Verdict(None, "unverifiable", seconds=called.seconds)
    if not 0.0 <= number <= 1.0:
        raise RewardError(f"{label} returned {number}, which is not in [0, 1]\n  {describe_attempt(rollout)}")
    return Verdict(number, seconds=called.seconds)


async def _score_column(name: str, reward: Any, rollouts: Sequence[Rollout], group_size: int) -> list[CallResult]:
    """Compute one reward for the batch. Shapes: [B] -> [B]."""
    label, limits, function = f"reward {name!r}", isolation_of(reward), unwrapped(reward)
    if not takes_group(function):
        called = await asyncio.gather(*(call(function, rollout, limits, rollout, label) for rollout in rollouts))
        return [
            replace(result, value=_number(result.value, label, rollout))
            for result, rollout in zip(called, rollouts, strict=True)
        ]
    groups = _groups(rollouts, group_size, label)
    results = await asyncio.gather(*(call(function, group, limits, group[0], label) for group in groups))
    return [each for group, result in zip(groups, results, strict=True) for each in _per_rollout(result, group, label)]


def _groups(rollouts: Sequence[Rollout], size: int, label: str) -> list[Sequence[Rollout]]:
    """Split the rollouts into groups by prompt. Raises: RewardError if a group is incomplete or not consecutive."""
    remedy = "\n  each process must hold complete groups: make its batch size a multiple of generation.samples"
    if len(rollouts) % size:
        raise RewardError(
            f"{label} compares complete groups: {len(rollouts)} rollouts are not groups of {size}{remedy}"
        )
    groups = [rollouts[start : start + size] for start in range(0, len(rollouts), size)]
    for group in groups:
        first = group[0].task
        for other in (rollout.task for rollout in group):
            if other.id != first.id or other.prompt != first.prompt:
                raise RewardError(
                    f"{label} compares the completions of one prompt, but a group of {size} has several prompts: "
                    f"task {first.id or first.prompt!r:.200} and task {other.id or other.prompt!r:.200}{remedy}"
                )
    return groups


def _per_rollout(called: CallResult, group: Sequence[Rollout], label: str) -> list[CallResult]:
    """Split a group reward's result into one per rollout, each with its share of the time."""
    each = replace(called, value=None, seconds=called.seconds / len(group))
    if called.status != "ok":
        return [each] * len(group)
    if not isinstance(called.value, Sequence) or len(called.value) != len(group):
        raise RewardError(
            f"{label} must return {len(group)} rewards for a group, got {called.value!r:.100}\n  {describe_attempt(group[0])}"
        )
    return [
        replace(each, value=_number(value, label, rollout)) for value, rollout in zip(called.value, group, strict=True)
    ]


def _number(value: Any, label: str, rollout: Rollout) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RewardError(
            f"{label} returned {value!r:.100}, which is not a number\n  {describe_attempt(rollout)}"
        ) from None
    if not math.isfinite(number):
        raise RewardError(f"{label} returned {number}\n  {describe_attempt(rollout)}")
    return number
