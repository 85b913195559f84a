"""The reward `accuracy`: the environment's verdict, as it stands."""

import r1sdk


def accuracy(rollout: r1sdk.Rollout) -> float | None:
    """The environment's verdict, in [0, 1]; None where the environment could not judge."""
    if rollout.verdict is None:
        raise r1sdk.RewardError(
            "accuracy needs a verdict, and this rollout has none: verify it first, or name its environment"
        )
    return rollout.verdict.value
