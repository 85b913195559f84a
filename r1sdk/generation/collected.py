"""The result of a generation: a `Collected` with the chosen answers, their scores, counts and cost."""

from collections import Counter
from dataclasses import dataclass, field

from ..evaluation.attempts import Estimate
from ..records import Score
from .journal import Key
from .keep import Chosen
from .meter import Meter
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Collected:
    """The outcome of one generation."""

    plan: Plan
    chosen: Chosen
    scores: dict[Key, Score]
    meter: Meter
    accuracy: Estimate
    unjudged: int  # answers whose judge failed: the next call tries again
    empty: int = 0  # answers without a text, which are never kept
    failures: Counter[str] = field(default_factory=Counter)  # reason -> answers that did not come

    @property
    def cost(self) -> float | None:
        """In the currency of `plan.price`; None where no price was named."""
        if self.plan.price is None:
            return None
        prompt, completion = self.plan.price
        return (self.meter.prompt_tokens * prompt + self.meter.completion_tokens * completion) / 1e6
