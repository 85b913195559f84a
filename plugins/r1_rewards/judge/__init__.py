"""The reward `model_judge`."""

from .model_judge import ModelJudge

__all__ = ["ModelJudge"]
