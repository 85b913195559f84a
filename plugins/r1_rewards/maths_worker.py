"""The check of mathematical answers for worker processes: importing this module makes math-verify ready to work."""

from r1sdk import Verdict

from . import maths, maths_verify

maths_verify.warm()


def check(text: str | None, gold: str, mode: maths.Mode) -> Verdict:
    """The verdict on an answer as it was written; in mode "trl" on a whole reply."""
    return maths.check_answer(text, gold) if mode == "r1" else maths.check(text or "", gold, mode)
