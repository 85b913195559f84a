"""Collect the rewards of single turns, in the first and in the last part of the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PART = 0.2  # share of the training's steps in either part

SHOWN_TURNS = 12  # later turns are summed in the last row


def turn_rewards(line: Mapping[str, Any]) -> Sequence[float | None]:
    """Return the reward of each turn of the model, those of the session and of the verdict added up; empty if nobody gave one."""
    found: list[float | None] = []
    for source in (line.get("session"), line.get("verdict")):
        values = source.get("turn_rewards") if isinstance(source, Mapping) else None
        for turn, value in enumerate(values or ()):
            found += [None] * (turn + 1 - len(found))
            if value is not None:
                found[turn] = (found[turn] or 0.0) + value
    return found


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn: the mean of its rewards, and how many were given, in the first and in the last part of the training."""

    turn: str  # `3`, or `12 and later`
    first: float | None  # None: none was given
    last: float | None
    first_count: int
    last_count: int


@dataclass
class TurnRewards:
    """Collector of the turn rewards of a run that reached step `last`."""

    last: int
    _sums: dict[tuple[int, int], float] = field(default_factory=dict)  # by turn and part
    _counts: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, step: int, rewards: Sequence[float | None]) -> None:
        """Add the turn rewards of one rollout."""
        width = max(1, round(self.last * PART))
        for part, inside in enumerate((step <= width, step > self.last - width)):
            for turn, value in enumerate(rewards if inside else ()):
                if value is not None:
                    key = (min(turn, SHOWN_TURNS - 1), part)
                    self._sums[key] = self._sums.get(key, 0.0) + value
                    self._counts[key] = self._counts.get(key, 0) + 1

    def turn_rows(self) -> Sequence[TurnRow]:
        """Return one row per turn; empty if no turn had a reward."""
        rows = []
        for turn in sorted({turn for turn, _ in self._counts}):
            counts = [self._counts.get((turn, part), 0) for part in (0, 1)]
            means = [self._sums[turn, part] / count if count else None for part, count in enumerate(counts)]
            label = f"{turn + 1} and later" if turn == SHOWN_TURNS - 1 else str(turn + 1)
            rows.append(TurnRow(label, means[0], means[1], counts[0], counts[1]))
        return rows
