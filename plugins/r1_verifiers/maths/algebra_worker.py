"""The check of mathematical answers for worker processes: importing this module makes math-verify ready to work."""

from r1sdk import Verdict

from . import equivalence
from .judging import Mode, check_answer
from .judging import check as check_reply

equivalence.warm()


def check(text: str | None, gold: str, mode: Mode, problem: str = "") -> Verdict:
    """The verdict on an answer as it was written; in mode "trl" on a whole reply."""
    return check_answer(text, gold, problem) if mode == "r1" else check_reply(text or "", gold, mode)
