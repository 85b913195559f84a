"""The reward `reasoning_steps`: whether the reasoning is laid out in steps."""

import re
from dataclasses import dataclass

import r1sdk

from .measures import reasoning

_MARK = re.compile(
    r"\bStep[ ](?P<step>\d{1,4}):"
    r"|^[ \t]*(?P<item>\d{1,4})\.(?=\s)"
    r"|^[ \t]*[-*][ \t]+(?P<bullet>\S[^\n]*)"
    r"|\b(?P<word>First|Second|Next|Finally),",
    re.ASCII | re.MULTILINE,
)
_ORIGINAL = re.compile(r"^\d+\.|Step \d+:|\n[-*]|(?:First|Second|Next|Finally),")


@dataclass(frozen=True)
class ReasoningSteps:
    """0.0 to 1.0: the number of different step marks in the reasoning over `steps`, and no more than 1.0.

    Marks are `Step 2:`, a numbered or bulleted line, and `First,` `Second,` `Next,` `Finally,`.

    After Open-R1's `reasoning_steps_reward`, min(1, marks / 3). That one finds a number only at the very start of the
    completion, reads negative numbers on lines of their own as bullets, looks into the answer too, and counts a mark
    again whenever it is repeated, so that `First, First, First,` earns 1.0; `original=True` does as well.

    It counts marks. It does not see whether a step follows from the one before.
    """

    steps: int = 3  # different marks that earn 1.0
    original: bool = False  # count as Open-R1 does

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        text = rollout.completion.text
        found = sum(1 for _ in _ORIGINAL.finditer(text)) if self.original else len(_marks(reasoning(text)))
        return min(1.0, found / self.steps)


def _marks(text: str) -> set[tuple[str, str]]:
    """The different marks of a text. `Step 2:` and `2.` are one mark; bullets differ by their text."""
    marks = set()
    for found in _MARK.finditer(text):
        kind = found.lastgroup or ""
        said = found[kind].strip().lower()
        marks.add(("number", said.lstrip("0")) if kind in ("step", "item") else (kind, said))
    return marks
