"""Samplers of training tasks: an endless shuffled stream, or a curriculum by measured pass rate.

The main process samples for all. Its state is saved with each checkpoint, so a resumed run continues the same sequence.
"""

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...data import items, read_rates
from ...planning.run_plan import RunPlan
from ...recipe.key_groups import CurriculumSettings

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """The outcome of one group: how many of its verified completions were right."""

    task: int  # its index in the training data
    right: int
    judged: int


class TaskSampler(Protocol):
    """A sampler of training tasks by their index."""

    def first(self, count: int) -> list[int] | None:
        """Return the tasks of a batch; None: use those that the trainer's own sampler drew."""

    def fresh(self, count: int, without: Collection[int]) -> list[int]:
        """Return up to `count` further tasks that are not in `without`."""

    def learn(self, outcomes: Sequence[GroupOutcome]) -> dict[str, float]:
        """Update the sampler with the outcomes of its groups; return metrics by name."""

    def state(self) -> Json:
        """Return everything that the next draw depends on."""

    def restore(self, state: Json) -> None: ...


class ShuffledTasks:
    """All tasks in a shuffled order, pass after pass, each in a new order."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self.position = 0
        self._pass = -1  # the pass that `_order` is of
        self._order: list[int] = []

    def first(self, count: int) -> None:
        return None

    def fresh(self, count: int, without: Collection[int]) -> list[int]:
        found: dict[int, None] = {}
        for _ in range(self.size):
            if len(found) == count:
                break
            if (task := self._next()) not in without:
                found[task] = None
        return list(found)

    def learn(self, outcomes: Sequence[GroupOutcome]) -> dict[str, float]:
        return {}

    def state(self) -> Json:
        return {"position": self.position}

    def restore(self, state: Json) -> None:
        self.position = int(state["position"])

    def _next(self) -> int:
        number, at = divmod(self.position, self.size)
        if number != self._pass:
            self._order = list(range(self.size))
            random.Random(f"{self.seed}/fresh/{number}").shuffle(self._order)
            self._pass = number
        self.position += 1
        return self._order[at]


class Curriculum:
    """Thompson sampling of pass rates (MoPPS, arXiv 2507.04632).

    Each task's pass rate has a Beta distribution, uniform before the first attempt. One value is drawn from each, and the tasks
    whose values are nearest to the target are taken. Tasks that are likely near the target come more often; untried ones have a chance.
    """

    def __init__(
        self, size: int, seed: int, settings: CurriculumSettings, known: Mapping[int, tuple[float, float]] | None = None
    ) -> None:
        """`known`: counts of right and wrong completions of a task, by its index."""
        import numpy as np

        self.seed, self.settings = seed, settings
        self.counts = np.zeros((2, size))  # right, wrong
        for task, counts in (known or {}).items():
            self.counts[:, task] = counts
        self.draws = 0

    def first(self, count: int) -> list[int]:
        return self.fresh(count, ())

    def fresh(self, count: int, without: Collection[int]) -> list[int]:
        import numpy as np

        rates = np.random.default_rng([self.seed, self.draws]).beta(1 + self.counts[0], 1 + self.counts[1])
        self.draws += 1
        order = np.argsort(np.abs(rates - self.settings.target), kind="stable").tolist()
        left_out = set(without)
        return [task for task in order if task not in left_out][:count]

    def learn(self, outcomes: Sequence[GroupOutcome]) -> dict[str, float]:
        """Update the counts; return the expected mean pass rate of the sampled tasks and the share never tried before."""
        right, wrong = self.counts[:, [outcome.task for outcome in outcomes]]
        metrics = {
            "curriculum/expected_pass_rate": float(((1 + right) / (2 + right + wrong)).mean()),
            "curriculum/untried": float((right + wrong == 0).mean()),
        }
        for outcome in outcomes:
            self.counts[:, outcome.task] *= self.settings.discount
            self.counts[:, outcome.task] += (outcome.right, outcome.judged - outcome.right)
        return {**metrics, "curriculum/tried_tasks": float((self.counts.sum(0) > 0).sum())}

    def state(self) -> Json:
        tried = self.counts.sum(0).nonzero()[0].tolist()
        return {"draws": self.draws, "counts": [[task, *self.counts[:, task].tolist()] for task in tried]}

    def restore(self, state: Json) -> None:
        self.draws = int(state["draws"])
        self.counts[:] = 0.0
        for task, right, wrong in state["counts"]:
            self.counts[:, task] = right, wrong


def task_sampler_of(run: RunPlan, rows: Sequence[Mapping[str, Any]]) -> TaskSampler:
    """Return the task sampler of `run`. `rows`: its training data, made by `task_row`."""
    settings, seed = run.recipe.curriculum, run.recipe.seed
    if settings is None:
        return ShuffledTasks(len(rows), seed)
    known = {}
    if run.pass_rates:
        places = {json.loads(row["task"])["id"]: at for at, row in enumerate(rows)}
        known = {places[task]: counts for task, counts in run.pass_rates.items() if task in places}
    return Curriculum(len(rows), seed, settings, known)


def known_rates(run: RunPlan) -> dict[str, tuple[float, float]]:
    """Return counts of right and wrong completions by task id, from `curriculum.pass_rates`. Raises: R1Error."""
    settings = run.recipe.curriculum
    if settings is None or settings.pass_rates is None:
        return {}
    found = read_rates(settings.pass_rates, items(run.environment, "train"))
    print(f"pass rates of {len(found)} training tasks are known", flush=True)
    return {task: (measured.right, measured.samples - measured.right) for task, measured in found.items()}
