"""The work itself: what is missing is asked for, what came is written at once, judged beside, priced, and chosen from."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from ..errors import R1Error
from ..evaluation.attempts import estimate
from ..records import Rollout, Score
from ..scoring.blocking import first_error
from ..scoring.score_rollouts import judge, price
from .card import write_card
from .collected import Collected
from .journal import Key
from .keep import Candidate
from .meter import Meter
from .plan import Plan
from .source import Answer, AnswerSource, Failure
from .work import Work, prompt_digest
from .write import write_rows

JUDGED_TOGETHER = 256
PATIENCE = 64  # answers in a row that may fail before the rest is not tried


def collect(plan: Plan, source: AnswerSource, show: Callable[[Meter], None] | None = None) -> Collected:
    """Every answer that `plan` wants, judged and chosen from; the kept rows and their card on disk.

    Answers that an earlier call left in `plan.work` are not asked for again. Raises: R1Error where the source cannot be had.
    """

    with Work(plan) as work:
        failures: Counter[str] = Counter()
        asyncio.run(_work(work, source, failures, show or (lambda meter: None)))
        collected = _choose(work, failures)
        write_rows(work, collected)
        write_card(collected)
        return collected


async def _work(work: Work, source: AnswerSource, failures: Counter[str], show: Callable[[Meter], None]) -> None:
    queue: asyncio.Queue[Key | None] = asyncio.Queue(maxsize=8 * JUDGED_TOGETHER)
    unanswered = 0  # in a row

    async def emit(come: Answer | Failure) -> None:
        nonlocal unanswered
        if isinstance(come, Answer):
            unanswered = 0
            work.add_answer(come)
            show(work.meter)
            await queue.put(come.wanted.key)
            return
        failures[come.reason] += 1
        unanswered += 1
        work.meter.failed += 1
        show(work.meter)
        if unanswered >= PATIENCE and unanswered >= work.meter.total // 100:
            raise R1Error(f"{unanswered} answers in a row did not come, so the rest was not asked for: {come.reason}")

    async def answer() -> None:
        for key in work.unjudged():
            await queue.put(key)
        if wanted := work.missing():
            await source.run(wanted, emit)
        await queue.put(None)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(answer())
            group.create_task(_judge(work, queue))
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors


async def _judge(work: Work, queue: "asyncio.Queue[Key | None]") -> None:
    """Verdicts for what comes through `queue`, many at a time, in another thread: verifying may take long."""
    more = True
    while more:
        keys = [await queue.get()]
        while not queue.empty() and len(keys) < JUDGED_TOGETHER:
            keys.append(queue.get_nowait())
        more = None not in keys
        known = [key for key in keys if key is not None]
        if known:
            rollouts = [work.rollout(key) for key in known]
            judged = await asyncio.to_thread(_verdicts, rollouts, work.plan)
            for key, rollout in zip(known, judged, strict=True):
                assert rollout.verdict is not None
                work.add_verdict(key, rollout.verdict)


def _verdicts(rollouts: list[Rollout], plan: Plan) -> list[Rollout]:
    return asyncio.run(judge(rollouts, plan.environment))


def _choose(work: Work, failures: Counter[str]) -> Collected:
    """Every answer priced, and the rule applied."""
    plan = work.plan
    scores: dict[Key, Score] = {}
    candidates: list[Candidate] = []
    groups: list[list[float | None]] = []
    empty = 0
    for same in _groups_of_one_size(work):
        rollouts = [work.rollout(key) for keys in same for key in keys]
        priced = iter(asyncio.run(price(rollouts, plan.rewards, len(same[0]))))
        judged = iter(rollouts)
        for keys in same:
            group = [next(judged) for _ in keys]
            values = [rollout.verdict.value if rollout.verdict else None for rollout in group]
            groups.append(list(values))
            for key, rollout, value in zip(keys, group, values, strict=True):
                scores[key] = next(priced)
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
        len(work.unjudged()),
        empty,
        failures,
    )


def _groups_of_one_size(work: Work, together: int = 64) -> Iterator[list[list[Key]]]:
    """The answers to each prompt, prompts with as many answers side by side."""
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
    said = [
        str(message.get("content") or "") for message in rollout.completion.messages
    ]  # turns that lead to it differ
    text = " ".join(" ".join(said).split())
    return prompt_digest(rollout.task) + hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
