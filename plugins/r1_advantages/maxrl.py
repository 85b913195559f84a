"""The advantage `maxrl`."""

from dataclasses import dataclass
from statistics import fmean

import r1sdk


@dataclass(frozen=True)
class MaxRl:
    """The total minus the mean of its group, divided by that mean.

    Paper: Maximum Likelihood Reinforcement Learning (arXiv 2602.02710).

        A_i = (r_i - mean(r)) / mean(r);   0 where mean(r) is 0

    Dividing by the mean weighs a prompt of pass rate p by 1 / p: an estimate of the gradient of log p, truncated at the
    order of the group size. Precondition: totals are 0.0 or more, best 0 or 1; train on `accuracy` alone.
    """

    def __call__(self, group: r1sdk.RewardGroup) -> list[float]:
        if min(group.totals) < 0:
            raise r1sdk.PluginError(
                f"advantage 'maxrl' needs totals of 0.0 or more, got {min(group.totals):g}: train on rewards such as accuracy"
            )
        mean = fmean(group.totals)
        return [(total - mean) / mean if mean > 0 else 0.0 for total in group.totals]
