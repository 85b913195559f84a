"""r1sdk's rewards as TRL's reward functions: the batch is scored once, and each reward reads its own column.

With several processes each scores its own completions; the main process logs and keeps them all.

TRL calls `fn(prompts=, completions=, completion_ids=, **dataset_columns) -> list[float | None]` once per reward with the
same `completions` list object, so the identity of that list marks the batch.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...contracts import Environment
from ...errors import RewardError
from ...plugins.trl_functions import OUTSIDE, TRAINER
from ...recipe.key_groups import Limits
from ...records import Completion, Message, Rollout, Score, Task
from ...scoring.score_rollouts import Rewards, score
from ..monitor.batch_metrics import measure
from ..process_group import SINGLE_PROCESS, ProcessGroup

Keep = Callable[..., None]
"""Called with (step, rollouts, scores) of every batch on the main process; with several rounds also with marks for each rollout."""


def task_row(task: Task) -> dict[str, Any]:
    """Return a task as a row of TRL's dataset: its prompt, and the whole task as one JSON column."""
    whole = {"prompt": task.prompt, "answer": task.answer, "info": dict(task.info), "id": task.id}
    return {"prompt": task.prompt, "task": json.dumps(whole, ensure_ascii=False)}


@dataclass
class RewardTable:
    """Scores of the current batch: one row per completion, one column per reward."""

    environment: Environment
    rewards: Rewards
    group_size: int
    limits: Limits = field(default_factory=Limits)
    end_tokens: frozenset[int] = frozenset()  # a completion that ends with none of these is truncated
    opened_think: str = ""  # the start of the reply, where the chat template writes it
    keep: Keep | None = None
    processes: ProcessGroup = SINGLE_PROCESS
    _batch: Any = field(default=None, repr=False)
    _scores: list[Score] = field(default_factory=list, repr=False)
    unjudged: list[bool] = field(default_factory=list, repr=False)  # [B] of the current batch: has no part in training
    rollouts: list[Rollout] = field(default_factory=list, repr=False)  # [B] of the current batch, of this process

    def columns(self) -> list["Column"]:
        """Return one TRL reward function per reward, in order. Their weights go to `GRPOConfig.reward_weights`."""
        return [Column(self, name) for name in self.rewards]

    def scores(
        self,
        completions: Sequence[list[Message]],  # [B]
        completion_ids: Sequence[list[int]],  # [B][T]
        task: Sequence[str],  # [B], the column of `task_row`
        trainer_state: Any = None,
        log_metric: Callable[[str, float], None] | None = None,
        rollout: Sequence[Rollout] | None = None,  # [B], of environments with sessions: see `session_rollouts`
        **others: Any,
    ) -> list[Score]:
        """Return the scores of the batch, [B]; its first call computes them. Raises: RewardError."""
        if completions is not self._batch:
            rows = zip(task, completions, completion_ids, strict=True)
            rollouts = list(rollout or ()) or [
                Rollout(Task(**json.loads(t)), self._completion(messages, ids)) for t, messages, ids in rows
            ]
            given = {"trainer_state": trainer_state, "log_extra": others.get("log_extra"), "log_metric": log_metric}
            asking = TRAINER.set({name: value or OUTSIDE[name] for name, value in given.items()})
            try:
                shares = self.processes.gather_on_main(lambda: self._score(rollouts))
            finally:
                TRAINER.reset(asking)
            step = (trainer_state.global_step if trainer_state else 0) + 1
            judged = [rollout for some, _ in shares for rollout in some]
            scores = [row for _, some in shares for row in some]
            self.processes.run_on_main(lambda: self._take(step, judged, scores, log_metric))
            self._batch = completions
        return self._scores

    @property
    def own_scores(self) -> list[Score]:
        """The scores of the current batch, of this process."""
        return self._scores

    def _score(self, rollouts: list[Rollout]) -> tuple[list[Rollout], list[Score]]:
        """Score the completions of this process."""
        judged, self._scores = score(rollouts, self.environment, self.rewards, self.group_size)
        self.rollouts = judged
        # A service failed: without that reward the rollout would look worse than the others of its prompt. A rollout without
        # any reward has no part in TRL's baseline and no advantage.
        self.unjudged = [
            "error" in row.statuses.values() or (one.verdict is not None and one.verdict.status == "error")
            for one, row in zip(judged, self._scores, strict=True)
        ]
        return judged, self._scores

    def _take(
        self,
        step: int,
        judged: Sequence[Rollout],
        scores: Sequence[Score],
        log_metric: Callable[[str, float], None] | None,
    ) -> None:
        """Log, keep and check the batch of all processes. Raises: RewardError."""
        metrics = measure(judged, scores, self.rewards, self.group_size)
        if log_metric:
            for name, value in metrics.items():
                log_metric(name, value)
        if self.keep:
            self.keep(step, judged, scores)
        self.check(metrics, judged, scores)

    def _completion(self, messages: list[Message], ids: list[int]) -> Completion:
        if self.opened_think and messages:
            first, *rest = messages
            messages = [{**first, "content": self.opened_think + (first["content"] or "")}, *rest]
        return Completion(messages, list(ids), "stop" if ids and ids[-1] in self.end_tokens else "length")

    def check(self, metrics: Mapping[str, float], judged: Sequence[Rollout], scores: Sequence[Score]) -> None:
        """Raises: RewardError if more of the batch than the recipe allows could not be verified or scored."""
        self._check_verdicts(metrics, judged)
        self._check_rewards(metrics, judged, scores)

    def _check_verdicts(self, metrics: Mapping[str, float], judged: Sequence[Rollout]) -> None:
        for status, limit in (("error", self.limits.error), ("unverifiable", self.limits.unverifiable)):
            share = metrics[f"verdict/{status}"]
            if share > limit:
                first = next(r for r in judged if r.verdict and r.verdict.status == status)
                reason = first.verdict.reason if first.verdict else ""
                raise RewardError(
                    f"{share:.0%} of this batch has the verdict {status!r}, more than limits.{status} = {limit:.0%}\n"
                    f"  first: task {first.task.id or first.task.prompt!r:.200}: {reason or 'no reason given'}"
                )

    def _check_rewards(self, metrics: Mapping[str, float], judged: Sequence[Rollout], scores: Sequence[Score]) -> None:
        for name in self.rewards:
            share = metrics[f"rewards/{name}/error"]
            if share > self.limits.error:
                rows = zip(judged, scores, strict=True)
                first, score = next((r, s) for r, s in rows if s.statuses.get(name) == "error")
                raise RewardError(
                    f"reward {name!r} has the status 'error' for {share:.0%} of this batch, more than limits.error = "
                    f"{self.limits.error:.0%}\n  first: task {first.task.id or first.task.prompt!r:.200}: "
                    f"{score.reasons.get(name) or 'no reason given'}"
                )


@dataclass
class Column:
    """One reward of a `RewardTable`, callable as TRL calls it."""

    table: RewardTable
    name: str

    @property
    def __name__(self) -> str:  # TRL logs `rewards/{__name__}/mean`
        return self.name

    def __call__(self, **batch: Any) -> list[float | None]:
        scores = self.table.scores(**batch)
        return [
            None if unjudged else row.rewards[self.name]
            for row, unjudged in zip(scores, self.table.unjudged, strict=True)
        ]
