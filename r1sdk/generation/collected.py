"""`Collected`: the result of a generation."""

from collections import Counter
from dataclasses import dataclass, field

from ..evaluation.statistics import Estimate
from ..records import Score
from .journal import Key
from .keep import Chosen
from .meter import Meter
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of one generation: the selected answers, their scores, counts and cost."""

    plan: Plan
    chosen: Chosen
    scores: dict[Key, Score]
    meter: Meter
    accuracy: Estimate
    unjudged: int  # answers whose verifier failed; the next call retries them
    empty: int = 0  # answers without text, which are never kept
    failures: Counter[str] = field(default_factory=Counter)  # reason -> number of requests that failed

    @property
    def cost(self) -> float | None:
        """The cost in the currency of `plan.price`; None if no price is set."""
        if self.plan.price is None:
            return None
        prompt, completion = self.plan.price
        return (self.meter.prompt_tokens * prompt + self.meter.completion_tokens * completion) / 1e6
