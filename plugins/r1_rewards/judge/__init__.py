"""The reward `model_judge`."""

from .reward import ModelJudge

__all__ = ["ModelJudge"]
