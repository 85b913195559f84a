"""The rounds of generation that one batch takes: which groups fill it, what is kept of the others, what is said of them all."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import RewardError
from ...records import Rollout, Score
from ..monitor.batch_metrics import measure
from .reward_columns import RewardTable
from .task_sampler import GroupOutcome

NO_SPREAD, SURPLUS = "no spread", "surplus"  # why a group is not trained on


class Group(NamedTuple):
    """One group of completions by where it was made."""

    round: int  # from 0
    at: int  # in that round, over all processes


@dataclass
class Batch:
    """The groups that a batch is made of, in order. Those that lack spread give way to groups of later rounds that have it."""

    groups: list[Group]
    lacking: list[int]  # places in the batch whose group has no spread
    rounds: list[Sequence[bool]]  # [N] of each round: whether the group has spread

    @classmethod
    def of(cls, spread: Sequence[bool]) -> "Batch":
        """The batch of the first round, whatever it is. Shapes: [N]."""
        groups = [Group(0, at) for at in range(len(spread))]
        return cls(groups, [at for at, has in enumerate(spread) if not has], [spread])

    def refill(self, spread: Sequence[bool]) -> None:
        """Take the groups of the next round that have spread, as long as there is a place for them."""
        number = len(self.rounds)
        self.rounds.append(spread)
        for at, has in enumerate(spread):
            if has and self.lacking:
                self.groups[self.lacking.pop(0)] = Group(number, at)

    def dropped(self) -> list[tuple[Group, str]]:
        """The groups that are not trained on, in the order in which they were made, and why."""
        used = set(self.groups)
        made = [(Group(r, at), has) for r, spread in enumerate(self.rounds) for at, has in enumerate(spread)]
        return [(group, SURPLUS if has else NO_SPREAD) for group, has in made if group not in used]


@dataclass
class ScoredRound:
    """One round as the main process has it."""

    tasks: Sequence[int]  # [N] places in the training data
    rollouts: Sequence[Rollout]  # [N x G]
    scores: Sequence[Score]  # [N x G]


@dataclass
class RoundTable(RewardTable):
    """A `RewardTable` that judges and prices each round as it comes, and logs and keeps them when the batch is settled.

    What could not be judged counts against the recipe's limits over all rounds so far, after each of them.
    """

    rounds: list[ScoredRound] = field(default_factory=list, repr=False)  # of the batch in hand, on the main process
    tasks: Sequence[int] = field(default_factory=list, repr=False)  # of the round in hand

    def _take(
        self,
        step: int,
        judged: Sequence[Rollout],
        scores: Sequence[Score],
        log_metric: Callable[[str, float], None] | None,
    ) -> None:
        self.rounds.append(ScoredRound(self.tasks, judged, scores))
        judged = [rollout for one in self.rounds for rollout in one.rollouts]
        prices = [row for one in self.rounds for row in one.scores]
        try:
            self.check(measure(judged, prices, self.rewards, self.group_size), judged, prices)
        except RewardError:
            if self.keep:
                self.keep(
                    step, judged, prices, [{"round": r + 1} for r, one in enumerate(self.rounds) for _ in one.scores]
                )
            raise

    def verdicts(self) -> list[list[float | None]]:
        """Of the last round, by group. Shapes: [N][G]. On the main process."""
        values = [rollout.verdict.value if rollout.verdict else None for rollout in self.rounds[-1].rollouts]
        return [values[start : start + self.group_size] for start in range(0, len(values), self.group_size)]

    def settle(self, step: int, batch: Batch, log_metric: Callable[[str, float], None]) -> list[GroupOutcome]:
        """Log and keep the rounds, the batch first, and begin anew. Returns what came of each group. On the main process."""
        trained = [(rollout, row) for group in batch.groups for rollout, row in self._of(group)]
        rollouts, scores = [rollout for rollout, _ in trained], [row for _, row in trained]
        for name, value in measure(rollouts, scores, self.rewards, self.group_size).items():
            log_metric(name, value)
        for name, value in self._drawn(batch).items():
            log_metric(name, value)
        if self.keep:
            marks: list[dict[str, Any]] = [
                {"round": group.round + 1} for group in batch.groups for _ in range(self.group_size)
            ]
            for group, why in batch.dropped():
                for rollout, row in self._of(group):
                    rollouts.append(rollout)
                    scores.append(row)
                    marks.append({"round": group.round + 1, "dropped": why})
            self.keep(step, rollouts, scores, marks)
        outcomes = [
            _outcome(task, [rollout for rollout, _ in self._of(Group(number, at))])
            for number, one in enumerate(self.rounds)
            for at, task in enumerate(one.tasks)
        ]
        self.rounds.clear()
        return outcomes

    def _of(self, group: Group) -> list[tuple[Rollout, Score]]:
        made = self.rounds[group.round]
        rows = slice(group.at * self.group_size, (group.at + 1) * self.group_size)
        return list(zip(made.rollouts[rows], made.scores[rows], strict=True))

    def _drawn(self, batch: Batch) -> dict[str, float]:
        """Metrics of everything that was generated for the batch, all rounds of it.

        drawn/rounds           rounds of generation, the first one counted
        drawn/groups           groups that were generated
        drawn/without_spread   of those, how many had no spread
        drawn/replaced         groups without spread that gave way to fresh ones
        drawn/remained         groups without spread that the batch still has
        drawn/pass_rate        share of the completions judged that were right
        drawn/reward           mean of their weighted totals
        """
        spread = [has for one in batch.rounds for has in one]
        verdicts = [rollout.verdict for one in self.rounds for rollout in one.rollouts]
        known = [verdict.value for verdict in verdicts if verdict is not None and verdict.value is not None]
        metrics = {
            "drawn/rounds": float(len(batch.rounds)),
            "drawn/groups": float(len(spread)),
            "drawn/without_spread": float(spread.count(False)),
            "drawn/replaced": float(sum(group.round > 0 for group in batch.groups)),
            "drawn/remained": float(len(batch.lacking)),
            "drawn/reward": statistics.fmean(row.total for one in self.rounds for row in one.scores),
        }
        if known:
            metrics["drawn/pass_rate"] = statistics.fmean(value == 1.0 for value in known)
        return metrics


def _outcome(task: int, rollouts: Sequence[Rollout]) -> GroupOutcome:
    values = [rollout.verdict.value for rollout in rollouts if rollout.verdict and rollout.verdict.value is not None]
    return GroupOutcome(task, sum(value == 1.0 for value in values), len(values))
