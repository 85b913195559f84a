"""The reply format: the words that ask for it, and the one parser that reads it back.

The system prompt, the `format` reward, every verifier and the demonstrations hold to this page, so that what the model
is asked for is what it is paid for.
"""

import re
from dataclasses import dataclass

SYSTEM_PROMPT = (
    "First think inside <think> and </think>, then give only the final answer inside <answer> and </answer>."
)
"""Asks for the reply format; the system message of a task that wants to be read by `parse_reply` and `extract_answer`."""

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""The tags of the reply format, in their order."""

_OPENED = re.compile(r"<think>\s*(?:</think>\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that keeps the format, taken apart. Both parts are stripped and not empty."""

    think: str  # the reasoning
    answer: str  # the final answer alone


def parse_reply(text: str) -> Reply | None:
    """The parts of a reply that is one think block, then one answer block, and nothing else; otherwise None.

    Whitespace around and between the blocks is free. Each of the four tags appears exactly once, in order; both blocks
    hold something other than whitespace. Linear in the length of `text`.
    """
    text = text.strip()
    if any(text.count(tag) != 1 for tag in TAGS):
        return None
    if not (text.startswith("<think>") and text.endswith("</answer>")):
        return None
    think, closed, rest = text.removeprefix("<think>").partition("</think>")
    between, opened, answer = rest.removesuffix("</answer>").partition("<answer>")
    if not closed or not opened or between.strip() or not think.strip() or not answer.strip():
        return None
    return Reply(think.strip(), answer.strip())


def extract_answer(text: str) -> str | None:
    """The content of the last `<answer>...</answer>` after the last `</think>`, stripped; None if there is none.

    An answer inside the think block does not count: that part is for trying things out. Linear in the length of `text`.
    """
    rest = text.rpartition("</think>")[2]
    if "<think>" in rest:  # the think block was never closed
        return None
    before, closed, _ = rest.rpartition("</answer>")
    _, opened, answer = before.rpartition("<answer>")
    # An answer ends where it is first closed: a stray tag later on is no part of it.
    return answer.partition("</answer>")[0].strip() if closed and opened else None


def reply_with(answer: str) -> str:
    """Return a reply in the format that gives `answer`, as one that knows it would."""
    return f"<think>\nThe answer is known.\n</think>\n<answer>{answer}</answer>"


def opened_think(prompt: str) -> str:
    """The `<think>` (and what follows it) that a rendered chat prompt ends with, or an empty string.

    Some chat templates open the think block themselves, so the completion starts inside it. Generators put this text
    back in front of the completion, and every reader sees the same reply.
    """
    found = _OPENED.search(prompt)
    return found.group() if found else ""
