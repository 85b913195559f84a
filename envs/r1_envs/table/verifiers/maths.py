"""The verifier `maths`: answers that are numbers, formulas, sets, words or choices, compared by what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import r1sdk

from ...table_io import Row
from ..columns import Columns
from .contract import Posed, gold_answer, in_format

_GSM8K = "####"  # stands before the answer at the end of a solution


@dataclass(frozen=True)
class Maths:
    """Answers checked by `r1_verifiers.maths`, those that take algebra in a worker process."""

    mode: Literal["r1", "trl"] = "r1"  # "trl": as TRL's accuracy_reward judges the whole reply
    timeout_s: float = 5.0  # to check one answer

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.mode not in ("r1", "trl"):
            raise ValueError(f"mode is r1 or trl, got {self.mode!r}")
        if find_spec("math_verify") is None:
            raise r1sdk.R1Error("the verifier maths needs: pip install 'r1sdk[maths]'")

    def pose(self, problem: str, row: Row, columns: Columns) -> Posed:
        return Posed(answer=gold_answer(columns.get("answer", row)).rpartition(_GSM8K)[2].strip())

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        gold = rollout.task.answer
        if gold is None:
            return r1sdk.Verdict(None, "unverifiable", reason="the task has no gold answer")
        from r1_verifiers.maths.pooled_check import judged  # here, because its many patterns take long to compile

        return await judged(rollout.completion.text, gold, self.mode, self.timeout_s)

    def gold_reply(self, task: r1sdk.Task) -> str:
        gold = task.answer or ""
        if self.mode == "trl" and r"\boxed" not in gold:
            gold = rf"\boxed{{{gold.strip().strip('$')}}}"  # elsewhere TRL does not look
        return in_format(gold)
