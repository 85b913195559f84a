"""Rollouts in, scores out: the one path by which training, evaluation and generation judge and price an attempt."""

import asyncio
import inspect
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .contracts import Environment, takes_group
from .errors import RewardError
from .records import Rollout, Score, Verdict

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

    return asyncio.run(both())


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


def _score(values: dict[str, float | None], rewards: Rewards) -> Score:
    return Score(values, sum(rewards[name][1] * value for name, value in values.items() if value is not None))


async def _verdict(environment: Environment, rollout: Rollout) -> Verdict:
    what = f"{type(environment).__name__}.verify"
    started = time.perf_counter()
    value = await _call(environment.verify, rollout, rollout, what)
    seconds = time.perf_counter() - started
    if isinstance(value, Verdict):
        return value if value.seconds else replace(value, seconds=seconds)
    number = _number(value, what, rollout)
    if number is None:
        return Verdict(None, "unverifiable", seconds=seconds)
    if not 0.0 <= number <= 1.0:
        raise RewardError(f"{what} returned {number}, which is not in [0, 1]\n  {_where(rollout)}")
    return Verdict(number, seconds=seconds)


async def _column(name: str, reward: Any, rollouts: Sequence[Rollout], group_size: int) -> list[float | None]:
    """One reward over the batch. Shapes: [B] -> [B]."""
    what = f"reward {name!r}"
    if not takes_group(reward):
        values = await asyncio.gather(*(_call(reward, rollout, rollout, what) for rollout in rollouts))
        return [_number(value, what, rollout) for value, rollout in zip(values, rollouts, strict=True)]
    if len(rollouts) % group_size:
        raise RewardError(f"{what} compares whole groups: {len(rollouts)} rollouts are not groups of {group_size}")
    groups = [rollouts[i : i + group_size] for i in range(0, len(rollouts), group_size)]
    prices = await asyncio.gather(*(_call(reward, group, group[0], what) for group in groups))
    column: list[float | None] = []
    for group, values in zip(groups, prices, strict=True):
        if not isinstance(values, Sequence) or len(values) != len(group):
            raise RewardError(f"{what} must return {len(group)} prices for a group, got {values!r:.100}")
        column += [_number(value, what, rollout) for value, rollout in zip(values, group, strict=True)]
    return column


async def _call(function: Any, argument: Any, rollout: Rollout, what: str) -> Any:
    try:
        value = function(argument)
        return await value if inspect.isawaitable(value) else value
    except Exception as error:
        # Never 0.0: a bug in a reward must stop the run, not teach the model.
        raise RewardError(f"{what} failed: {type(error).__name__}: {error}\n  {_where(rollout)}") from error


def _number(value: Any, what: str, rollout: Rollout) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise RewardError(f"{what} returned {value!r:.100}, which is no number\n  {_where(rollout)}") from None
    if not math.isfinite(number):
        raise RewardError(f"{what} returned {number}\n  {_where(rollout)}")
    return number


def _where(rollout: Rollout) -> str:
    return f"task {rollout.task.id or rollout.task.prompt!r:.200}, completion {rollout.completion.text!r:.200}"
