"""The advantage `turn_loo`."""

from dataclasses import dataclass
from typing import Literal

import r1sdk


@r1sdk.advantage(per_token=True)
@dataclass(frozen=True)
class TurnLeaveOneOut:
    """What a turn and those after it earned, minus the mean of what the other rollouts of its group earned from there on.

    Leave one out (arXiv 2402.14740), turn by turn.

        G_it = total_i + turn_weight * sum of turn rewards from t on
        A_it = G_it - b_it,   b_it = mean of G_jt over the other rollouts j that made a turn t

    Where no other made a turn t, b_it is 0; with `absent: zero` a rollout that has ended counts as 0 in every mean. Either
    way b_it is a function of the other rollouts alone, so it is independent of every decision of rollout i, the decision to
    stop included, and the gradient is unbiased (docs/algorithms.md has the proof and the exact check). Precondition: the
    loss adds tokens up with a constant factor (--loss dr_grpo); dividing by lengths brings a bias of its own.
    """

    turn_weight: float = 1.0
    absent: Literal["left_out", "zero"] = "left_out"

    def __call__(self, group: r1sdk.RewardGroup) -> list[list[float]]:
        to_go = [rollout.to_go(self.turn_weight) for rollout in group.rollouts]
        if len(to_go) < 2:
            return [[0.0] * rollout.tokens for rollout in group.rollouts]
        turns = range(max(map(len, to_go)))
        sums = [sum(values[turn] for values in to_go if turn < len(values)) for turn in turns]
        counts = [sum(turn < len(values) for values in to_go) for turn in turns]
        if self.absent == "zero":
            counts = [len(to_go)] * len(counts)
        return [
            rollout.spread([value - (sums[t] - value) / max(1, counts[t] - 1) for t, value in enumerate(values)])
            for rollout, values in zip(group.rollouts, to_go, strict=True)
        ]
