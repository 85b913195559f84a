"""The tasks that fresh groups are drawn for: a shuffled stream without end, or a curriculum by measured pass rate.

One process draws for all. What it has drawn and learned is saved with each checkpoint, so a resumed run draws on.
"""

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...data import items, read_rates
from ...planning.build import Run
from ...recipe.key_groups import CurriculumSettings

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """What came of one group: of the completions that could be judged, how many were right."""

    task: int  # its place in the training data
    right: int
    judged: int


class TaskSampler(Protocol):
    """Places of training tasks, from 0."""

    def first(self, count: int) -> list[int] | None:
        """The tasks of a batch; None: those that the trainer's own sampler drew."""

    def fresh(self, count: int, without: Collection[int]) -> list[int]:
        """At most `count` other tasks, fewer where there are no more."""

    def learn(self, outcomes: Sequence[GroupOutcome]) -> dict[str, float]:
        """Take note of what came of the groups drawn; metrics by name."""

    def state(self) -> Json:
        """Everything that the next draw depends on."""

    def restore(self, state: Json) -> None: ...


class ShuffledTasks:
    """All tasks in a shuffled order, over and over, each time in another."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self.position = 0
        self._pass = -1  # whose order is in hand
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
    """Thompson sampling of pass rates (MoPPS, arXiv 2507.04632): each task's rate has a Beta distribution, uniform before the
    first attempt; one value is drawn from each, and the tasks whose values lie nearest to the target are taken.

    So a task is drawn the oftener the likelier its rate is near the target, and one that was never tried has its chance too.
    """

    def __init__(
        self, size: int, seed: int, settings: CurriculumSettings, known: Mapping[int, tuple[float, float]] | None = None
    ) -> None:
        """`known`: right and wrong completions of a task, by its place."""
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
        """Metrics: of the tasks drawn, the mean pass rate that was expected, and the share never tried before."""
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


def task_sampler_of(run: Run, rows: Sequence[Mapping[str, Any]]) -> TaskSampler:
    """What draws for `run`. `rows`: its training data, as `task_row` made it."""
    settings, seed = run.recipe.curriculum, run.recipe.seed
    if settings is None:
        return ShuffledTasks(len(rows), seed)
    known = {}
    if run.pass_rates:
        places = {json.loads(row["task"])["id"]: at for at, row in enumerate(rows)}
        known = {places[task]: counts for task, counts in run.pass_rates.items() if task in places}
    return Curriculum(len(rows), seed, settings, known)


def known_rates(run: Run) -> dict[str, tuple[float, float]]:
    """Right and wrong completions of the training tasks that `curriculum.pass_rates` knows, by id. Raises: R1Error."""
    settings = run.recipe.curriculum
    if settings is None or settings.pass_rates is None:
        return {}
    found = read_rates(settings.pass_rates, items(run.environment, "train"))
    print(f"pass rates of {len(found)} training tasks are known", flush=True)
    return {task: (measured.right, measured.samples - measured.right) for task, measured in found.items()}
