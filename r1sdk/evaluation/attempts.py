"""`attempts`: let a model attempt tasks, a chunk at a time, and verify and score the rollouts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from ..contracts import Environment
from ..recipe.key_groups import SessionLimits
from ..records import Rollout, Score, Task
from ..rollout.loop import attempt_all
from ..rollout.sampling import Generator, Sampling
from ..scoring.score_rollouts import Rewards, score
from .evaluation_summary import Evaluation, summarize

Progress = Callable[[int, int], None]
"""Called with (tasks done, tasks in all)."""


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
    """Attempt every task `sampling.samples` times, then verify and score the rollouts, a chunk of tasks at a time.

    Each yield holds the rollouts and scores of some complete tasks, with the samples of a task consecutive. The first
    `done` tasks are skipped; if these are whole chunks, the remaining rollouts are the same as without skipping.
    `limits` apply to attempts of several turns.
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
    """Return the number of tasks that are attempted together."""
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
    """Return the model's figures on the first `limit` tasks. `keep` receives every rollout with its score."""
    rollouts: list[Rollout] = []
    scores: list[Score] = []
    for some, scored in attempts(list(islice(tasks, limit)), environment, rewards, generator, sampling, progress):
        rollouts += some
        scores += scored
        if keep:
            keep(some, scored)
    return summarize(rollouts, scores, sampling)
