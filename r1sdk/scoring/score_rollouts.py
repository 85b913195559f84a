"""Rollouts in, scores out: the one path by which training, evaluation and generation judge and price an attempt."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..contracts import Composite, Environment, takes_group
from ..errors import RewardError
from ..records import Rollout, Score, Verdict
from .blocking import run_blocking
from .call import Called, call, where
from .isolation import isolation_of, unwrapped

Rewards = Mapping[str, tuple[Any, float]]
"""Reward and weight by name: `{"accuracy": (accuracy, 1.0)}`."""


def score(
    rollouts: Sequence[Rollout], environment: Environment, rewards: Rewards, group_size: int = 1
) -> tuple[list[Rollout], list[Score]]:
    """Judge, then price, from code that is not async. Shapes: [B] -> [B], [B]. Raises: RewardError.

    `group_size`: consecutive rollouts that answer one prompt, for group rewards.
    """

    async def both() -> tuple[list[Rollout], list[Score]]:
        judged = await judge(rollouts, environment)
        return judged, await price(judged, rewards, group_size)

    return run_blocking(both())


async def judge(rollouts: Sequence[Rollout], environment: Environment) -> list[Rollout]:
    """Each rollout with the environment's verdict. Shapes: [B] -> [B]. Raises: RewardError."""
    verdicts = await asyncio.gather(*(_verdict(environment, rollout) for rollout in rollouts))
    return [replace(rollout, verdict=verdict) for rollout, verdict in zip(rollouts, verdicts, strict=True)]


async def price(rollouts: Sequence[Rollout], rewards: Rewards, group_size: int = 1) -> list[Score]:
    """Each judged rollout's rewards and weighted total. Shapes: [B] x [K] -> [B]. Raises: RewardError."""
    columns = await asyncio.gather(
        *(_column(name, reward, rollouts, group_size) for name, (reward, _) in rewards.items())
    )
    rows = zip(*columns, strict=True) if rewards else ([] for _ in rollouts)
    return [_score(dict(zip(rewards, row, strict=True)), rewards) for row in rows]


def _score(prices: Mapping[str, Called], rewards: Rewards) -> Score:
    amiss = {name: price for name, price in prices.items() if price.status != "ok"}
    return Score(
        rewards={name: price.value for name, price in prices.items()},
        total=sum(rewards[name][1] * price.value for name, price in prices.items() if price.value is not None),
        statuses={name: price.status for name, price in amiss.items()},
        seconds={name: price.seconds for name, price in prices.items()},
        reasons={name: price.reason for name, price in amiss.items()},
    )


async def _verdict(environment: Environment, rollout: Rollout) -> Verdict:
    if rollout.session is not None and rollout.session.ended == "error":
        return Verdict(None, "error", reason=rollout.session.reason)
    judge, limits = unwrapped(environment), isolation_of(environment)
    while isinstance(judge, Composite):
        part = judge.part_of(rollout.task)
        judge, limits = unwrapped(part), limits or isolation_of(part)
    what = f"{type(judge).__name__}.verify"
    called = await call(judge.verify, rollout, limits, rollout, what)
    if called.status != "ok":
        # Too expensive to check is the model's own fault; a judge that is not there is not.
        value = 0.0 if called.status == "timeout" else None
        return Verdict(value, called.status, seconds=called.seconds, reason=called.reason)
    if isinstance(called.value, Verdict):
        return called.value if called.value.seconds else replace(called.value, seconds=called.seconds)
    number = _number(called.value, what, rollout)
    if number is None:
        return Verdict(None, "unverifiable", seconds=called.seconds)
    if not 0.0 <= number <= 1.0:
        raise RewardError(f"{what} returned {number}, which is not in [0, 1]\n  {where(rollout)}")
    return Verdict(number, seconds=called.seconds)


async def _column(name: str, reward: Any, rollouts: Sequence[Rollout], group_size: int) -> list[Called]:
    """One reward over the batch. Shapes: [B] -> [B]."""
    what, limits, function = f"reward {name!r}", isolation_of(reward), unwrapped(reward)
    if not takes_group(function):
        called = await asyncio.gather(*(call(function, rollout, limits, rollout, what) for rollout in rollouts))
        return [
            replace(one, value=_number(one.value, what, rollout)) for one, rollout in zip(called, rollouts, strict=True)
        ]
    groups = _groups(rollouts, group_size, what)
    prices = await asyncio.gather(*(call(function, group, limits, group[0], what) for group in groups))
    return [price for group, called in zip(groups, prices, strict=True) for price in _shared_out(called, group, what)]


def _groups(rollouts: Sequence[Rollout], size: int, what: str) -> list[Sequence[Rollout]]:
    """The completions of each prompt. Raises: RewardError where they are not all here, side by side."""
    whole = "\n  every process must hold whole groups: make the batch of a process a multiple of generation.samples"
    if len(rollouts) % size:
        raise RewardError(f"{what} compares whole groups: {len(rollouts)} rollouts are not groups of {size}{whole}")
    groups = [rollouts[start : start + size] for start in range(0, len(rollouts), size)]
    for group in groups:
        first = group[0].task
        for other in (rollout.task for rollout in group):
            if other.id != first.id or other.prompt != first.prompt:
                raise RewardError(
                    f"{what} compares the completions of one prompt, and a group of {size} has those of several: "
                    f"task {first.id or first.prompt!r:.200} and task {other.id or other.prompt!r:.200}{whole}"
                )
    return groups


def _shared_out(called: Called, group: Sequence[Rollout], what: str) -> list[Called]:
    """A group's prices, one for each of its rollouts, with its share of the time."""
    each = replace(called, value=None, seconds=called.seconds / len(group))
    if called.status != "ok":
        return [each] * len(group)
    if not isinstance(called.value, Sequence) or len(called.value) != len(group):
        raise RewardError(
            f"{what} must return {len(group)} prices for a group, got {called.value!r:.100}\n  {where(group[0])}"
        )
    return [
        replace(each, value=_number(value, what, rollout)) for value, rollout in zip(called.value, group, strict=True)
    ]


def _number(value: Any, what: str, rollout: Rollout) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RewardError(f"{what} returned {value!r:.100}, which is no number\n  {where(rollout)}") from None
    if not math.isfinite(number):
        raise RewardError(f"{what} returned {number}\n  {where(rollout)}")
    return number
