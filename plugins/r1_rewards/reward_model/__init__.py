"""The reward `reward_model`."""

from .reward import RewardModel

__all__ = ["RewardModel"]
