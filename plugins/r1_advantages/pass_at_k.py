"""The advantage `pass_at_k`."""

from dataclasses import dataclass
from math import comb, sqrt

import r1sdk


@dataclass(frozen=True)
class PassAtK:
    """The advantage of a rollout in the groups of `k` that can be drawn from its prompt's: one right answer among k is enough.

    Paper: Pass@k Training (arXiv 2508.10751, section 2.3, the analytical form).

        m = 1 - C(wrong, k) / C(G, k),   s = sqrt(m (1 - m))
        A = (1 - m) / s of a right rollout,   (1 - m - C(wrong - 1, k - 1) / C(G - 1, k - 1)) / s of a wrong one

    Once fewer than `k` rollouts are wrong, m is 1 and nothing is learnt: prompts that the policy nearly always solves no
    longer count. Precondition: one reward of 0 or 1, `reward`; any other reward of the run has no part. Right is a value of
    `right_from` or more, and a rollout to which that reward does not apply is wrong.
    """

    k: int = 4
    reward: str = "accuracy"
    right_from: float = 1.0
    samples: int | None = r1sdk.from_recipe("generation.samples")  # rollouts of a prompt; None: the run's own number

    def __post_init__(self) -> None:
        if self.k < 1 or (self.samples is not None and self.k > self.samples):
            raise ValueError(
                f"k is from 1 to the {self.samples} rollouts of a prompt (generation.samples), got {self.k}"
            )

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.reward,)

    def __call__(self, group: r1sdk.RewardGroup) -> list[float]:
        right = [value is not None and value >= self.right_from for value in group.column(self.reward)]
        size, wrong = len(right), right.count(False)
        if size < self.k:  # too few could be scored
            return [0.0] * size
        mean = 1.0 - comb(wrong, self.k) / comb(size, self.k)
        spread = sqrt(mean * (1.0 - mean))
        if spread == 0.0:
            return [0.0] * size
        in_group_of_wrong = comb(wrong - 1, self.k - 1) / comb(size - 1, self.k - 1)
        return [(1.0 - mean - (0.0 if one else in_group_of_wrong)) / spread for one in right]
