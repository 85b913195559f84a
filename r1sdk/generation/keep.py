"""`Keep`: the rule that selects answers, such as `correct,shortest=1,pass_rate=0.2:0.8`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ..errors import RecipeError, nearest

Verdicts = Literal["all", "correct", "wrong"]
Pick = Literal["best", "shortest", "first"]
_PARTS = (
    "  parts, separated by commas: correct, wrong or all; best=N, shortest=N or first=N per prompt; pass_rate=A:B, "
    "A up to B, from 0 to 1"
)
TERMS = ("all", "correct", "wrong", "best", "shortest", "first", "pass_rate")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One verified answer, without its text."""

    place: int  # the task's index in its split
    sample: int
    value: float | None  # of the verdict; None: could not be verified
    total: float | None  # weighted sum of its rewards
    tokens: int
    digest: bytes = b""  # of its prompt and its text, ignoring whitespace; equal digests are duplicates

    @property
    def right(self) -> bool:
        return self.value == 1.0


@dataclass(frozen=True, slots=True)
class Keep:
    """A rule. Its parts apply in this order: pass rate of the prompt, verdict, duplicates, number per prompt."""

    verdicts: Verdicts = "all"
    pass_rate: tuple[float, float] | None = None  # bounds, inclusive, on a prompt's share of correct answers
    pick: Pick | None = None  # `best`: highest total reward; `shortest`: fewest tokens; `first`: in sampling order
    count: int = 1  # answers that `pick` keeps per prompt
    duplicates: bool = False  # keep duplicate answers
    pairs: bool = False  # keep as many right as wrong answers of each prompt; number and order apply to each side

    @classmethod
    def parse(cls, rule: str, duplicates: bool = False, pairs: bool = False) -> "Keep":
        """Read `correct`, `wrong` or `all`; `best=N`, `shortest=N` or `first=N`; `pass_rate=A:B`. Raises: RecipeError."""
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
                raise RecipeError(f"keep {rule!r}: use at most one of {kinds}")
        if len(rates) > 1:
            raise RecipeError(f"keep {rule!r}: use pass_rate at most once")
        if pairs and verdicts and verdicts != ["all"]:
            raise RecipeError(f"keep {rule!r}: a pair is a right and a wrong answer; leave out {verdicts[0]!r}")
        pick, count = picks[0] if picks else (None, 1)
        return cls(verdicts[0] if verdicts else "all", rates[0] if rates else None, pick, count, duplicates, pairs)

    def choose(self, candidates: Iterable[Candidate]) -> "Chosen":
        """Return the candidates to keep, by place and sample. `candidates` may come in any order."""
        ordered = sorted(candidates, key=lambda c: (c.place, c.sample))
        kept: list[Candidate] = []
        seen: set[bytes] = set()
        same = 0
        for _, group in groupby(ordered, key=lambda c: c.place):
            matching = self._matching(list(group))
            different = matching if self.duplicates else [c for c in matching if not _seen(c, seen)]
            same += len(matching) - len(different)
            if self.pairs:
                sides = [[c for c in different if c.value is not None and c.right is side] for side in (True, False)]
                right, wrong = (sorted(self._picked(side), key=lambda c: c.sample) for side in sides)
                kept += [one for pair in zip(right, wrong, strict=False) for one in pair]
                continue
            kept += sorted(self._picked(different), key=lambda c: c.sample)
        return Chosen(kept, same)

    def _matching(self, group: list[Candidate]) -> list[Candidate]:
        """Return one prompt's candidates with the right verdict; none if its pass rate is out of bounds."""
        if self.pass_rate is not None:
            verified = [c.right for c in group if c.value is not None]
            low, high = self.pass_rate
            if not verified or not low <= sum(verified) / len(verified) <= high:
                return []
        if self.verdicts == "all":
            return group
        return [c for c in group if c.value is not None and c.right == (self.verdicts == "correct")]

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
    """The candidates that a rule selected. For pairs a right answer is followed by its wrong one."""

    kept: list[Candidate]
    duplicates: int  # left out as duplicates


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
    low, _, high = term.partition("=")[2].partition(":")
    if name == "pass_rate" and _rate(f"{high}:{low}") is not None:
        return f"keep {rule!r}: {term!r} begins above its end: write pass_rate={high}:{low}"
    if name in TERMS:
        return f"keep {rule!r} has a part that cannot be read, {term!r}\n{_PARTS}"
    return f"keep {rule!r} has no part {term!r}{nearest(name, TERMS)}\n{_PARTS}"
