"""Saved rollouts in, scores and their summary out: rewards and verdicts tried without a model."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..contracts import Environment
from ..records import Rollout, Score
from ..scoring.blocking import run_blocking
from ..scoring.score_rollouts import Rewards, judge, price
from .attempts import Estimate, estimate

Group = Sequence[Rollout]


def rescore(
    groups: Iterable[Group], environment: Environment | None, rewards: Rewards, chunk: int = 256
) -> Iterator[list[tuple[list[Rollout], list[Score]]]]:
    """Judge and price `groups`, the rollouts of one prompt each, about `chunk` rollouts at a time. Raises: RewardError.

    Yields some groups with their scores, in order. Without an environment the verdict that a rollout has stands.
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
    judged = [rollout for group in groups for rollout in group]
    if environment is not None:
        judged = await judge(judged, environment)
    rest = iter(judged)
    whole = [[next(rest) for _ in group] for group in groups]
    scored: dict[int, list[Score]] = {}
    for size in {len(group) for group in whole}:  # group rewards are priced in groups of one size
        same = [at for at, group in enumerate(whole) if len(group) == size]
        scores = await price([rollout for at in same for rollout in whole[at]], rewards, size)
        for nth, at in enumerate(same):
            scored[at] = scores[nth * size : (nth + 1) * size]
    return [(group, scored[at]) for at, group in enumerate(whole)]


@dataclass
class Tally:
    """What scored groups amount to, added up as they come."""

    completions: int = 0
    prompts: int = 0
    statuses: Counter[str] = field(default_factory=Counter)  # verdicts by status; "none": not judged
    values: dict[str, list[list[float | None]]] = field(default_factory=dict)  # by reward, and "total"
    amiss: dict[str, Counter[str]] = field(default_factory=dict)  # by reward: its statuses that are not "ok"

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
                self.amiss.setdefault(name, Counter())[status] += 1

    def mean(self, name: str) -> Estimate:
        """The mean of a reward, or of the total, with its standard error over prompts."""
        return estimate(self.values.get(name, []))

    def to_json(self) -> dict[str, Any]:
        return {
            "completions": self.completions,
            "prompts": self.prompts,
            "verdicts": dict(self.statuses),
            "rewards": {name: self.spread(name) for name in self.values if name != "total"},
            "total": self.spread("total"),
        }

    def spread(self, name: str) -> Mapping[str, Any]:
        """Mean, standard error and n (prompts) of a reward, its least and its most, how often it was None, and why."""
        values = [value for group in self.values.get(name, []) for value in group]
        known = [value for value in values if value is not None]
        return {
            **asdict(self.mean(name)),
            "min": min(known, default=None),
            "max": max(known, default=None),
            "none": len(values) - len(known),
            "timeout": self.amiss.get(name, Counter())["timeout"],
            "error": self.amiss.get(name, Counter())["error"],
        }
