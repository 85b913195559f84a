"""The advantage `grpo`."""

from dataclasses import dataclass

import r1sdk


@dataclass(frozen=True)
class Grpo:
    """The total minus the mean of its group, divided by the standard deviation of the group.

    Paper: DeepSeekMath (arXiv 2402.03300, section 4.1.2).

        A_i = (r_i - mean(r)) / (std(r) + 1e-4)

    with the sample standard deviation (G - 1), as TRL computes it by default, to the digit. Precondition: totals of one
    prompt are comparable. Known bias: dividing by std makes groups with rare rewards weigh more (Dr. GRPO), and the mean
    includes the rollout itself, which shrinks every advantage by the factor (G - 1) / G.
    """

    def __call__(self, group: r1sdk.RewardGroup) -> list[float]:
        import torch  # in TRL's precision, so that the numbers are TRL's

        totals = torch.tensor(group.totals, dtype=torch.float32)
        if len(totals) < 2:
            return [0.0] * len(totals)
        centered = totals - totals.mean()
        std = ((centered**2).mean() * (len(totals) / (len(totals) - 1))).sqrt()
        advantages: list[float] = (centered / (std + 1e-4)).tolist()
        return advantages
