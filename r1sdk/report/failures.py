"""Rollouts in, what went wrong with them out: counted by kind, at the beginning of the training and at its end."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PART = 0.2  # of the training at either end
KINDS = 10  # that a page lists; the rest is summed up
RARE = 0.001  # of the completions, at either end
LONGEST = 90  # characters of a kind

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:/\d+)?")


@dataclass(frozen=True, slots=True)
class Shares:
    """One kind of failure: its share of all completions in the first and in the last part of the training."""

    first: float
    last: float


@dataclass
class Failures:
    """Counts the failures of a run that came to step `last`."""

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
        """Every kind, most frequent first."""
        first, last = self._counts
        ranked = sorted(first | last, key=lambda kind: (-max(first[kind], last[kind]), kind))
        seen = [max(1, count) for count in self._seen]
        return {kind: Shares(first[kind] / seen[0], last[kind] / seen[1]) for kind in ranked}


def failure_table(runs: Sequence[Mapping[str, Shares]]) -> Mapping[str, Sequence[Shares]]:
    """The most frequent kinds of all runs, with the shares of each run; what is rare, and what is beyond them, in one row."""
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
    """What is wrong with a rollout, without its particulars, so that like failures count as one; None where it is right."""
    verdict = line.get("verdict")
    if not isinstance(verdict, Mapping):
        return None
    status, value = verdict.get("status"), verdict.get("value")
    if status == "ok" and value == 1.0:
        return None
    kind = _plain(str(verdict.get("reason") or ""))
    completion = line.get("completion")
    if status == "ok" and isinstance(completion, Mapping) and completion.get("finish") == "length":
        kind = "cut by the token limit"
    if not kind:
        kind = "partly right" if isinstance(value, float) and value > 0 else "wrong"
    return kind if status == "ok" else f"{status}: {kind}" if kind != "wrong" else str(status)


def _plain(reason: str) -> str:
    """A reason without its numbers and quotations."""
    reason = reason[:400].partition("\n")[0]
    plain = _NUMBER.sub("N", _QUOTED.sub("…", reason)).strip()
    return plain if len(plain) <= LONGEST else plain[:LONGEST] + "…"
