"""Countdown (the task of TinyZero): make a target from a few numbers. Problems are generated without limit, or read from a file."""

from .countdown_env import Countdown

__all__ = ["Countdown"]
