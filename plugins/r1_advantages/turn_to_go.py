"""The advantage `turn_to_go`."""

from dataclasses import dataclass
from statistics import fmean, stdev

import r1sdk


@r1sdk.advantage(per_token=True)
@dataclass(frozen=True)
class TurnToGo:
    """The return from a turn on, normalized over the rollouts of the group that reached this turn.

    GRPO's normalization (arXiv 2402.03300) of the reward to go, turn by turn.

        G_it = total_i + turn_weight * sum of turn rewards from t on
        A_it = (G_it - mean of G_jt) / (std of G_jt + 1e-4),   over the j that made a turn t; without std if not `scale`

    Known bias: the mean includes the rollout itself. A turn that n rollouts reached is scaled by (n - 1) / n, and one that
    a single rollout reached has no advantage at all: late turns learn less than they should, the more so the earlier the
    policy stops. `turn_loo` has no such bias. Precondition: turn rewards, and many rollouts at every turn.
    """

    turn_weight: float = 1.0
    scale: bool = True

    def __call__(self, group: r1sdk.RewardGroup) -> list[list[float]]:
        to_go = [rollout.to_go(self.turn_weight) for rollout in group.rollouts]
        means, stds = [], []
        for turn in range(max(map(len, to_go))):
            reached = [values[turn] for values in to_go if turn < len(values)]
            means.append(fmean(reached))
            stds.append((stdev(reached) if len(reached) > 1 else 0.0) + 1e-4 if self.scale else 1.0)
        return [
            rollout.spread([(value - means[t]) / stds[t] for t, value in enumerate(values)])
            for rollout, values in zip(group.rollouts, to_go, strict=True)
        ]
