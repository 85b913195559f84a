"""The steps for a reward: its values, that they repeat, and that hostile replies do not slow it down."""

import copy
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..contracts import takes_group
from ..errors import R1Error, RewardError
from ..records import Rollout, Score, Verdict
from ..scoring.isolation import unwrapped
from ..scoring.score_rollouts import score_rewards
from .declared import stated_range, summary
from .findings import ContractFinding, failed, passed, skipped
from .steps import NotTried, TrialCandidate, TrialStep, build_step, hostile_steps, list_first, pickle_step, run_async
from .trial_replies import HOSTILE, attempt, ordinary_rollouts

TASKS = 4


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """Return all steps for one reward."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        pickle_step(candidate),
        TrialStep("scores", trial.returns_numbers, observes=True),
        TrialStep("range", trial.keeps_its_range),
        TrialStep("repeats", trial.repeats),
        *hostile_steps(trial.hostile, timeout_s),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate
        self._failed = False
        self._untouched: list[list[Rollout]] = []  # copies of the rollouts from before they were scored

    @cached_property
    def groups(self) -> list[list[Rollout]]:
        made = [ordinary_rollouts(task) for task in self.candidate.tasks(TASKS)]
        self._untouched = copy.deepcopy(made)
        return made

    @cached_property
    def scores(self) -> list[list[Score]]:
        """The first scores. Raises: RewardError the first time, then NotTried, so that a fault is reported once."""
        if self._failed:
            raise NotTried("it has no scores")
        self._failed = True
        scores = [self._score(self.candidate.built, group) for group in self.groups]
        self._failed = False
        return scores

    def _score(self, reward: Any, group: Sequence[Rollout]) -> list[Score]:
        size = len(group) if takes_group(unwrapped(reward)) else 1
        try:
            scores: list[Score] = run_async(score_rewards(group, {self.candidate.subject.name: (reward, 1.0)}, size))
        except RewardError as error:
            if isinstance(error.__cause__, R1Error) and self.candidate.task_source is None:
                raise NotTried(f"{error.__cause__}\nthe task is made up: choose an environment with --env") from None
            raise
        return scores

    def returns_numbers(self) -> ContractFinding | tuple[ContractFinding, Any]:
        """Check that it returns a number or None for anything a model may reply."""
        scores = [score for group in self.scores for score in group]
        reasons = [reason for score in scores for reason in score.reasons.values()]
        if reasons:
            return skipped("scores", f"{len(reasons)} of {len(scores)} replies got no score: {reasons[0]}")
        values = [value for score in scores for value in score.rewards.values()]
        numbers = [value for value in values if value is not None]
        if not numbers:
            return skipped("scores", "None for every reply: it does not apply to these tasks; choose others with --env")
        none = f", None for {len(values) - len(numbers)}" if len(numbers) < len(values) else ""
        summed_up = f"{len(values)} replies: {min(numbers):g} to {max(numbers):g}{none}"
        return passed("scores", summed_up), [repr(value) for value in values]

    def keeps_its_range(self) -> ContractFinding:
        """Check that its values lie in the range that its docstring states."""
        target = self.candidate.registry.get("reward", self.candidate.subject.name).target
        stated = stated_range(summary(target))
        numbers = [v for group in self.scores for score in group for v in score.rewards.values() if v is not None]
        if stated is None or not numbers:
            return skipped("range", "no range is stated" if stated is None else "no reply got a number")
        outside = [f"{number:g}" for number in numbers if not stated[0] - 1e-9 <= number <= stated[1] + 1e-9]
        range_ = f"{stated[0]:g} to {stated[1]:g}"
        if outside:
            return failed("range", f"returned {', '.join(outside[:3])}, but the docstring states {range_}")
        return passed("range", f"as the docstring states, {range_}")

    def repeats(self) -> ContractFinding:
        """Check that the same object and a second one return the same again, and that they change no rollout."""
        first = self.scores
        again = [self._score(self.candidate.built, group) for group in self.groups]
        other = self.candidate.fresh()
        from_other = [self._score(other, group) for group in self.groups]
        if self._untouched != self.groups:
            return failed("repeats", "it changes the rollouts it is given, which other rewards read too")
        faults = [
            f"{one.rewards}, then {two.rewards}{whose}: {rollout.completion.text!r:.60}"
            for whose, second in (("", again), (" from a second object", from_other))
            for group, before, after in zip(self.groups, first, second, strict=True)
            for rollout, one, two in zip(group, before, after, strict=True)
            if one.rewards != two.rewards
        ]
        if faults:
            return failed("repeats", f"different values for the same replies:\n{list_first(faults)}")
        return passed("repeats", "the same values again, and from a second object")

    def hostile(self, name: str) -> ContractFinding:
        """Check that one hostile reply, in a group with an ordinary one, gets a number or None."""
        task = self.groups[0][0].task
        group = [attempt(task, HOSTILE[name], Verdict(0.0)), self.groups[0][0]]
        started = time.perf_counter()
        self._score(self.candidate.built, group)
        return passed("hostile", f"{(time.perf_counter() - started) * 1000:.0f} ms")
