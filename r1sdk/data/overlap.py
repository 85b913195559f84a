"""Find problems that overlap with benchmarks: n consecutive words in common, or identical short problems."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_WORD = re.compile(r"\w+")
_SIGN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Match:
    """A problem that overlaps with a benchmark's, and the words they have in common."""

    benchmark: str
    task: str  # in the benchmark
    words: str


@dataclass
class Overlap:
    """An index of benchmark problems.

    Two problems overlap if they have `n` consecutive words in common, ignoring case and punctuation. A problem of fewer than
    `n` words, on either side, overlaps only with one that is the same except for case and spaces. There punctuation counts,
    because `2 + 3` and `2 - 3` have the same words.
    """

    n: int = 8
    _runs: dict[int, tuple[str, str]] = field(default_factory=dict)  # hash of n words -> benchmark, task
    _short: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, benchmark: str, problems: Iterable[tuple[str, str]]) -> int:
        """Index `problems`, pairs of (task, problem), and return their number."""
        count = 0
        for count, (task, problem) in enumerate(problems, 1):
            words = _words(problem)
            if len(words) < self.n:
                self._short.setdefault(_signs(problem), (benchmark, task))
            for run in _runs(words, self.n):
                self._runs.setdefault(hash(run), (benchmark, task))
        return count

    def find(self, problem: str) -> Match | None:
        """Return the first overlap of `problem`, or None."""
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
