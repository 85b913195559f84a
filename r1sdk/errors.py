"""Errors that you can act on.

The command line prints only their message. Any other exception is a bug and rises with its traceback.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


class R1Error(Exception):
    """Base of every error that is printed without a traceback."""

    problems: tuple["R1Error", ...] = ()  # the errors that this one lists, if it lists several


class RecipeError(R1Error):
    """A recipe with an unknown key, a wrong type, or values that cannot be combined."""

    rest: Any = None  # the recipe without the keys at fault, whose rules can be checked as well; None: it makes none


class PluginError(R1Error):
    """A plugin that registers something invalid (a taken name, a wrong type), or options that it does not have."""


class RewardError(R1Error):
    """A reward or a verifier raised, or returned something other than a number in its range."""


class Unavailable(R1Error):
    """Raised by a reward or a verifier if a service did not answer: the status is `error`, the value None, and the run continues."""


class Unverifiable(R1Error):
    """Raised by a verifier, with the reason, if a task has no readable gold answer, so that no reply can be verified."""


class RunError(R1Error):
    """A run folder that is missing, damaged, in use, or already finished."""


class Interrupted(R1Error):
    """Work that you stopped. Its results so far are saved, and the message says how to resume it."""


class UnknownName(PluginError):
    """A reward, environment, verifier, model, recipe or sandbox that no loaded plugin provides."""

    def __init__(self, kind: str, name: str, known: Iterable[str], failures: Sequence[str] = ()) -> None:
        names = sorted(known)
        lines = [f"unknown {kind} {name!r}{nearest(name, names)}", f"  available: {', '.join(names) or 'none'}"]
        lines += [f"  not loaded: {failure}" for failure in failures]
        super().__init__("\n".join(lines))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'accuracy'?` for the known name closest to `name`, or an empty string."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def raise_all(errors: Sequence[R1Error], kind: type[R1Error] = R1Error) -> None:
    """Raise all errors as one, so that you can fix them together. Returns if there are none."""
    single = (problem for error in errors for problem in (error.problems or (error,)))
    different = list({str(problem): problem for problem in single}.values())
    if len(different) == 1:
        raise different[0]
    if different:
        listed = "\n".join("- " + str(error).replace("\n", "\n  ") for error in different)
        several = kind(f"{len(different)} problems:\n{listed}")
        several.problems = tuple(different)
        raise several
