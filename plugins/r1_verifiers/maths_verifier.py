"""The verifier `maths`: answers that are numbers, formulas, sets, words or choices, compared by meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Literal, NamedTuple

import r1sdk

from .cells import cell_text

_GSM8K = "####"  # stands before the answer at the end of a solution
_OPTION = re.compile(r"\(?[A-J]\)?")


class MathsGold(NamedTuple):
    """A gold answer as it is written, and the problem: a left side that stands in it may name the answer."""

    text: str
    problem: str


@dataclass(frozen=True)
class MathsVerifier:
    """1.0 if the answer equals the gold answer as mathematics, else 0.0. Comparisons that take algebra run in a worker process."""

    mode: Literal["r1", "trl"] = "r1"  # "trl": as TRL's accuracy_reward judges the whole reply
    timeout_s: float = 5.0  # to check one answer

    reads: ClassVar[Sequence[str]] = ("answer",)  # and `choices`, to see whether an answer is the letter of one

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.mode not in ("r1", "trl"):
            raise ValueError(f"mode is r1 or trl, got {self.mode!r}")
        if find_spec("math_verify") is None:
            raise r1sdk.R1Error("the verifier maths needs: pip install 'r1sdk[maths]'")

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        """Return the answer column as the gold answer; of a whole solution of GSM8K, the part after its mark.

        A list of answers is one answer of several parts. Raises: R1Error for an object, and for the letter of an option that
        the problem does not show.
        """
        value = row.get("answer")
        if isinstance(value, Mapping):
            raise r1sdk.R1Error(
                f"the answer is an object with the keys {', '.join(map(str, value))}: a text was expected"
            )
        if isinstance(value, Sequence) and not isinstance(value, str):
            texts = [cell_text(one).strip() for one in value]
            return r1sdk.Posed(answer=texts[0] if len(texts) == 1 else cell_text(texts))
        answer = cell_text(value).rpartition(_GSM8K)[2].strip()
        if _OPTION.fullmatch(answer) and (options := row.find("choices")) and not _shows(row.problem, options):
            raise r1sdk.R1Error(
                f"the answer is {answer}, and the problem does not show the options"
                "\n  set the option verifier to choice, which lists them below the problem"
            )
        return r1sdk.Posed(answer=answer)

    def read_gold(self, task: r1sdk.Task) -> MathsGold:
        """Return the gold answer and the problem. Raises: Unverifiable where it says nothing that can be verified."""
        if task.answer is None:
            raise r1sdk.Unverifiable("the task has no gold answer")
        if self.mode == "r1":
            from .maths.judging import gold_value

            try:
                gold_value(task.answer)
            except ValueError as error:
                raise r1sdk.Unverifiable(f"the gold answer {task.answer!r:.80}: {error}") from None
        asked = "\n".join(str(message["content"]) for message in task.prompt if message["role"] == "user")
        return MathsGold(task.answer, asked)

    async def verify(self, gold: MathsGold, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return 1.0 for an answer that equals `gold`, in whatever notation."""
        from .maths.pooled_check import judged  # here, because its many patterns take long to compile

        return await judged(reply.text, gold.text, self.mode, self.timeout_s, gold.problem)

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """Return the reply that gives the gold answer; None for a task without one."""
        if task.answer is None:
            return None
        gold = task.answer
        if self.mode == "trl" and r"\boxed" not in gold:
            gold = rf"\boxed{{{gold.strip().strip('$')}}}"  # elsewhere TRL does not look
        return r1sdk.reply_with(gold)

    def variants(self, gold: MathsGold) -> Iterator[str]:
        """Yield wrong answers close to `gold`: a number changed, a sign, a unit, an item dropped, a fraction upside down."""
        from .maths import variants

        for text in variants(gold.text):
            yield rf"\boxed{{{text.strip().strip('$')}}}" if self.mode == "trl" and r"\boxed" not in text else text


def _shows(problem: str, options: Any) -> bool:
    """Return True if the text of the problem holds its options."""
    texts = options if isinstance(options, Sequence) and not isinstance(options, str) else [options]
    return all(cell_text(text).strip() in problem for text in texts)
