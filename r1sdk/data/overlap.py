"""Overlap of problems with those of benchmarks: runs of n words in common, and short problems that are the same throughout."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_WORD = re.compile(r"\w+")
_SIGN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Match:
    """A problem that overlaps with one of a benchmark, and the words that they have in common."""

    benchmark: str
    task: str  # of the benchmark
    words: str


@dataclass
class Overlap:
    """An index of benchmark problems.

    Two problems overlap where they have `n` words in a row in common, in any case and whatever stands between the words. A problem
    of fewer than `n` words, on either side, overlaps with one that is the same throughout, signs included: `2 + 3` and `2 - 3`
    have the same words.
    """

    n: int = 8
    _runs: dict[int, tuple[str, str]] = field(default_factory=dict)  # hash of n words -> benchmark, task
    _short: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, benchmark: str, problems: Iterable[tuple[str, str]]) -> int:
        """Index `problems`, (task, problem); how many there were."""
        count = 0
        for count, (task, problem) in enumerate(problems, 1):
            words = _words(problem)
            if len(words) < self.n:
                self._short.setdefault(_signs(problem), (benchmark, task))
            for run in _runs(words, self.n):
                self._runs.setdefault(hash(run), (benchmark, task))
        return count

    def find(self, problem: str) -> Match | None:
        """The first overlap of `problem`, None where there is none."""
        words = _words(problem)
        if len(words) < self.n:
            signs = _signs(problem)
            found = self._short.get(signs) if signs else None
            return Match(*found, " ".join(problem.split())) if found else None
        for run in _runs(words, self.n):
            if (found := self._runs.get(hash(run))) is not None:
                return Match(*found, " ".join(run))
        return None


def _words(problem: str) -> list[str]:
    return _WORD.findall(problem.casefold())


def _signs(problem: str) -> str:
    return " ".join(_SIGN.findall(problem.casefold()))


def _runs(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[start : start + n]) for start in range(len(words) - n + 1))
