"""The advantage `dr_grpo`."""

from dataclasses import dataclass
from statistics import fmean

import r1sdk


@dataclass(frozen=True)
class DrGrpo:
    """The total minus the mean of its group, not divided by the standard deviation.

    Paper: Understanding R1-Zero-Like Training (Dr. GRPO, arXiv 2503.20783, section 3).

        A_i = r_i - mean(r)

    Precondition: totals of all prompts have one scale, since nothing rescales them. The paper also divides the loss by a
    constant in place of the length: that is the loss, --loss dr_grpo.
    """

    def __call__(self, group: r1sdk.RewardGroup) -> list[float]:
        mean = fmean(group.totals)
        return [total - mean for total in group.totals]
