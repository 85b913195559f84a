"""Generate a data set: request many answers to each prompt, verify and score them, and keep the ones a rule selects.

After an interruption the same command resumes from the last answer on disk.
"""

from .collect import collect
from .collected import Collected
from .keep import Keep
from .meter import Meter
from .plan import Plan, plan_of
from .source import AnswerSource, LocalSource, ServerSource

__all__ = ["AnswerSource", "Collected", "Keep", "LocalSource", "Meter", "Plan", "ServerSource", "collect", "plan_of"]
