"""Verify and score saved rollouts again, to try rewards and verifiers without a model, and tally the scores."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..contracts import Environment
from ..records import Rollout, Score
from ..scoring.blocking import run_blocking
from ..scoring.score_rollouts import Rewards, score_rewards, verify
from .statistics import Estimate, estimate

Group = Sequence[Rollout]


def rescore(
    groups: Iterable[Group], environment: Environment | None, rewards: Rewards, chunk: int = 256
) -> Iterator[list[tuple[list[Rollout], list[Score]]]]:
    """Verify and score `groups`, each the rollouts of one prompt, about `chunk` rollouts at a time. Raises: RewardError.

    Yields groups with their scores, in order. Without an environment each rollout keeps its saved verdict.
    """
    waiting: list[Group] = []
    for group in groups:
        waiting.append(group)
        if sum(map(len, waiting)) >= chunk:
            yield run_blocking(_score(waiting, environment, rewards))
            waiting = []
    if waiting:
        yield run_blocking(_score(waiting, environment, rewards))


async def _score(
    groups: Sequence[Group], environment: Environment | None, rewards: Rewards
) -> list[tuple[list[Rollout], list[Score]]]:
    verified = [rollout for group in groups for rollout in group]
    if environment is not None:
        verified = await verify(verified, environment)
    rest = iter(verified)
    regrouped = [[next(rest) for _ in group] for group in groups]
    scored: dict[int, list[Score]] = {}
    for size in {len(group) for group in regrouped}:  # group rewards need groups of one size
        same = [at for at, group in enumerate(regrouped) if len(group) == size]
        scores = await score_rewards([rollout for at in same for rollout in regrouped[at]], rewards, size)
        for nth, at in enumerate(same):
            scored[at] = scores[nth * size : (nth + 1) * size]
    return [(group, scored[at]) for at, group in enumerate(regrouped)]


@dataclass
class Tally:
    """Running totals of scored groups."""

    completions: int = 0
    prompts: int = 0
    statuses: Counter[str] = field(default_factory=Counter)  # verdicts by status; "none": not verified
    values: dict[str, list[list[float | None]]] = field(default_factory=dict)  # by reward, and "total"
    failures: dict[str, Counter[str]] = field(default_factory=dict)  # by reward: its statuses that are not "ok"

    def add(self, rollouts: Sequence[Rollout], scores: Sequence[Score]) -> None:
        """Count the rollouts of one prompt."""
        self.completions += len(rollouts)
        self.prompts += 1
        self.statuses.update(rollout.verdict.status if rollout.verdict else "none" for rollout in rollouts)
        for name in scores[0].rewards if scores else ():
            self.values.setdefault(name, []).append([score.rewards[name] for score in scores])
        self.values.setdefault("total", []).append([score.total for score in scores])
        for score in scores:
            for name, status in score.statuses.items():
                self.failures.setdefault(name, Counter())[status] += 1

    def mean(self, name: str) -> Estimate:
        """Return the mean of a reward, or of the total, with its standard error over prompts."""
        return estimate(self.values.get(name, []))

    def to_json(self) -> dict[str, Any]:
        return {
            "completions": self.completions,
            "prompts": self.prompts,
            "verdicts": dict(self.statuses),
            "rewards": {name: self.distribution(name) for name in self.values if name != "total"},
            "total": self.distribution("total"),
        }

    def distribution(self, name: str) -> Mapping[str, Any]:
        """Return a reward's mean, standard error, n (prompts), minimum, maximum, and how often it was None, and why."""
        values = [value for group in self.values.get(name, []) for value in group]
        known = [value for value in values if value is not None]
        return {
            **asdict(self.mean(name)),
            "min": min(known, default=None),
            "max": max(known, default=None),
            "none": len(values) - len(known),
            "timeout": self.failures.get(name, Counter())["timeout"],
            "error": self.failures.get(name, Counter())["error"],
        }
