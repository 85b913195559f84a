"""The verifier `exact`: the same words as a gold answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import r1sdk

from .cells import cell_text

MAX_LENGTH = 4096  # characters of an answer that are looked at


class AcceptedTexts(NamedTuple):
    """The gold answers of one task."""

    shown: str  # the first, for reasons
    plain: frozenset[str]  # all, in the form in which texts are compared


@dataclass(frozen=True)
class ExactVerifier:
    """1.0 if the answer has the same text as the gold answer, or as one of a list of them, else 0.0. Whitespace is free."""

    ignore_case: bool = True
    ignore_stop: bool = True  # a full stop at the end

    reads: ClassVar[Sequence[str]] = ("answer",)

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        """Return the answer column as the gold answer; a list makes every one of its values right."""
        value = row.get("answer")
        if isinstance(value, Sequence) and not isinstance(value, str):
            accepted = [cell_text(one) for one in value]
            return r1sdk.Posed(answer=accepted[0] if accepted else "", info={"accepted": accepted})
        return r1sdk.Posed(answer=cell_text(value))

    def read_gold(self, task: r1sdk.Task) -> AcceptedTexts:
        """Return the texts that are right. Raises: Unverifiable where all of them are empty."""
        accepted = frozenset(self._plain(text) for text in task.info.get("accepted", [task.answer or ""])) - {""}
        if not accepted:
            raise r1sdk.Unverifiable("the gold answer is empty")
        return AcceptedTexts(task.answer or "", accepted)

    def verify(self, gold: AcceptedTexts, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return 1.0 for one of the accepted texts."""
        from .maths.extract import answer_text

        written = answer_text(reply.text)
        if written is None or not written.strip():
            return r1sdk.Verdict(0.0, reason="no answer")
        if len(written) > MAX_LENGTH:
            return r1sdk.Verdict(0.0, extracted=written[:MAX_LENGTH], reason=f"longer than {MAX_LENGTH} characters")
        is_right = self._plain(written) in gold.plain
        reason = "" if is_right else f"is not {json.dumps(gold.shown, ensure_ascii=False):.80}"
        return r1sdk.Verdict(float(is_right), extracted=written.strip(), reason=reason)

    def variants(self, gold: AcceptedTexts) -> Iterator[str]:
        """Yield the gold answer with a word more and with a letter less, where that is none of the accepted ones."""
        for text in (f"{gold.shown.rstrip(' .')} not", gold.shown.rstrip(" .")[:-1]):
            if self._plain(text) not in gold.plain:
                yield text

    def _plain(self, text: str) -> str:
        words = " ".join(text.split())
        words = words.removesuffix(".") if self.ignore_stop else words
        return words.casefold() if self.ignore_case else words
