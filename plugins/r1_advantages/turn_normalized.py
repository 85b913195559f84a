"""The advantage `turn_normalized`."""

from dataclasses import dataclass
from statistics import fmean, stdev

import r1sdk


@r1sdk.advantage(per_token=True)
@dataclass(frozen=True)
class TurnNormalized:
    """Turn rewards, normalized over the rollouts that made the same turn, then added up from each turn to the last.

    MT-GRPO (arXiv 2505.11821), and process supervision in DeepSeekMath (arXiv 2402.03300, section 4.1.3).

        z_it = (r_it - mean of r_jt) / (std of r_jt + 1e-4),   over the j that made a turn t; without std if not `scale`
        A_it = turn_weight * sum of z_iu over u >= t  +  (total_i - mean of totals) / (std of totals + 1e-4)

    Known bias where the policy decides when to stop: the baseline that is subtracted has as many terms as the rollout has
    turns left, which its own decision determines. It adds a hidden reward of minus the mean of later turn rewards to every
    decision to go on; see docs/algorithms.md. Precondition: all rollouts have equally many turns. Else use `turn_loo`.
    """

    turn_weight: float = 1.0
    scale: bool = True

    def __call__(self, group: r1sdk.RewardGroup) -> list[list[float]]:
        rewards = [[turn.reward or 0.0 for turn in rollout.turns] for rollout in group.rollouts]
        totals = self._normalized(group.totals)
        by_turn = [
            iter(self._normalized([row[turn] for row in rewards if turn < len(row)]))
            for turn in range(max(map(len, rewards)))
        ]
        found = []
        for rollout, row, total in zip(group.rollouts, rewards, totals, strict=True):
            left, values = total, []
            for value in reversed([next(by_turn[turn]) for turn in range(len(row))]):
                left += self.turn_weight * value
                values.append(left)
            found.append(rollout.spread(values[::-1]))
        return found

    def _normalized(self, values: list[float]) -> list[float]:
        mean = fmean(values)
        std = (stdev(values) if len(values) > 1 else 0.0) + 1e-4 if self.scale else 1.0
        return [(value - mean) / std for value in values]
