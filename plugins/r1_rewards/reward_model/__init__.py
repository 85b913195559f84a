"""The reward `reward_model`."""

from .model_reward import RewardModel

__all__ = ["RewardModel"]
