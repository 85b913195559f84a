"""The verifier `judge`, and all that the reward `model_judge` shares with it."""

from .judge_verifier import JudgeVerifier

__all__ = ["JudgeVerifier"]
