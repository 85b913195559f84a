"""The advantage `turn_loo`."""

from dataclasses import dataclass

import r1sdk


@r1sdk.advantage(per_token=True)
@dataclass(frozen=True)
class TurnLeaveOneOut:
    """The return from a turn on, minus the mean return of the other rollouts of its group from that turn on.

    Leave one out (arXiv 2402.14740), turn by turn.

        G_it = total_i + turn_weight * sum of discount^(u - t) * r_iu over the turns u >= t
        A_it = G_it - b_it,   b_it = mean of G_jt over the other rollouts j that made a turn t

    Where no other made a turn t, it is the mean of what the last turn of each other rollout earned. So b_it is a function of
    the other rollouts alone, independent of every decision of rollout i, the decision to stop included, and the gradient is
    unbiased (docs/algorithms.md has the proof and the exact check). Precondition: the loss adds tokens up with a constant
    factor (--loss dr_grpo); dividing by lengths brings a bias of its own.

    `discount` 0 credits a turn with its own reward alone, and with the total. That is unbiased, and much less noisy, where
    no turn changes what later turns can earn; elsewhere a discount below 1 is a bias.
    """

    turn_weight: float = 1.0
    discount: float = 1.0

    def __call__(self, group: r1sdk.RewardGroup) -> list[list[float]]:
        to_go = [rollout.to_go(self.turn_weight, self.discount) for rollout in group.rollouts]
        if len(to_go) < 2:
            return [[0.0] * rollout.tokens for rollout in group.rollouts]
        found = []
        for at, rollout in enumerate(group.rollouts):
            others = to_go[:at] + to_go[at + 1 :]
            found.append(rollout.spread([value - _baseline(others, t) for t, value in enumerate(to_go[at])]))
        return found


def _baseline(others: list[list[float]], turn: int) -> float:
    reached = [values[turn] for values in others if turn < len(values)] or [values[-1] for values in others]
    return sum(reached) / len(reached)
