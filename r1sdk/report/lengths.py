"""Collect the lengths of correct and wrong completions, in the first and in the last part of the training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .turns import PART

BARS = 24


@dataclass
class Lengths:
    """Collector of the completion lengths, in tokens, of a run that reached step `last`."""

    last: int
    first_right: Counter[int] = field(default_factory=Counter)
    first_wrong: Counter[int] = field(default_factory=Counter)
    last_right: Counter[int] = field(default_factory=Counter)
    last_wrong: Counter[int] = field(default_factory=Counter)

    def add(self, line: Mapping[str, Any]) -> None:
        """Add one line of rollouts.jsonl."""
        completion, verdict, step = line.get("completion"), line.get("verdict"), line.get("step") or 0
        if not isinstance(completion, Mapping):
            return
        tokens = completion.get("tokens") or 0
        right = isinstance(verdict, Mapping) and verdict.get("value") == 1.0
        width = max(1, round(self.last * PART))
        if step <= width:
            (self.first_right if right else self.first_wrong)[tokens] += 1
        if step > self.last - width:
            (self.last_right if right else self.last_wrong)[tokens] += 1

    @classmethod
    def together(cls, several: "Sequence[Lengths]") -> "Lengths":
        """Return the lengths of several runs as those of one."""
        whole = cls(max(one.last for one in several))
        for one in several:
            whole.first_right += one.first_right
            whole.first_wrong += one.first_wrong
            whole.last_right += one.last_right
            whole.last_wrong += one.last_wrong
        return whole

    def histogram(self) -> Mapping[str, Sequence[float]]:
        """Return `edges` (the middle of each bar, in tokens) and the share of completions per bar, for each of the four counters."""
        kinds = {
            "first_right": self.first_right,
            "first_wrong": self.first_wrong,
            "last_right": self.last_right,
            "last_wrong": self.last_wrong,
        }
        longest = max((max(values) for values in kinds.values() if values), default=1)
        width = max(1.0, longest / BARS)
        totals = {
            "first": self.first_right.total() + self.first_wrong.total(),
            "last": self.last_right.total() + self.last_wrong.total(),
        }
        shares: dict[str, Sequence[float]] = {"edges": [round((i + 0.5) * width, 1) for i in range(BARS)]}
        for kind, values in kinds.items():
            counts = [0] * BARS
            for value, count in values.items():
                counts[min(BARS - 1, int(value / width))] += count
            shares[kind] = [count / max(1, totals[kind.partition("_")[0]]) for count in counts]
        return shares
