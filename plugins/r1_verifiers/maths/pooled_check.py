"""The check of answers beside a trainer that must not hang: in this process if it takes no algebra, otherwise in worker processes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NamedTuple
from weakref import WeakKeyDictionary

import r1sdk

from .judging import Mode, answer_for, decide
from .signs import MAX_LENGTH

HARMLESS = {"r1": "1", "trl": r"\boxed{1}"}  # an answer whose check takes long only where the gold answer makes it long
KEPT = 20_000  # verdicts, on answers of ordinary length: model output must not fill the trainer's memory


class Question(NamedTuple):
    """Everything that a verdict depends on. `text` is the answer as it was written; in mode "trl" the whole reply."""

    text: str | None
    gold: str
    mode: Mode
    timeout_s: float
    problem: str = ""


_known: dict[Question, r1sdk.Verdict] = {}
_overrunning: set[Question] = set()  # gold answers with a harmless answer
_asked: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Question, asyncio.Task[r1sdk.Verdict]]] = WeakKeyDictionary()
_begun: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Question, asyncio.Event]] = WeakKeyDictionary()


async def judged(reply: str, gold: str, mode: Mode, timeout_s: float, problem: str = "") -> r1sdk.Verdict:
    """The verdict of `check`, where it takes algebra from a worker process that is killed after `timeout_s`.

    Completions of one prompt often give the same answer: each is asked once, and what was judged is remembered.
    """
    if mode == "r1":
        text = answer_for(reply, gold)
        if (verdict := decide(text, gold, problem)) is not None:
            return verdict
    else:
        text = reply
    question = Question(text, gold, mode, timeout_s, problem)
    if (verdict := _known.get(question)) is not None:
        return verdict
    asked = _asked.setdefault(asyncio.get_running_loop(), {})
    if question not in asked:
        asked[question] = asyncio.create_task(_answered(question))
        asked[question].add_done_callback(lambda _: asked.pop(question))
    return await asyncio.shield(asked[question])


async def _answered(question: Question) -> r1sdk.Verdict:
    """The verdict from a worker. Of several answers to one gold answer the first goes alone, in case that the gold answer hangs."""
    harmless = question._replace(text=HARMLESS[question.mode], problem="")
    begun = _begun.setdefault(asyncio.get_running_loop(), {})
    if (first := begun.get(harmless)) is not None:
        await first.wait()
        return await _from_worker(question, harmless)
    begun[harmless] = asyncio.Event()
    try:
        return await _from_worker(question, harmless)
    finally:
        begun.pop(harmless).set()


async def _from_worker(question: Question, harmless: Question) -> r1sdk.Verdict:
    """The verdict from a worker.

    A check that overruns, or needs too much memory, is the fault of the answer, unless the gold answer overruns with a
    harmless one as well. So is a check that breaks its worker twice; once may be somebody else's doing.
    """
    if harmless in _overrunning:
        return _unverifiable(question)
    outcome = await _checked(question)
    if outcome.status == "died":
        outcome = await _checked(question)
    if outcome.status == "ok":
        verdict: r1sdk.Verdict = outcome.value
        if len(question.text or "") <= MAX_LENGTH:
            if len(_known) >= KEPT:
                _known.clear()
            _known[question] = verdict
        return replace(verdict, seconds=outcome.seconds)
    if outcome.status == "raised":
        raise outcome.value
    # Timeouts are not remembered: another time the machine may be less busy.
    if (await _checked(harmless)).status != "ok":
        _overrunning.add(harmless)
        return _unverifiable(question)
    extracted = question.text if question.mode == "r1" else None
    reasons = {"timeout": f"took longer than {question.timeout_s:g} s", "memory": "took too much memory"}
    reason = reasons.get(outcome.status, "broke two workers")
    return r1sdk.Verdict(0.0, "timeout", extracted and extracted.strip()[:MAX_LENGTH], outcome.seconds, reason)


async def _checked(question: Question) -> r1sdk.Outcome:
    from .algebra_worker import check

    return await r1sdk.call_isolated(
        check, question.text, question.gold, question.mode, question.problem, timeout_s=question.timeout_s
    )


def _unverifiable(question: Question) -> r1sdk.Verdict:
    reason = f"with the gold answer {question.gold!r:.80} no check ends within {question.timeout_s:g} s"
    return r1sdk.Verdict(None, "unverifiable", reason=reason)
