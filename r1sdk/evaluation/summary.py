"""`summarize`: the figures of verified and scored rollouts, as one `Evaluation` record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..records import Rollout, Score
from ..rollout.sampling import Sampling
from .statistics import Estimate, estimate, groups_of, majority_at_k, mean_of, pass_estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's figures on held-out tasks."""

    accuracy: Estimate
    rewards: Mapping[str, Estimate]
    pass_at: Mapping[int, Estimate]  # k -> pass@k
    statuses: Mapping[str, int]  # verdicts by status
    samples: int  # completions per task
    tokens: float  # mean completion length
    clipped: float  # share of completions truncated by the token limit
    settings: Mapping[str, Any] = field(default_factory=dict)
    majority: Estimate | None = None  # maj@k over all samples; None if no two answers to one task ever agree
    categories: Mapping[str, Mapping[str, Estimate]] = field(
        default_factory=dict
    )  # key of task.info -> value -> accuracy

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summarize(
    rollouts: Sequence[Rollout], scores: Sequence[Score], sampling: Sampling, by: Sequence[str] = ("env", "category")
) -> Evaluation:
    """Return the figures of verified rollouts, in groups of `sampling.samples` per task.

    `by`: keys of `task.info` to group the accuracy by.
    """
    k = sampling.samples
    verdicts = [rollout.verdict for rollout in rollouts]
    values = [verdict.value if verdict else None for verdict in verdicts]
    names = list(scores[0].rewards) if scores else []
    return Evaluation(
        accuracy=estimate(groups_of(values, k)),
        rewards={name: estimate(groups_of([s.rewards[name] for s in scores], k)) for name in names},
        pass_at={i: pass_estimate(groups_of(values, k), i) for i in _powers(k)},
        statuses=dict(Counter(verdict.status for verdict in verdicts if verdict)),
        samples=k,
        tokens=mean_of([len(rollout.completion.token_ids) for rollout in rollouts]),
        clipped=mean_of([rollout.completion.finish == "length" for rollout in rollouts]),
        settings=asdict(sampling),
        majority=majority_at_k([rollout.verdict for rollout in rollouts], k),
        categories={key: found for key in by if (found := _categories(rollouts, values, k, key))},
    )


def _categories(rollouts: Sequence[Rollout], values: Sequence[float | None], k: int, key: str) -> dict[str, Estimate]:
    """Return the accuracy of each category by name; empty if the tasks have fewer than two categories."""
    groups: dict[str, list[Sequence[float | None]]] = {}
    for rollout, group in zip(rollouts[::k], groups_of(values, k), strict=True):
        name = rollout.task.info.get(key)
        if name is not None:
            groups.setdefault(str(name), []).append(group)
    return {name: estimate(groups[name]) for name in sorted(groups)} if len(groups) > 1 else {}


def _powers(k: int) -> list[int]:
    """Return 1, 2, 4 ... up to k, and k itself."""
    return sorted({*(2**i for i in range(k.bit_length()) if 2**i <= k), k})
