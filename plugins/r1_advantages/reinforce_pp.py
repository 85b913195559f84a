"""The advantage `reinforce_pp`."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import r1sdk


@r1sdk.advantage(over_batch=True)
@dataclass(frozen=True)
class ReinforcePlusPlus:
    """The total, normalized over the whole batch: minus the mean, divided by the standard deviation of all prompts.

    Paper: REINFORCE++ (arXiv 2501.03262, equations of section 3).

        A_i = (b_i - mean(b)) / (std(b) + 1e-8),   b_i = r_i, or r_i - mean of its group under `group_mean`

    over all rollouts of the batch, with the population standard deviation. `group_mean` is the paper's
    REINFORCE++-baseline, for several rollouts of a prompt. Precondition: a batch of many prompts, whose statistics hardly
    depend on one rollout. The paper's penalty on the distance from the reference model is `trainer.beta`.
    """

    group_mean: bool = False

    def __call__(self, groups: Sequence[r1sdk.RewardGroup]) -> list[list[float]]:
        means = [fmean(group.totals) if self.group_mean else 0.0 for group in groups]
        values = [[total - mean for total in group.totals] for group, mean in zip(groups, means, strict=True)]
        whole = [value for row in values for value in row]
        mean = fmean(whole)
        std = fmean([(value - mean) ** 2 for value in whole]) ** 0.5
        return [[(value - mean) / (std + 1e-8) for value in row] for row in values]
