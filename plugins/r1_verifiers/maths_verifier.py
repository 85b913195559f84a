"""The verifier `maths`: answers that are numbers, formulas, sets, words or choices, compared by what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, Literal

import r1sdk

from .cells import cell_text

_GSM8K = "####"  # stands before the answer at the end of a solution
_LAST_NUMBER = re.compile(r"[0-9]{1,15}(?=[^0-9]*\Z)")


@dataclass(frozen=True)
class MathsVerifier:
    """1.0 if the answer equals the gold answer as mathematics, else 0.0. What takes algebra is compared in a worker process."""

    mode: Literal["r1", "trl"] = "r1"  # "trl": as TRL's accuracy_reward judges the whole reply
    timeout_s: float = 5.0  # to check one answer

    reads: ClassVar[Sequence[str]] = ("answer",)

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.mode not in ("r1", "trl"):
            raise ValueError(f"mode is r1 or trl, got {self.mode!r}")
        if find_spec("math_verify") is None:
            raise r1sdk.R1Error("the verifier maths needs: pip install 'r1sdk[maths]'")

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        """Return the answer column as the gold answer; of a whole solution of GSM8K, what stands behind its mark."""
        return r1sdk.Posed(answer=cell_text(row.get("answer")).rpartition(_GSM8K)[2].strip())

    def read_gold(self, task: r1sdk.Task) -> str:
        """Return the text of the gold answer; the workers that compare keep it parsed. Raises: Unverifiable."""
        if task.answer is None:
            raise r1sdk.Unverifiable("the task has no gold answer")
        return task.answer

    async def verify(self, gold: str, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return 1.0 for an answer that equals `gold`, in whatever notation."""
        from .maths.pooled_check import judged  # here, because its many patterns take long to compile

        return await judged(reply.text, gold, self.mode, self.timeout_s)

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """Return the reply that gives the gold answer; None for a task without one."""
        if task.answer is None:
            return None
        gold = task.answer
        if self.mode == "trl" and r"\boxed" not in gold:
            gold = rf"\boxed{{{gold.strip().strip('$')}}}"  # elsewhere TRL does not look
        return r1sdk.reply_with(gold)

    def variants(self, gold: str) -> Iterator[str]:
        """Yield the gold answer with its last number one larger, and ten times as large; without one, another letter or a denial."""
        number = _LAST_NUMBER.search(gold)
        word = gold.strip()
        if number is not None:
            digits = [str(int(number[0]) + 1).zfill(len(number[0]))]
            if int(number[0]) and gold[: number.start()][-1:] not in (
                ".",
                ",",
            ):  # a zero behind a decimal changes nothing
                digits.append(number[0] + "0")
            changed = [gold[: number.start()] + other + gold[number.end() :] for other in digits]
        else:
            changed = [chr(ord(word) + 1) if re.fullmatch("[A-Da-d]", word) else f"not {word}"]
        for text in changed:
            yield rf"\boxed{{{text.strip().strip('$')}}}" if self.mode == "trl" and r"\boxed" not in text else text
