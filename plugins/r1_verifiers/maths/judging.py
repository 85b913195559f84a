r"""The check of mathematical answers, on math-verify with its known misjudgements put right.

`check` may hang on what a model wrote: call it in a worker process. `decide` does not, and answers what takes no algebra.
"""

from functools import lru_cache
from typing import Literal

import r1sdk

from . import numbers
from .extract import answer_text
from .reading import Reading, read_answer, read_gold
from .signs import MAX_LENGTH, Refused
from .units import differ

Mode = Literal["r1", "trl"]


def check(reply: str, gold: str, mode: Mode = "r1") -> r1sdk.Verdict:
    r"""1.0 if the answer that `reply` gives equals `gold`, else 0.0 with the reason; `unverifiable` if `gold` cannot be read.

    Mode "r1": the answer is in the answer tag, or in the last `\boxed` after the think block. Numbers, fractions, decimals
    (six places count), percentages, units, sets, intervals, tuples, matrices, equations, words, and choices of A to E.

    Mode "trl": math-verify's verdict on the whole reply, thinking included, as TRL's `accuracy_reward` computes it.
    """
    if mode == "trl":
        from . import verify

        return verify.trl_verdict(reply, gold)
    return check_answer(answer_text(reply), gold)


def check_answer(written: str | None, gold: str) -> r1sdk.Verdict:
    """The verdict of mode "r1" on an answer as it was written; None: there is none."""
    return _judge(written, gold, fast=True, slow=True)


def decide(written: str | None, gold: str) -> r1sdk.Verdict | None:
    """The verdict of mode "r1" where it takes no algebra, in time linear in the answer; None where it does."""
    try:
        return _judge(written, gold, fast=True, slow=False)
    except _NeedsAlgebra:
        return None


class _NeedsAlgebra(Exception):
    """Only math-verify can tell."""


def _judge(written: str | None, gold: str, fast: bool, slow: bool) -> r1sdk.Verdict:
    """The verdict. `fast`: plain numbers are compared as such. `slow`: math-verify may be asked. Raises: _NeedsAlgebra."""
    known = _gold(gold)
    if isinstance(known, str):
        return r1sdk.Verdict(None, "unverifiable", reason=f"the gold answer {gold!r:.80}: {known}")
    if _is_algebra(known):
        if not slow:
            raise _NeedsAlgebra
        from . import verify

        if not verify.parsed_gold(known.text):
            return r1sdk.Verdict(None, "unverifiable", reason=f"the gold answer {gold!r:.80} cannot be read")
    if written is None or not written.strip():
        return r1sdk.Verdict(0.0, reason="no answer")
    try:
        reason = _compare(written, known, gold, fast, slow)
    except Refused as refused:
        reason = str(refused)
    return r1sdk.Verdict(0.0 if reason else 1.0, extracted=written.strip()[:MAX_LENGTH], reason=reason)


@lru_cache(maxsize=16384)
def _gold(gold: str) -> Reading | str:
    """What a gold answer says, or why it says nothing. It may be a whole solution with its answer in a box."""
    try:
        return read_gold(answer_text(gold) or gold)
    except Refused as refused:
        return str(refused)


def _is_algebra(gold: Reading) -> bool:
    return gold.kind == "maths" and not gold.base and numbers.number(gold.text) is None


def _compare(written: str, gold: Reading, original: str, fast: bool, slow: bool) -> str:
    """Why an answer is wrong, "" if it is right. Raises: Refused, _NeedsAlgebra."""
    answer = read_answer(written, gold)
    wrong = f"is not {original:.80}"
    if gold.kind != "maths" or gold.base:
        # A number to another base than ten says so, or the question does.
        return "" if answer.text == gold.text and answer.base in ("", gold.base) else wrong
    if answer.base not in ("", "10"):
        return f"is a number to base {answer.base}"
    if differ(answer.unit, gold.unit):
        return f"is in {answer.unit}, not in {gold.unit}"
    if fast:
        ours, theirs = numbers.number(answer.text), numbers.number(gold.text)
        if ours and theirs and (same := numbers.equal(ours, theirs)) is not None:
            return "" if same else wrong
    if not slow:
        raise _NeedsAlgebra
    from . import verify

    return verify.equal(answer.text, gold.text).reason
