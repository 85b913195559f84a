"""The verifier `exact`: the same words as a gold answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import r1sdk
from r1_verifiers.maths.extract import answer_text

from ...table_io import Row
from ..columns import Columns
from .contract import Posed, gold_answer, in_format

MAX_LENGTH = 4096  # characters of an answer that are looked at


@dataclass(frozen=True)
class Exact:
    """1.0 if the answer has the same text as the gold answer, or as one of a list of them. Whitespace is free."""

    ignore_case: bool = True
    ignore_stop: bool = True  # a full stop at the end

    def pose(self, problem: str, row: Row, columns: Columns) -> Posed:
        value = columns.get("answer", row)
        if isinstance(value, Sequence) and not isinstance(value, str):
            accepted = [gold_answer(one) for one in value]
            return Posed(answer=accepted[0] if accepted else "", info={"accepted": accepted})
        return Posed(answer=gold_answer(value))

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        golds = {self._plain(gold) for gold in rollout.task.info.get("accepted", [rollout.task.answer or ""])} - {""}
        if not golds:
            return r1sdk.Verdict(None, "unverifiable", reason="the gold answer is empty")
        written = answer_text(rollout.completion.text)
        if written is None or not written.strip():
            return r1sdk.Verdict(0.0, reason="no answer")
        if len(written) > MAX_LENGTH:
            return r1sdk.Verdict(0.0, extracted=written[:MAX_LENGTH], reason=f"longer than {MAX_LENGTH} characters")
        is_right = self._plain(written) in golds
        reason = "" if is_right else f"is not {json.dumps(rollout.task.answer, ensure_ascii=False):.80}"
        return r1sdk.Verdict(float(is_right), extracted=written.strip(), reason=reason)

    def gold_reply(self, task: r1sdk.Task) -> str:
        return in_format(task.answer or "")

    def _plain(self, text: str) -> str:
        words = " ".join(text.split())
        words = words.removesuffix(".") if self.ignore_stop else words
        return words.casefold() if self.ignore_case else words
