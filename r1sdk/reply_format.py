"""The reply format: the system prompt that asks for it, and the one parser that reads it.

The system prompt, the `format` reward, every verifier and the demonstrations use this module, so the model is rewarded for
exactly the format it is asked for.
"""

import re
from dataclasses import dataclass

SYSTEM_PROMPT = (
    "First think inside <think> and </think>, then give only the final answer inside <answer> and </answer>."
)
"""Asks for the reply format. Use it as the system message of tasks whose replies `parse_reply` and `extract_answer` read."""

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""The tags of the reply format, in order."""

_OPENED = re.compile(r"<think>\s*(?:</think>\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that keeps the format, split into its two parts. Both are stripped and not empty."""

    think: str  # the reasoning
    answer: str  # the final answer alone


def parse_reply(text: str) -> Reply | None:
    """Split a reply of exactly one think block and then one answer block; return None for any other reply.

    Whitespace around and between the blocks is ignored. Each of the four tags must appear exactly once, in order, and both
    blocks must hold more than whitespace. Linear in the length of `text`.
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
    """Return the content of the last `<answer>...</answer>` after the last `</think>`, stripped; None if there is none.

    An answer inside the think block does not count, because the model tries things out there. Linear in the length of
    `text`.
    """
    rest = text.rpartition("</think>")[2]
    if "<think>" in rest:  # the think block was never closed
        return None
    before, closed, _ = rest.rpartition("</answer>")
    _, opened, answer = before.rpartition("<answer>")
    # An answer ends at its first closing tag: a stray tag later on is not part of it.
    return answer.partition("</answer>")[0].strip() if closed and opened else None


def reply_with(answer: str) -> str:
    """Return a reply in the format that gives `answer`."""
    return f"<think>\nThe answer is known.\n</think>\n<answer>{answer}</answer>"


def opened_think(prompt: str) -> str:
    """Return the `<think>` (and the text after it) at the end of a rendered chat prompt, or an empty string.

    Some chat templates open the think block themselves, so the completion starts inside it. Generators put this text back
    in front of the completion, so that every reader sees the same reply.
    """
    found = _OPENED.search(prompt)
    return found.group() if found else ""
