"""Collect the lengths of correct and wrong completions, in the first and in the last part of the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .failures import PART

BARS = 24


@dataclass
class Lengths:
    """Collector of the completion lengths, in tokens, of a run that reached step `last`."""

    last: int
    first_right: list[int] = field(default_factory=list)
    first_wrong: list[int] = field(default_factory=list)
    last_right: list[int] = field(default_factory=list)
    last_wrong: list[int] = field(default_factory=list)

    def add(self, line: Mapping[str, Any]) -> None:
        """Add one line of rollouts.jsonl."""
        completion, verdict, step = line.get("completion"), line.get("verdict"), line.get("step", 0)
        if not isinstance(completion, Mapping):
            return
        tokens = completion.get("tokens") or 0
        right = isinstance(verdict, Mapping) and verdict.get("value") == 1.0
        width = max(1, round(self.last * PART))
        if step <= width:
            (self.first_right if right else self.first_wrong).append(tokens)
        if step > self.last - width:
            (self.last_right if right else self.last_wrong).append(tokens)

    def histogram(self) -> Mapping[str, Sequence[float]]:
        """Return `edges` (the middle of each bar, in tokens) and the share of completions per bar, for each of the four lists."""
        kinds = {
            "first_right": self.first_right,
            "first_wrong": self.first_wrong,
            "last_right": self.last_right,
            "last_wrong": self.last_wrong,
        }
        longest = max((max(values) for values in kinds.values() if values), default=1)
        width = max(1.0, longest / BARS)
        totals = {
            "first": len(self.first_right) + len(self.first_wrong),
            "last": len(self.last_right) + len(self.last_wrong),
        }
        shares: dict[str, Sequence[float]] = {"edges": [round((i + 0.5) * width, 1) for i in range(BARS)]}
        for kind, values in kinds.items():
            counts = [0] * BARS
            for value in values:
                counts[min(BARS - 1, int(value / width))] += 1
            shares[kind] = [count / max(1, totals[kind.partition("_")[0]]) for count in counts]
        return shares
