"""Count the failures of rollouts by kind, in the first and in the last part of the training."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .samples import Attempt
from .turns import PART

KINDS = 10  # rows of the table; the remaining kinds are summed up
RARE = 0.001  # share of completions below which a kind is not listed
LONGEST = 90  # characters of a kind's name
COUNTED = 4000  # kinds that are counted at a time, so that reasons that never repeat fill no memory
EXAMPLES = (1, 2)  # rollouts of a kind that are kept from the first and the last part

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:/\d+)?")


@dataclass(frozen=True, slots=True)
class Shares:
    """One kind of failure: its share of all completions in the first and in the last part of the training."""

    first: float
    last: float


@dataclass
class Failures:
    """Counter of the failures of a run that reached step `last`, with a few examples of each kind."""

    last: int
    _counts: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    _seen: list[int] = field(default_factory=lambda: [0, 0])
    _examples: dict[str, tuple[list[Attempt], list[Attempt]]] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any], attempt: Callable[[], Attempt] | None = None) -> None:
        """Count one line of rollouts.jsonl. `attempt` reads the rollout for display; it is called for a few examples only."""
        step = line.get("step") or 0
        width = max(1, round(self.last * PART))
        inside = (step <= width, step > self.last - width)
        if not any(inside):
            return
        kind = failure_kind(line)
        for part in (0, 1):
            if inside[part]:
                self._seen[part] += 1
                if kind:
                    self._counts[part][kind] += 1
        if kind and attempt is not None:
            self._keep_example(kind, 1 if inside[1] else 0, attempt)
        if len(self._counts[0]) + len(self._counts[1]) > COUNTED:
            self._forget_rare()

    def _keep_example(self, kind: str, part: int, attempt: Callable[[], Attempt]) -> None:
        kept = self._examples.setdefault(kind, ([], []))[part]
        if len(kept) < EXAMPLES[part]:
            found = attempt()
            if all(found.task != other.task or not found.task for other in kept):
                kept.append(found)

    def _forget_rare(self) -> None:
        """Drop the rarer half of the kinds: at most one of `COUNTED / 2` rollouts is then missing from any count."""
        first, last = self._counts
        ranked = sorted(first | last, key=lambda kind: first[kind] + last[kind])
        for kind in ranked[: len(ranked) // 2]:
            del first[kind], last[kind]
            self._examples.pop(kind, None)

    def found(self) -> Mapping[str, Shares]:
        """Return every kind with its shares, most frequent first."""
        first, last = self._counts
        ranked = sorted(first | last, key=lambda kind: (-max(first[kind], last[kind]), kind))
        seen = [max(1, count) for count in self._seen]
        return {kind: Shares(first[kind] / seen[0], last[kind] / seen[1]) for kind in ranked}

    def examples(self) -> Mapping[str, Sequence[Attempt]]:
        """Return the kept rollouts of each kind, those of the last part first."""
        return {kind: [*last, *first] for kind, (first, last) in self._examples.items()}


def mean_shares(runs: Sequence[Mapping[str, Shares]]) -> Mapping[str, Shares]:
    """Return the mean of the shares of each kind over some runs."""
    kinds = dict.fromkeys(kind for run in runs for kind in run)
    shares = {kind: [run.get(kind, Shares(0.0, 0.0)) for run in runs] for kind in kinds}
    return {
        kind: Shares(sum(s.first for s in some) / len(some), sum(s.last for s in some) / len(some))
        for kind, some in shares.items()
    }


def view_command(path: str, kind: str) -> str | None:
    """Return the command that lists the rollouts of a kind, or None where no filter can name it."""
    mark = next((mark for mark in "\"'" if mark not in kind), None)
    if mark is None or not kind.isprintable():
        return None
    return f"r1 view {shlex.quote(path)} --filter {shlex.quote(f'kind:{mark}{kind}{mark}')}"


def view_change_command(path: object, change: str) -> str:
    """Return the command that lists the attempts at the held-out tasks that training `learned` or `lost`."""
    return f"r1 view {shlex.quote(str(path))} --filter change:{change}"


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
