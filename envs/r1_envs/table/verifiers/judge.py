"""The verifier `judge`: another model says whether the answer is the gold answer, or what it earns by a rubric."""

from __future__ import annotations

from dataclasses import dataclass

import r1sdk
from r1_rewards import ModelJudge

from ...table_io import Row
from ..columns import Columns
from .contract import Posed, gold_answer


@dataclass(frozen=True)
class Judge(ModelJudge):
    """The points that a model behind an OpenAI-compatible server gives; its options are those of the reward `model_judge`."""

    def pose(self, problem: str, row: Row, columns: Columns) -> Posed:
        value = columns.find("answer", row) if self.rubric else columns.get("answer", row)
        return Posed(answer=None if value is None else gold_answer(value))

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Raises: Unavailable where the judge does not answer."""
        value = await self(rollout)
        if value is None:
            return r1sdk.Verdict(None, "unverifiable", reason="neither a gold answer nor a rubric")
        return r1sdk.Verdict(value, extracted=(r1sdk.extract_answer(rollout.completion.text) or "")[:2048] or None)

    def gold_reply(self, task: r1sdk.Task) -> None:
        """Nothing: a question to a server for each task would cost more than it tells."""
        return
