"""The check of mathematical answers for worker processes: importing this module makes math-verify ready to work."""

from r1sdk import Verdict

from . import maths, maths_verify

maths_verify.warm()


def check(reply: str, gold: str, mode: maths.Mode) -> Verdict:
    """As `maths.check`."""
    return maths.check(reply, gold, mode)
