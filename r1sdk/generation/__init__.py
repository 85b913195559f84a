"""Tasks in, kept rows out: many answers to each prompt, judged by the environment, as a data set to train on.

Whatever happens in between, a second call goes on from the last answer that reached the disk.
"""

from .collect import collect
from .collected import Collected
from .keep import Keep
from .meter import Meter
from .plan import Plan, plan_of
from .source import AnswerSource, LocalSource, ServerSource

__all__ = ["AnswerSource", "Collected", "Keep", "LocalSource", "Meter", "Plan", "ServerSource", "collect", "plan_of"]
