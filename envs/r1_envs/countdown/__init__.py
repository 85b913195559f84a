"""Countdown: make a target from a few numbers (the task of TinyZero), drawn without end or read from a file."""

from .countdown_env import Countdown

__all__ = ["Countdown"]
