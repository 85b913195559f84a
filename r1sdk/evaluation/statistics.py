"""Statistics of an evaluation: means with standard errors, pass@k, maj@k, and the paired difference of two models."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from ..records import Verdict


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its standard error over tasks; None if nothing was measured."""

    mean: float | None  # over tasks
    stderr: float | None  # standard error of the mean; None for fewer than two tasks
    n: int  # tasks that have a value

    def __str__(self) -> str:
        if self.mean is None:
            return f"not measured (n={self.n})"
        error = "" if self.stderr is None else f" ± {self.stderr:.3f}"
        return f"{self.mean:.3f}{error} (n={self.n})"


def estimate(groups: Sequence[Sequence[float | None]]) -> Estimate:
    """Return the mean over tasks of each task's mean, with its standard error over tasks. None values are skipped."""
    means = [mean_of(known) for group in groups if (known := _known(group))]
    if not means:
        return Estimate(None, None, 0)
    mean = mean_of(means)
    if len(means) < 2:
        return Estimate(mean, None, len(means))
    variance = sum((value - mean) ** 2 for value in means) / (len(means) - 1)
    return Estimate(mean, math.sqrt(variance / len(means)), len(means))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the probability that k of n attempts, drawn without replacement, contain a correct one. Requires k <= n.

    This is the unbiased estimator of Eq. (1) of Chen et al. 2021 (arXiv 2107.03374).
    """
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def pass_estimate(groups: Sequence[Sequence[float | None]], k: int) -> Estimate:
    """Return pass@k over the tasks that have at least k verdicts."""
    known = [_known(group) for group in groups]
    return estimate([[pass_at_k(len(g), sum(v == 1.0 for v in g), k)] for g in known if len(g) >= k])


def majority_at_k(verdicts: Sequence[Verdict | None], k: int) -> Estimate | None:
    """Return maj@k: how often the most frequent of k answers to a task is right; tied answers share the vote.

    An attempt without an answer has no vote; a task with no votes counts as wrong. Two answers are equal if the verifier
    extracted the same text, ignoring case and spaces. Returns None for k = 1, and if no two answers to one task ever
    agree, as with programs, because then there is nothing to vote on.
    """
    if k < 2:
        return None
    shares: list[list[float | None]] = []
    agree = False
    for group in groups_of(verdicts, k):
        votes: dict[str, list[float]] = {}
        for verdict in group:
            if verdict is not None and verdict.value is not None and verdict.extracted:
                votes.setdefault(" ".join(verdict.extracted.split()).casefold(), []).append(verdict.value)
        if all(verdict is None or verdict.value is None for verdict in group):
            shares.append([None])
            continue
        most = max((len(values) for values in votes.values()), default=0)
        agree = agree or most > 1
        winners = [mean_of(values) for values in votes.values() if len(values) == most]
        shares.append([mean_of(winners)])
    return estimate(shares) if agree else None


@dataclass(frozen=True, slots=True)
class Difference:
    """The accuracy of a second model minus that of a first. Tasks without a verdict for either are skipped."""

    mean: float | None
    low: float | None  # of the 95% confidence interval; None for fewer than two tasks
    high: float | None
    n: int  # tasks with a verdict for both models
    better: int  # tasks on which the second model did better
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
    """Return the paired difference, second minus first, of verdicts by task.

    The interval is Student's, on the differences between each task's means. Variation that both models share cancels
    out, so the interval is usually far narrower than those of two separate accuracies.
    """
    gaps = [
        mean_of(right) - mean_of(left)
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
    """Return the quantile of Student's t distribution for a probability of 0.5 or more.

    Bisects the distribution function, which is a finite sum for whole degrees of freedom (Abramowitz and Stegun
    26.7.3-4). Above 2000 degrees of freedom the normal quantile is used.
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


def groups_of(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Split `values` into consecutive groups of `size`."""
    return [values[i : i + size] for i in range(0, len(values), size)]


def mean_of(values: Sequence[float]) -> float:
    """Return the mean, or 0.0 if there are no values."""
    return sum(values) / len(values) if values else 0.0


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
