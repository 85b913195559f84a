"""The accuracy of one recipe over several seeds, with two errors: that of the tasks that were sampled, and that of the seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..storage.seed_folder import SeedFolder
from .run_verdicts import run_verdicts
from .statistics import Estimate, estimate, mean_of, student

Verdicts = Mapping[str, Sequence[float | None]]  # by task


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """The mean accuracy over seeds on the same tasks.

    `stderr` is the standard error over seeds, deviation / sqrt(seeds): how far the mean moves if you train with other seeds.
    `task_stderr` is the standard error over tasks: how far it moves if you take other tasks. Quote the first when you compare
    two recipes, the second when you say how accurate these models are.
    """

    mean: float | None  # over seeds, of each seed's mean over tasks
    stderr: float | None  # over seeds; None for one seed
    deviation: float | None  # sample standard deviation of the seeds' means; None for one seed
    chance: (
        float | None
    )  # the deviation that sampling alone would give, by a two-way analysis of variance; None: unknown
    task_stderr: float | None  # over tasks, of each task's mean over seeds; None for fewer than two tasks
    tasks: int  # attempted with every seed
    seeds: Mapping[int, Estimate]  # each seed's own accuracy, ± one standard error over its tasks

    @property
    def n(self) -> int:
        """The number of seeds that have a value."""
        return sum(found.mean is not None for found in self.seeds.values())

    def __str__(self) -> str:
        if self.mean is None:
            return "not measured (n=0 seeds)"
        error = "" if self.stderr is None else f" ± {self.stderr:.3f} over seeds"
        other = "" if self.task_stderr is None else f", ± {self.task_stderr:.3f} over tasks"
        return f"{self.mean:.3f}{error}{other} (n={self.n} seeds, {self.tasks} tasks)"

    @property
    def comment(self) -> str:
        """Return one sentence on how far the seeds differ, and how much of that sampling explains; empty for one seed."""
        if self.deviation is None:
            return ""
        said = f"the seeds differ with a standard deviation of {self.deviation:.3f}"
        if self.chance is None:
            return said
        return f"{said}; sampling alone would give {self.chance:.3f}"

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON."""
        return {**asdict(self), "seeds": {str(seed): asdict(found) for seed, found in self.seeds.items()}, "n": self.n}


def seed_spread(by_seed: Mapping[int, Verdicts], accuracies: Mapping[int, Estimate] | None = None) -> SeedSpread:
    """Return the spread of the accuracy over seeds. `by_seed`: the verdicts of each seed's model, by task.

    `accuracies`: those that were measured, where the verdicts of a seed may be missing; by default they come from the verdicts.

    With x[s, t] the mean verdict of seed s on task t, sampling alone gives the seeds' means the variance MS / T, where MS is the
    residual mean square of x after the effects of seeds and tasks, and T the number of tasks.
    """
    found = dict(accuracies or {seed: estimate(list(verdicts.values())) for seed, verdicts in by_seed.items()})
    means = [each.mean for each in found.values() if each.mean is not None]
    if not means:
        return SeedSpread(None, None, None, None, None, 0, found)
    overall = estimate([[mean] for mean in means])
    deviation = None if overall.stderr is None else overall.stderr * math.sqrt(len(means))
    rows = _complete(by_seed)
    over_tasks = (
        estimate([[mean_of(column)] for column in zip(*rows, strict=True)]) if rows else Estimate(None, None, 0)
    )
    return SeedSpread(overall.mean, overall.stderr, deviation, _chance(rows), over_tasks.stderr, over_tasks.n, found)


def seed_accuracy(folder: SeedFolder, moment: str = "after") -> SeedSpread | None:
    """Return the held-out accuracy over the seeds of `folder`: `before` or `after` training. None before any was measured.

    Raises: RunError where a file is damaged.
    """
    measured = {seed: found for seed, run in folder.runs() if (found := run.evaluation(moment)) is not None}
    if not measured:
        return None
    verdicts = {seed: run_verdicts(folder.run(seed), moment) for seed in measured}
    return seed_spread(
        {seed: found for seed, found in verdicts.items() if found},
        {seed: Estimate(**found["accuracy"]) for seed, found in measured.items()},
    )


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """The mean over seeds of a second recipe minus that of a first; the seeds are what varies."""

    mean: float | None
    low: float | None  # of the 95% confidence interval; None where a recipe has one seed
    high: float | None
    seeds: tuple[int, int]

    def __str__(self) -> str:
        if self.mean is None:
            return "nothing to compare"
        span = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.mean:+.3f}{span} (n={self.seeds[1]} and {self.seeds[0]} seeds)"

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return asdict(self)


def seed_difference(first: SeedSpread, second: SeedSpread, level: float = 0.95) -> SeedDifference:
    """Return second minus first with Welch's interval over seeds; degrees of freedom by Welch and Satterthwaite, rounded down."""
    seeds = first.n, second.n
    if first.mean is None or second.mean is None:
        return SeedDifference(None, None, None, seeds)
    gap = second.mean - first.mean
    if first.stderr is None or second.stderr is None:
        return SeedDifference(gap, None, None, seeds)
    variances = first.stderr**2, second.stderr**2
    total = sum(variances)
    if total == 0.0:
        return SeedDifference(gap, gap, gap, seeds)
    freedom = total**2 / sum(variance**2 / (n - 1) for variance, n in zip(variances, seeds, strict=True))
    reach = student(0.5 + level / 2, max(1, int(freedom))) * math.sqrt(total)
    return SeedDifference(gap, gap - reach, gap + reach, seeds)


def _complete(by_seed: Mapping[int, Verdicts]) -> list[list[float]]:
    """Return one row for each seed: the mean verdict on each task that every seed has a verdict for."""
    means = [
        {task: mean_of(known) for task, given in verdicts.items() if (known := [v for v in given if v is not None])}
        for verdicts in by_seed.values()
    ]
    shared = [task for task in means[0] if all(task in each for each in means)] if means else []
    return [[each[task] for task in shared] for each in means] if shared else []


def _chance(rows: Sequence[Sequence[float]]) -> float | None:
    seeds, tasks = len(rows), len(rows[0]) if rows else 0
    if seeds < 2 or tasks < 2:
        return None
    by_seed = [mean_of(row) for row in rows]
    by_task = [mean_of(column) for column in zip(*rows, strict=True)]
    mean = mean_of(by_seed)
    left = sum((x - by_seed[s] - by_task[t] + mean) ** 2 for s, row in enumerate(rows) for t, x in enumerate(row))
    return math.sqrt(left / ((seeds - 1) * (tasks - 1)) / tasks)
