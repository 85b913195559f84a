"""`summarize`: the figures of verified and scored rollouts, as one `Evaluation` record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..records import Rollout, Score
from ..rollout.sampling import Sampling
from .statistics import Estimate, estimate, groups_of, majority_at_k, mean_of, pass_estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's figures on held-out tasks."""

    accuracy: Estimate  # mean verdict
    rewards: Mapping[str, Estimate]  # by name, before weighting
    pass_at: Mapping[int, Estimate]  # k -> pass@k
    statuses: Mapping[str, int]  # verdicts by status
    samples: int  # completions per task
    tokens: float  # mean completion length
    clipped: float  # share of completions truncated by the token limit
    settings: Mapping[str, Any] = field(default_factory=dict)  # sampling parameters
    majority: Estimate | None = None  # maj@k over all samples; None if no two answers to one task ever agree
    categories: Mapping[str, Mapping[str, Estimate]] = field(
        default_factory=dict
    )  # key of task.info -> value -> accuracy
    loss: Estimate | None = None  # per token of held-out replies, if a run of SFT measured it
    rollouts_file: Path | None = None  # every rollout with its verdict and rewards, one JSON object per line

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        found = asdict(self)
        del found["rollouts_file"]
        if self.loss is None:
            del found["loss"]
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any], rollouts_file: Path | None = None) -> "Evaluation":
        """Read the output of `to_json`."""

        def estimates(value: Mapping[Any, Any]) -> dict[Any, Estimate]:
            return {key: Estimate(**each) for key, each in value.items()}

        return cls(
            accuracy=Estimate(**found["accuracy"]),
            rewards=estimates(found["rewards"]),
            pass_at={int(k): each for k, each in estimates(found["pass_at"]).items()},
            statuses=found["statuses"],
            samples=found["samples"],
            tokens=found["tokens"],
            clipped=found["clipped"],
            settings=found["settings"],
            majority=Estimate(**found["majority"]) if found.get("majority") else None,
            categories={key: estimates(by) for key, by in found.get("categories", {}).items()},
            loss=Estimate(**found["loss"]) if found.get("loss") else None,
            rollouts_file=rollouts_file,
        )


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
