"""Request missing answers, store each on arrival, then verify, score and select them."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from ..errors import R1Error
from ..evaluation.statistics import estimate
from ..records import Rollout, Score
from ..scoring.blocking import first_error, run_blocking
from ..scoring.score_rollouts import score_rewards, verify
from .card import write_card
from .collected import Collected
from .journal import Key
from .keep import Candidate
from .meter import Meter
from .plan import Plan
from .source import Answer, AnswerSource, Failure
from .work import WorkFolder, prompt_digest
from .write import write_rows

VERIFIED_TOGETHER = 256
PATIENCE = 64  # failures in a row after which the remaining answers are not requested


def collect(plan: Plan, source: AnswerSource, show: Callable[[Meter], None] | None = None) -> Collected:
    """Collect, verify, score and select every answer in `plan`, and write the kept rows and their card.

    Answers that an earlier call left in `plan.work` are reused. Raises: R1Error if the source is not available.
    """

    with WorkFolder(plan) as work:
        failures: Counter[str] = Counter()
        run_blocking(_work(work, source, failures, show or (lambda meter: None)), cancels=True)
        collected = _choose(work, failures)
        write_rows(work, collected)
        write_card(collected)
        return collected


async def _work(work: WorkFolder, source: AnswerSource, failures: Counter[str], show: Callable[[Meter], None]) -> None:
    queue: asyncio.Queue[Key | None] = asyncio.Queue(maxsize=8 * VERIFIED_TOGETHER)
    unanswered = 0  # in a row

    async def emit(outcome: Answer | Failure) -> None:
        nonlocal unanswered
        if isinstance(outcome, Answer):
            unanswered = 0
            work.add_answer(outcome)
            show(work.meter)
            await queue.put(outcome.wanted.key)
            return
        failures[outcome.reason] += 1
        unanswered += 1
        work.meter.count_failure(outcome.prompt_tokens, outcome.completion_tokens, outcome.retries)
        show(work.meter)
        if unanswered >= PATIENCE and unanswered >= work.meter.total // 100:
            raise R1Error(f"{unanswered} answers in a row failed, so the rest was not requested: {outcome.reason}")

    async def answer() -> None:
        for key in work.unverified():
            await queue.put(key)
        if wanted := work.missing():
            await source.run(wanted, emit)
        await queue.put(None)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(answer())
            group.create_task(_verify(work, queue))
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors


async def _verify(work: WorkFolder, queue: "asyncio.Queue[Key | None]") -> None:
    """Verify the answers that arrive through `queue`, many at a time, in another thread because it may take long."""
    more = True
    while more:
        keys = [await queue.get()]
        while not queue.empty() and len(keys) < VERIFIED_TOGETHER:
            keys.append(queue.get_nowait())
        more = None not in keys
        known = [key for key in keys if key is not None]
        if known:
            rollouts = [work.rollout(key) for key in known]
            verified = await asyncio.to_thread(_verdicts, rollouts, work.plan)
            for key, rollout in zip(known, verified, strict=True):
                assert rollout.verdict is not None
                work.add_verdict(key, rollout.verdict)


def _verdicts(rollouts: list[Rollout], plan: Plan) -> list[Rollout]:
    return run_blocking(verify(rollouts, plan.environment))


def _choose(work: WorkFolder, failures: Counter[str]) -> Collected:
    """Score every answer and apply the rule."""
    plan = work.plan
    scores: dict[Key, Score] = {}
    candidates: list[Candidate] = []
    groups: list[list[float | None]] = []
    empty = 0
    for same in _groups_of_one_size(work):
        rollouts = [work.rollout(key) for keys in same for key in keys]
        scored = iter(run_blocking(score_rewards(rollouts, plan.rewards, len(same[0]))))
        verified = iter(rollouts)
        for keys in same:
            group = [next(verified) for _ in keys]
            values = [rollout.verdict.value if rollout.verdict else None for rollout in group]
            groups.append(list(values))
            for key, rollout, value in zip(keys, group, values, strict=True):
                scores[key] = next(scored)
                if not rollout.completion.text.strip():
                    empty += 1
                    continue
                tokens = len(rollout.completion.token_ids) or len(rollout.completion.text)
                candidates.append(Candidate(*key, value, scores[key].total, tokens, _digest(rollout)))
    return Collected(
        plan,
        plan.keep.choose(candidates),
        scores,
        work.meter,
        estimate(groups),
        len(work.unverified()),
        empty,
        failures,
    )


def _groups_of_one_size(work: WorkFolder, together: int = 64) -> Iterator[list[list[Key]]]:
    """Return the answers grouped by prompt, in batches of prompts that have the same number of answers."""
    batch: list[list[Key]] = []
    for _, keys in groupby(work.present(), key=lambda key: key[0]):
        group = list(keys)
        if batch and (len(batch) == together or len(batch[0]) != len(group)):
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def _digest(rollout: Rollout) -> bytes:
    # The digest covers every turn: attempts that reach one answer by different turns are not duplicates.
    texts = [str(message.get("content") or "") for message in rollout.completion.messages]
    text = " ".join(" ".join(texts).split())
    return prompt_digest(rollout.task) + hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
