"""The advantage `turn_episode`."""

from dataclasses import dataclass

import r1sdk


@dataclass(frozen=True)
class TurnEpisode:
    """One number for the whole rollout: its total and all its turn rewards, minus the mean of the others of its group.

    RLOO (arXiv 2402.14740) on the return of the episode.

        R_i = total_i + turn_weight * sum of its turn rewards;   A_i = R_i - mean of R_j over j != i

    Unbiased, and of high variance: every turn is credited for what the turns before it earned. Precondition: at least two
    scored rollouts. Without turn rewards it is `rloo`.
    """

    turn_weight: float = 1.0

    def __call__(self, group: r1sdk.RewardGroup) -> list[float]:
        returns = [rollout.to_go(self.turn_weight)[0] for rollout in group.rollouts]
        if len(returns) < 2:
            return [0.0] * len(returns)
        whole = sum(returns)
        return [value - (whole - value) / (len(returns) - 1) for value in returns]
