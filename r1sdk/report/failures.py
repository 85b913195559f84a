"""Rollouts in, what went wrong with them out: counted by kind, at the beginning of the training and at its end."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PART = 0.2  # of the training at either end
KINDS = 12  # that a page lists; the rest is summed up
LONGEST = 90  # characters of a kind

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:/\d+)?")


@dataclass(frozen=True, slots=True)
class FailureCount:
    """One kind of failure: its share of all completions in the first and in the last part of the training."""

    kind: str
    first: float
    last: float
    first_count: int
    last_count: int


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

    def found(self) -> Sequence[FailureCount]:
        """The kinds, most frequent first; beyond `KINDS` of them, the others together."""
        first, last = self._counts
        ranked = sorted(first | last, key=lambda kind: (-max(first[kind], last[kind]), kind))
        shown = [self._count(kind, first[kind], last[kind]) for kind in ranked[:KINDS]]
        if rest := ranked[KINDS:]:
            label = f"{len(rest)} other kinds"
            shown.append(self._count(label, sum(first[k] for k in rest), sum(last[k] for k in rest)))
        return shown

    def _count(self, kind: str, first: int, last: int) -> FailureCount:
        return FailureCount(kind, first / max(1, self._seen[0]), last / max(1, self._seen[1]), first, last)


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
