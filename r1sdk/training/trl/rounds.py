"""Rounds of generation for one batch: the groups that fill it, the others that are kept, and metrics of all."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import RewardError
from ...records import Rollout, Score
from ..monitor.batch_metrics import measure
from .reward_columns import RewardTable
from .task_sampler import GroupOutcome

ZERO_VARIANCE, SURPLUS = "zero variance", "surplus"  # reasons why a group is not trained on


class Group(NamedTuple):
    """One group of completions, by round and index."""

    round: int  # from 0
    at: int  # index in that round, over all processes


@dataclass
class Batch:
    """The groups of a batch, in order. Groups of later rounds replace those with zero reward variance."""

    groups: list[Group]
    lacking: list[int]  # positions in the batch whose group has zero reward variance
    rounds: list[Sequence[bool]]  # [N] of each round: True for groups with reward variance

    @classmethod
    def of(cls, spread: Sequence[bool]) -> "Batch":
        """Return the batch of the first round. Shapes: [N]."""
        groups = [Group(0, at) for at in range(len(spread))]
        return cls(groups, [at for at, has in enumerate(spread) if not has], [spread])

    def refill(self, spread: Sequence[bool]) -> None:
        """Fill open positions with the groups of the next round that have reward variance."""
        number = len(self.rounds)
        self.rounds.append(spread)
        for at, has in enumerate(spread):
            if has and self.lacking:
                self.groups[self.lacking.pop(0)] = Group(number, at)

    def dropped(self) -> list[tuple[Group, str]]:
        """Return the groups that are not trained on, in the order of generation, with the reason."""
        used = set(self.groups)
        made = [(Group(r, at), has) for r, spread in enumerate(self.rounds) for at, has in enumerate(spread)]
        return [(group, SURPLUS if has else ZERO_VARIANCE) for group, has in made if group not in used]


@dataclass
class ScoredRound:
    """One scored round on the main process."""

    tasks: Sequence[int]  # [N] indices in the training data
    rollouts: Sequence[Rollout]  # [N x G]
    scores: Sequence[Score]  # [N x G]


@dataclass
class RoundTable(RewardTable):
    """A `RewardTable` that scores each round as it comes, and logs and keeps all rounds when the batch is complete.

    After each round the recipe's limits on unverified completions are checked over all rounds so far.
    """

    rounds: list[ScoredRound] = field(default_factory=list, repr=False)  # of the current batch, on the main process
    tasks: Sequence[int] = field(default_factory=list, repr=False)  # of the current round

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
        """Return the verdicts of the last round by group, on the main process. Shapes: [N][G]."""
        values = [rollout.verdict.value if rollout.verdict else None for rollout in self.rounds[-1].rollouts]
        return [values[start : start + self.group_size] for start in range(0, len(values), self.group_size)]

    def settle(self, step: int, batch: Batch, log_metric: Callable[[str, float], None]) -> list[GroupOutcome]:
        """Log and keep the rounds, the batch first, and reset. Return the outcome of each group. On the main process."""
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
        """Return metrics of everything that was generated for the batch, in all rounds.

        drawn/rounds           rounds of generation, the first included
        drawn/groups           groups that were generated
        drawn/zero_variance   groups with zero reward variance
        drawn/replaced         zero-variance groups that were replaced by fresh ones
        drawn/remained         zero-variance groups that the batch still has
        drawn/pass_rate        share of the verified completions that were right
        drawn/reward           mean of their weighted totals
        """
        spread = [has for one in batch.rounds for has in one]
        verdicts = [rollout.verdict for one in self.rounds for rollout in one.rollouts]
        known = [verdict.value for verdict in verdicts if verdict is not None and verdict.value is not None]
        metrics = {
            "drawn/rounds": float(len(batch.rounds)),
            "drawn/groups": float(len(spread)),
            "drawn/zero_variance": float(spread.count(False)),
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
