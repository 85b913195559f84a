"""The advantage `gdpo`."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import r1sdk


@r1sdk.advantage(over_batch=True)
@dataclass(frozen=True)
class Gdpo:
    """Several rewards, each normalized in its group before they are weighted and added; then normalized over the batch.

    Paper: GDPO, Group reward-Decoupled Normalization Policy Optimization (arXiv 2601.05242).

        s_i = sum over rewards k of w_k (r_ik - mean_k) / (std_k + 1e-4);   A_i = (s_i - mean(s)) / (std(s) + 1e-4)

    with means and sample standard deviations of the group for s, of the batch for A. Rollouts with one total but different
    rewards get different advantages, which normalizing the total loses. A reward that does not apply is left out, as in
    TRL's `multi_objective_aggregation: normalize_then_sum`. Precondition: two rewards or more; with one it is GRPO,
    normalized once more.
    """

    def __call__(self, groups: Sequence[r1sdk.RewardGroup]) -> list[list[float]]:
        sums = [self._sums(group) for group in groups]
        return _split(_normalized([value for row in sums for value in row]), [len(row) for row in sums])

    def _sums(self, group: r1sdk.RewardGroup) -> list[float]:
        found = [0.0] * len(group.rollouts)
        for name, weight in group.weights.items():
            column = group.column(name)
            known = iter(_normalized([value for value in column if value is not None]))
            found = [
                total + (weight * next(known) if v is not None else 0.0) for total, v in zip(found, column, strict=True)
            ]
        return found


def _normalized(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [0.0] * len(values)
    mean, std = fmean(values), stdev(values)
    return [(value - mean) / (std + 1e-4) for value in values]


def _split(values: list[float], sizes: list[int]) -> list[list[float]]:
    rest = iter(values)
    return [[next(rest) for _ in range(size)] for size in sizes]
