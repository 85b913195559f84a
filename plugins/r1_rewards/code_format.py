"""The reward `code_format`: the reply format, with a fenced block of the right language in the answer."""

import re
from dataclasses import dataclass

import r1sdk
from r1_verifiers import find_blocks, language_name


@dataclass(frozen=True)
class CodeFormat:
    """1.0 if the reply keeps the format and its answer holds a program in a fenced block, else 0.0.

    The block is found as the verifier `code` finds it, so that the two agree on every reply: it is closed and holds something, and
    its tag names the language in any of its usual spellings (`py`, `Python3`, `C++17`); one without a tag counts where no block names
    the language. The language is the task's (`language` of its `info`) or else the option's. What is in the block is not looked at.

    After Open-R1's `get_code_format_reward`, in which `r` is found in `rust` and `java` in `javascript`, a block may start in
    the middle of a line, and text may follow the answer: `original=True`, with newlines required at each tag.
    """

    language: str = "python"  # of tasks that name none
    think_is_open: bool = False  # the completion begins inside a think block whose `<think>` the record does not show
    original: bool = False  # read as Open-R1 does

    def __post_init__(self) -> None:
        if not self.language.strip():
            raise ValueError("language must not be empty")

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        text = rollout.completion.text
        language = str(rollout.task.info.get("language") or self.language)
        if self.think_is_open:
            text = "<think>\n" + text
        if self.original:
            return float(_original(text, language))
        return float(r1sdk.parse_reply(text) is not None and bool(find_blocks(text, language_name(language))))


def _original(text: str, language: str) -> bool:
    """Open-R1's pattern, found piece by piece: as a regular expression, hostile text would take cubic time."""
    if not text.startswith("<think>\n"):
        return False
    at = len("<think>\n")
    for piece in ("\n</think>\n<answer>\n", f"```{language}", "```"):
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return re.compile(r"\n</answer>$", re.MULTILINE).search(text, at) is not None
