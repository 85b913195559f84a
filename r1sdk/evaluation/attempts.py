"""A task set and a Generator in, an `Evaluation` out: accuracy with its uncertainty, rewards, pass@k, maj@k, categories."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..recipe.key_groups import SessionLimits
from ..records import Rollout, Score, Task, Verdict
from ..rollout.loop import attempt_all
from ..rollout.sampling import Generator, Sampling
from ..scoring.score_rollouts import Rewards, score

Progress = Callable[[int, int], None]
"""Called with (tasks done, tasks in all)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`mean` with `stderr`, its standard error over tasks; None where nothing was measured."""

    mean: float | None
    stderr: float | None
    n: int  # tasks that have a value

    def __str__(self) -> str:
        if self.mean is None:
            return f"not measured (n={self.n})"
        spread = "" if self.stderr is None else f" ± {self.stderr:.3f}"
        return f"{self.mean:.3f}{spread} (n={self.n})"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a model does on held-out tasks."""

    accuracy: Estimate
    rewards: Mapping[str, Estimate]  # by name
    pass_at: Mapping[int, Estimate]  # k -> pass@k
    statuses: Mapping[str, int]  # verdicts by status
    samples: int  # completions per task
    tokens: float  # mean completion length
    clipped: float  # share of completions cut by the token limit
    settings: Mapping[str, Any] = field(default_factory=dict)  # how completions were sampled
    majority: Estimate | None = None  # maj@k over all samples; None where no two answers to one task ever agree
    categories: Mapping[str, Mapping[str, Estimate]] = field(
        default_factory=dict
    )  # accuracy by what a task's info says
    loss: Estimate | None = None  # per token of held-out replies, where a run of SFT measured it
    rollouts_file: Path | None = None  # every rollout with its verdict and rewards, one JSON object a line

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON."""
        found = asdict(self)
        del found["rollouts_file"]
        if self.loss is None:
            del found["loss"]
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any], rollouts_file: Path | None = None) -> "Evaluation":
        """Read what `to_json` made."""

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


def attempts(
    tasks: Sequence[Task],
    environment: Environment,
    rewards: Rewards,
    generator: Generator,
    sampling: Sampling,
    progress: Progress | None = None,
    chunk: int = 128,
    done: int = 0,
    limits: SessionLimits | None = None,
) -> Iterator[tuple[list[Rollout], list[Score]]]:
    """Every task attempted `sampling.samples` times, judged and priced, a chunk of tasks at a time.

    Each yield: the rollouts and scores of some whole tasks, the samples of a task side by side. The first `done` tasks are left
    out; where whole chunks are, the rest comes out as it would have. `limits`: of attempts of several turns.
    """
    per_chunk = tasks_per_chunk(sampling.samples, chunk)
    for start in range(done, len(tasks), per_chunk):
        some = tasks[start : start + per_chunk]
        seeded = Sampling(**{**asdict(sampling), "seed": sampling.seed * 1_000_003 + start})
        rollouts = attempt_all(some, environment, generator, seeded, limits)
        yield score(rollouts, environment, rewards, sampling.samples)
        if progress:
            progress(start + len(some), len(tasks))


def tasks_per_chunk(samples: int, chunk: int = 128) -> int:
    """How many tasks are attempted together."""
    return max(1, chunk // samples)


def evaluate(
    tasks: Iterable[Task],
    environment: Environment,
    rewards: Rewards,
    generator: Generator,
    sampling: Sampling,
    limit: int | None = None,
    progress: Progress | None = None,
    keep: Callable[[list[Rollout], list[Score]], None] | None = None,
) -> Evaluation:
    """The model's accuracy and rewards on the first `limit` of `tasks`. `keep` is given every rollout with its score."""
    rollouts: list[Rollout] = []
    scores: list[Score] = []
    for some, priced in attempts(list(islice(tasks, limit)), environment, rewards, generator, sampling, progress):
        rollouts += some
        scores += priced
        if keep:
            keep(some, priced)
    return summarize(rollouts, scores, sampling)


