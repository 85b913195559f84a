"""Two models on the same tasks: the difference of their accuracies, task by task, with its confidence interval."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from .attempts import estimate


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more accurate the second is than the first. Tasks that either could not be judged on are left out."""

    mean: float | None
    low: float | None  # of the 95% confidence interval; None for fewer than two tasks
    high: float | None
    n: int  # tasks that both were judged on
    better: int  # tasks on which the second did better
    worse: int

    def __str__(self) -> str:
        if self.mean is None:
            return "nothing to compare (n=0)"
        span = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.mean:+.3f}{span} (n={self.n}; better on {self.better}, worse on {self.worse})"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def difference(
    first: Mapping[str, Sequence[float | None]], second: Mapping[str, Sequence[float | None]], level: float = 0.95
) -> Difference:
    """The paired difference, second less first, of verdicts by task.

    The interval is Student's, on the differences of each task's means: what the tasks have in common cancels out, so it is as a
    rule far narrower than those of two separate accuracies.
    """
    gaps = [
        _mean(right) - _mean(left)
        for task, given in first.items()
        if (left := _known(given)) and (right := _known(second.get(task, ())))
    ]
    found = estimate([[gap] for gap in gaps])
    better, worse = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    if found.mean is None or found.stderr is None:
        return Difference(found.mean, None, None, found.n, better, worse)
    reach = student(0.5 + level / 2, found.n - 1) * found.stderr
    return Difference(found.mean, found.mean - reach, found.mean + reach, found.n, better, worse)


def student(probability: float, freedom: int) -> float:
    """The quantile of Student's t distribution for a probability of 0.5 or more.

    By bisection of the distribution, which for whole degrees of freedom is a finite sum (Abramowitz and Stegun 26.7.3-4).
    """
    if freedom > 2000:
        return NormalDist().inv_cdf(probability)
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_cdf(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def _student_cdf(t: float, freedom: int) -> float:
    angle = math.atan(t / math.sqrt(freedom))
    cos2 = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 or not odd else 0.0
    for j in range(3 if odd else 2, freedom, 2) if freedom > 2 else ():
        term *= cos2 * (j - 1) / j
        total += term
    if odd:
        inside = 2 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))
    else:
        inside = math.sin(angle) * total
    return 0.5 + inside / 2


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
