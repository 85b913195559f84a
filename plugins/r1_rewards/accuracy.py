"""The reward `accuracy`: the environment's verdict, as it stands."""

import r1sdk


def accuracy(rollout: r1sdk.Rollout) -> float | None:
    """The environment's verdict, in [0, 1]; None where the environment could not judge."""
    if rollout.verdict is None:
        raise r1sdk.RewardError("accuracy scores verified rollouts, and this one has no verdict: verify it first")
    return rollout.verdict.value
