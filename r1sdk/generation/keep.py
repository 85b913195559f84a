"""Which answers are kept: a rule such as `correct,shortest=1,pass_rate=0.2:0.8`, and what it picks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ..errors import RecipeError, nearest

Verdicts = Literal["all", "correct", "wrong"]
Pick = Literal["best", "shortest", "first"]
TERMS = ("all", "correct", "wrong", "best", "shortest", "first", "pass_rate")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One judged answer, without its text."""

    place: int  # of its task in the split
    sample: int
    value: float | None  # the verdict's; None: could not be judged
    total: float | None  # the weighted sum of its rewards
    tokens: int
    digest: bytes = b""  # of its prompt and its text, whitespace aside; equal ones are duplicates


@dataclass(frozen=True, slots=True)
class Keep:
    """A rule. Its parts apply in this order: pass rate of the prompt, verdict, duplicates, so many per prompt."""

    verdicts: Verdicts = "all"
    pass_rate: tuple[float, float] | None = None  # prompts whose share of correct answers lies within, bounds included
    pick: Pick | None = None  # `best`: highest total reward; `shortest`: fewest tokens; `first`: as they were sampled
    count: int = 1  # of what `pick` picks, per prompt
    duplicates: bool = False  # keep answers that are the same

    @classmethod
    def parse(cls, rule: str, duplicates: bool = False) -> "Keep":
        """`correct`, `wrong` or `all`; `best=N`, `shortest=N` or `first=N`; `pass_rate=A:B`. Raises: RecipeError."""
        verdicts: list[Verdicts] = []
        picks: list[tuple[Pick, int]] = []
        rates: list[tuple[float, float]] = []
        for term in filter(None, map(str.strip, rule.split(","))):
            name, _, value = term.partition("=")
            match name:
                case "all" | "correct" | "wrong" if not value:
                    verdicts.append(name)
                case "best" | "shortest" | "first" if value.isdecimal() and int(value) > 0:
                    picks.append((name, int(value)))
                case "pass_rate" if (rate := _rate(value)) is not None:
                    rates.append(rate)
                case _:
                    raise RecipeError(_help(rule, term, name))
        for found, kinds in ((verdicts, "correct, wrong and all"), (picks, "best, shortest and first")):
            if len(found) > 1:
                raise RecipeError(f"keep {rule!r}: one of {kinds} at most")
        if len(rates) > 1:
            raise RecipeError(f"keep {rule!r}: pass_rate once at most")
        pick, count = picks[0] if picks else (None, 1)
        return cls(verdicts[0] if verdicts else "all", rates[0] if rates else None, pick, count, duplicates)

    def choose(self, candidates: Iterable[Candidate]) -> "Chosen":
        """The candidates to keep, by place and sample. They come in any order."""
        ordered = sorted(candidates, key=lambda c: (c.place, c.sample))
        kept: list[Candidate] = []
        seen: set[bytes] = set()
        same = 0
        for _, group in groupby(ordered, key=lambda c: c.place):
            fitting = self._fitting(list(group))
            different = fitting if self.duplicates else [c for c in fitting if not _seen(c, seen)]
            same += len(fitting) - len(different)
            kept += sorted(self._picked(different), key=lambda c: c.sample)
        return Chosen(kept, same)

    def _fitting(self, group: list[Candidate]) -> list[Candidate]:
        """Those of one prompt with the right verdict; none where its pass rate is out of bounds."""
        if self.pass_rate is not None:
            judged = [c.value == 1.0 for c in group if c.value is not None]
            low, high = self.pass_rate
            if not judged or not low <= sum(judged) / len(judged) <= high:
                return []
        if self.verdicts == "all":
            return group
        return [c for c in group if c.value is not None and (c.value == 1.0) == (self.verdicts == "correct")]

    def _picked(self, group: Sequence[Candidate]) -> Sequence[Candidate]:
        match self.pick:
            case "best":
                return sorted(group, key=lambda c: (-(c.total or 0.0), c.tokens, c.sample))[: self.count]
            case "shortest":
                return sorted(group, key=lambda c: (c.tokens, c.sample))[: self.count]
            case "first":
                return group[: self.count]
            case _:
                return group


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a rule kept."""

    kept: list[Candidate]
    duplicates: int  # left out because the same answer was there


def _seen(candidate: Candidate, seen: set[bytes]) -> bool:
    known = candidate.digest in seen
    seen.add(candidate.digest)
    return known


def _rate(value: str) -> tuple[float, float] | None:
    low, _, high = value.partition(":")
    try:
        bounds = float(low), float(high)
    except ValueError:
        return None
    return bounds if 0.0 <= bounds[0] <= bounds[1] <= 1.0 else None


def _help(rule: str, term: str, name: str) -> str:
    return (
        f"keep {rule!r} has no part {term!r}{'' if name in TERMS else nearest(name, TERMS)}\n"
        "  parts, with commas between: correct, wrong or all; best=N, shortest=N or first=N of each prompt;"
        " pass_rate=A:B, from 0 to 1"
    )
