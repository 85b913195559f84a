"""Attempts of several turns: a model and a session speak in turn, until one has nothing more to say or a limit is reached.

One loop for training, evaluation and generation; they differ in who speaks for the model.
"""

from .dialogue import Dialogue
from .play import attempt_all, play
from .speakers import ChatSpeaker, Sampled, Speaker, TokenSpeaker

__all__ = ["ChatSpeaker", "Dialogue", "Sampled", "Speaker", "TokenSpeaker", "attempt_all", "play"]
