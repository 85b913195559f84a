"""The reward `code_format`: the reply format, with a fenced block of the right language in the answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import r1sdk
from r1_verifiers import LINE_END, language_name

_FENCE = re.compile(r"[ ]{0,3}(?P<fence>`{3,}+)[ \t]*+(?P<language>[^\s`]*+)[^`]*+")


@dataclass(frozen=True)
class CodeFormat:
    """1.0 if the reply keeps the format and its answer holds a fenced block of code in the language, else 0.0.

    The language is the task's (`language` of its `info`) or else the option's. Its case is free, common short names are
    read as the language (`py`, `c++`, `js`), and otherwise it is compared whole. The block is closed and not empty; what is in
    it is not looked at.

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
        reply = r1sdk.parse_reply(text)
        wanted = language_name(language)
        return float(
            reply is not None and any(language_name(name) == wanted for name in _block_languages(reply.answer))
        )


def _block_languages(text: str) -> Iterator[str]:
    """The language of each fenced block that is closed and holds something. Linear in the length of `text`."""
    fence, language, filled = "", "", False
    for line in LINE_END.split(text):
        if not fence:
            if opened := _FENCE.fullmatch(line):
                fence, language, filled = opened["fence"], opened["language"], False
        elif set(line.strip()) == {"`"} and len(line.strip()) >= len(fence):
            if filled:
                yield language
            fence = ""
        else:
            filled = filled or bool(line.strip())


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
