"""The advantage `rloo`."""

from dataclasses import dataclass

import r1sdk


@dataclass(frozen=True)
class Rloo:
    """The total minus the mean of the other rollouts of its group (leave one out).

    Paper: Back to Basics (RLOO, arXiv 2402.14740, section 3.2).

        A_i = r_i - sum of r_j over j != i / (G - 1)

    The baseline does not depend on the rollout itself, so the policy gradient is unbiased. It is `dr_grpo` times
    G / (G - 1). Precondition: at least two scored rollouts; a single one has the advantage 0.
    """

    def __call__(self, group: r1sdk.RewardGroup) -> list[float]:
        totals = group.totals
        if len(totals) < 2:
            return [0.0] * len(totals)
        whole = sum(totals)
        return [total - (whole - total) / (len(totals) - 1) for total in totals]
