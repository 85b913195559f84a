"""Count the failures of rollouts by kind, in the first and in the last part of the training."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PART = 0.2  # share of the training's steps in either part
KINDS = 10  # rows of the table; the remaining kinds are summed up
RARE = 0.001  # share of completions below which a kind is not listed
LONGEST = 90  # characters of a kind's name

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:/\d+)?")


@dataclass(frozen=True, slots=True)
class Shares:
    """One kind of failure: its share of all completions in the first and in the last part of the training."""

    first: float
    last: float


@dataclass
class Failures:
    """Counter of the failures of a run that reached step `last`."""

    last: int
    _counts: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    _seen: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, line: Mapping[str, Any]) -> None:
        """Count one line of rollouts.jsonl."""
        step = line.get("step", 0)
        width = max(1, round(self.last * PART))
        kind = failure_kind(line)
        for part, inside in enumerate((step <= width, step > self.last - width)):
            if inside:
                self._seen[part] += 1
                if kind:
                    self._counts[part][kind] += 1

    def found(self) -> Mapping[str, Shares]:
        """Return every kind with its shares, most frequent first."""
        first, last = self._counts
        ranked = sorted(first | last, key=lambda kind: (-max(first[kind], last[kind]), kind))
        seen = [max(1, count) for count in self._seen]
        return {kind: Shares(first[kind] / seen[0], last[kind] / seen[1]) for kind in ranked}


def failure_table(runs: Sequence[Mapping[str, Shares]]) -> Mapping[str, Sequence[Shares]]:
    """Return the most frequent kinds of all runs with each run's shares. Rare and remaining kinds are summed in one row."""
    most = {kind: max(max(s.first, s.last) for run in runs if (s := run.get(kind))) for run in runs for kind in run}
    ranked = sorted(most, key=lambda kind: (-most[kind], kind))
    shown = [kind for kind in ranked if most[kind] >= RARE][:KINDS]
    table = {kind: [run.get(kind, Shares(0.0, 0.0)) for run in runs] for kind in shown}
    if rest := [kind for kind in ranked if kind not in shown]:
        others = [[run[kind] for kind in rest if kind in run] for run in runs]
        label = f"{len(rest)} other kinds" if len(rest) > 1 else rest[0]
        table[label] = [Shares(sum(s.first for s in some), sum(s.last for s in some)) for some in others]
    return table


def failure_kind(line: Mapping[str, Any]) -> str | None:
    """Return a rollout's kind of failure, without details, so that similar failures count as one; None if it is correct."""
    verdict = line.get("verdict")
    if not isinstance(verdict, Mapping):
        return None
    status, value = verdict.get("status"), verdict.get("value")
    if status == "ok" and value == 1.0:
        return None
    kind = _plain(str(verdict.get("reason") or ""))
    completion = line.get("completion")
    if status == "ok" and isinstance(completion, Mapping) and completion.get("finish") == "length":
        kind = "truncated by the token limit"
    if not kind:
        kind = "partly correct" if isinstance(value, float) and value > 0 else "wrong"
    return kind if status == "ok" else f"{status}: {kind}" if kind != "wrong" else str(status)


def _plain(reason: str) -> str:
    """Return a reason without its numbers and quotations."""
    reason = reason[:400].partition("\n")[0]
    plain = _NUMBER.sub("N", _QUOTED.sub("…", reason)).strip()
    return plain if len(plain) <= LONGEST else plain[:LONGEST] + "…"
