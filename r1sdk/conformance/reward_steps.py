"""The steps for a reward: what it pays, that it pays the same again, and that hostile replies cost it no time."""

import copy
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..contracts import takes_group
from ..errors import R1Error, RewardError
from ..records import Rollout, Score, Verdict
from ..scoring.isolation import unwrapped
from ..scoring.score_rollouts import price
from .declared import stated_range, summary
from .findings import ContractFinding, failed, passed, skipped
from .steps import NotTried, TrialCandidate, TrialStep, build_step, listed, pickle_step, run_async
from .trial_replies import HOSTILE, attempt, ordinary

TASKS = 4


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """All steps for one reward."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        pickle_step(candidate),
        TrialStep("prices", trial.prices, observes=True),
        TrialStep("range", trial.keeps_its_range),
        TrialStep("repeats", trial.repeats),
        *(
            TrialStep("hostile", lambda name=name: trial.hostile(name), timeout_s, part=name)  # type: ignore[misc]
            for name in HOSTILE
        ),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate
        self._failed = False
        self._untouched: list[list[Rollout]] = []  # what the rollouts were before anybody priced them

    @cached_property
    def groups(self) -> list[list[Rollout]]:
        made = [ordinary(task) for task in self.candidate.tasks(TASKS)]
        self._untouched = copy.deepcopy(made)
        return made

    @cached_property
    def scores(self) -> list[list[Score]]:
        """The first prices. Raises: RewardError the first time, then NotTried: a fault is told once."""
        if self._failed:
            raise NotTried("it has no prices")
        self._failed = True
        scores = [self._price(self.candidate.built, group) for group in self.groups]
        self._failed = False
        return scores

    def _price(self, reward: Any, group: Sequence[Rollout]) -> list[Score]:
        size = len(group) if takes_group(unwrapped(reward)) else 1
        try:
            scores: list[Score] = run_async(price(group, {self.candidate.subject.name: (reward, 1.0)}, size))
        except RewardError as error:
            if isinstance(error.__cause__, R1Error) and self.candidate.task_source is None:
                raise NotTried(f"{error.__cause__}\nthe task is made up: name an environment with --env") from None
            raise
        return scores

    def prices(self) -> ContractFinding | tuple[ContractFinding, Any]:
        """It returns a number or None for whatever a model may reply."""
        scores = [score for group in self.scores for score in group]
        reasons = [reason for score in scores for reason in score.reasons.values()]
        if reasons:
            return skipped("prices", f"{len(reasons)} of {len(scores)} replies got no price: {reasons[0]}")
        values = [value for score in scores for value in score.rewards.values()]
        numbers = [value for value in values if value is not None]
        if not numbers:
            return skipped("prices", "None for every reply: it does not apply to these tasks; --env names others")
        none = f", None for {len(values) - len(numbers)}" if len(numbers) < len(values) else ""
        said = f"{len(values)} replies: {min(numbers):g} to {max(numbers):g}{none}"
        return passed("prices", said), [repr(value) for value in values]

    def keeps_its_range(self) -> ContractFinding:
        """What it paid lies between the numbers that its docstring speaks of."""
        target = self.candidate.registry.get("reward", self.candidate.subject.name).target
        stated = stated_range(summary(target))
        numbers = [v for group in self.scores for score in group for v in score.rewards.values() if v is not None]
        if stated is None or not numbers:
            return skipped("range", "no range is stated" if stated is None else "nothing was paid")
        outside = [f"{number:g}" for number in numbers if not stated[0] - 1e-9 <= number <= stated[1] + 1e-9]
        said = f"{stated[0]:g} to {stated[1]:g}"
        if outside:
            return failed("range", f"paid {', '.join(outside[:3])}, and the docstring speaks of {said}")
        return passed("range", f"as the docstring says, {said}")

    def repeats(self) -> ContractFinding:
        """The same again, from the same object and from another; and nothing that it is given is changed."""
        first = self.scores
        again = [self._price(self.candidate.built, group) for group in self.groups]
        other = self.candidate.fresh()
        anew = [self._price(other, group) for group in self.groups]
        if self._untouched != self.groups:
            return failed("repeats", "it changes the rollouts that it is given: other rewards read them too")
        faults = [
            f"{one.rewards}, then {two.rewards}{whose}: {rollout.completion.text!r:.60}"
            for whose, second in (("", again), (" from another of its kind", anew))
            for group, before, after in zip(self.groups, first, second, strict=True)
            for rollout, one, two in zip(group, before, after, strict=True)
            if one.rewards != two.rewards
        ]
        if faults:
            return failed("repeats", f"other prices for the same replies:\n{listed(faults)}")
        return passed("repeats", "the same prices again, and from a second one")

    def hostile(self, name: str) -> ContractFinding:
        """A price, or None, for one hostile reply beside an ordinary one."""
        task = self.groups[0][0].task
        group = [attempt(task, HOSTILE[name], Verdict(0.0)), self.groups[0][0]]
        started = time.perf_counter()
        self._price(self.candidate.built, group)
        return passed("hostile", f"{(time.perf_counter() - started) * 1000:.0f} ms")