def summarize(
    rollouts: Sequence[Rollout], scores: Sequence[Score], sampling: Sampling, by: Sequence[str] = ("env", "category")
) -> Evaluation:
    """The figures of judged rollouts, `sampling.samples` per task side by side; `by`: keys of a task's info to part them by."""
    k = sampling.samples
    verdicts = [rollout.verdict for rollout in rollouts]
    values = [verdict.value if verdict else None for verdict in verdicts]
    names = list(scores[0].rewards) if scores else []
    return Evaluation(
        accuracy=estimate(_groups(values, k)),
        rewards={name: estimate(_groups([s.rewards[name] for s in scores], k)) for name in names},
        pass_at={i: _pass_estimate(_groups(values, k), i) for i in _powers(k)},
        statuses=dict(Counter(verdict.status for verdict in verdicts if verdict)),
        samples=k,
        tokens=_mean([len(rollout.completion.token_ids) for rollout in rollouts]),
        clipped=_mean([rollout.completion.finish == "length" for rollout in rollouts]),
        settings=asdict(sampling),
        majority=majority_at_k([rollout.verdict for rollout in rollouts], k),
        categories={key: found for key in by if (found := _categories(rollouts, values, k, key))},
    )


def majority_at_k(verdicts: Sequence[Verdict | None], k: int) -> Estimate | None:
    """How often the most frequent answer to a task is right, of k answers; equally frequent ones share the vote.

    An attempt without an answer has no vote; a task where none has is wrong. Answers are one where the judge read the same text,
    case and spaces aside. None for k = 1, and where no two answers to one task ever agree, as with programs: nothing is voted on.
    """
    if k < 2:
        return None
    shares: list[list[float | None]] = []
    agree = False
    for group in _groups(verdicts, k):
        votes: dict[str, list[float]] = {}
        for verdict in group:
            if verdict is not None and verdict.value is not None and verdict.extracted:
                votes.setdefault(" ".join(verdict.extracted.split()).casefold(), []).append(verdict.value)
        if all(verdict is None or verdict.value is None for verdict in group):
            shares.append([None])
            continue
        most = max((len(values) for values in votes.values()), default=0)
        agree = agree or most > 1
        winners = [_mean(values) for values in votes.values() if len(values) == most]
        shares.append([_mean(winners)])
    return estimate(shares) if agree else None


def _categories(rollouts: Sequence[Rollout], values: Sequence[float | None], k: int, key: str) -> dict[str, Estimate]:
    """The accuracy of the tasks of each category, by name; empty where the tasks have none, or one only."""
    groups: dict[str, list[Sequence[float | None]]] = {}
    for rollout, group in zip(rollouts[::k], _groups(values, k), strict=True):
        name = rollout.task.info.get(key)
        if name is not None:
            groups.setdefault(str(name), []).append(group)
    return {name: estimate(groups[name]) for name in sorted(groups)} if len(groups) > 1 else {}


def estimate(groups: Sequence[Sequence[float | None]]) -> Estimate:
    """The mean over tasks of each task's mean, with the standard error over tasks. None values are left out."""
    means = [_mean(known) for group in groups if (known := [value for value in group if value is not None])]
    if not means:
        return Estimate(None, None, 0)
    mean = _mean(means)
    if len(means) < 2:
        return Estimate(mean, None, len(means))
    variance = sum((value - mean) ** 2 for value in means) / (len(means) - 1)
    return Estimate(mean, math.sqrt(variance / len(means)), len(means))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The chance that k of n attempts, drawn without replacement, hold a correct one.

    The unbiased estimator of Eq. (1) of Chen et al. 2021 (arXiv 2107.03374). Requires k <= n.
    """
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def _pass_estimate(groups: Sequence[Sequence[float | None]], k: int) -> Estimate:
    known = [[value for value in group if value is not None] for group in groups]
    return estimate([[pass_at_k(len(g), sum(v == 1.0 for v in g), k)] for g in known if len(g) >= k])


def _powers(k: int) -> list[int]:
    """1, 2, 4 ... up to k, and k itself."""
    return sorted({*(2**i for i in range(k.bit_length()) if 2**i <= k), k})


def _groups(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
