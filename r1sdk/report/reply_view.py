"""Split a reply for display into its think part, its answer and the text around them.

Unlike `parse_reply`, which checks the format, this accepts any text and loses none of it.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal[
    "think", "answer", "other", "environment", "turn"
]  # environment: also one of its tools; turn: its reward


class ReplyPart(NamedTuple):
    """A part of a reply."""

    kind: Kind
    text: str  # without its tags, stripped
    closed: bool = True  # False: the text ended inside it


def split_reply(text: str) -> Sequence[ReplyPart]:
    """Return the think part (up to the last `</think>`, or to the end if it is never closed), then answers and the rest."""
    found: list[ReplyPart] = []
    before, closed, rest = text.rpartition("</think>")
    if closed:
        outside, _, inside = before.partition("<think>") if "<think>" in before else ("", "", before)
        found += [ReplyPart("other", outside.strip()), ReplyPart("think", inside.strip())]
    elif "<think>" in text:
        outside, _, inside = text.partition("<think>")
        return _without_empty([ReplyPart("other", outside.strip()), ReplyPart("think", inside.strip(), closed=False)])
    while "<answer>" in rest:
        outside, _, rest = rest.partition("<answer>")
        answer, ended, rest = rest.partition("</answer>")
        found += [ReplyPart("other", outside.strip()), ReplyPart("answer", answer.strip(), bool(ended))]
    return _without_empty([*found, ReplyPart("other", rest.strip())])


def _without_empty(found: Sequence[ReplyPart]) -> Sequence[ReplyPart]:
    return [part for part in found if part.text or part.kind != "other"]


def shortened(text: str, longest: int) -> str:
    """Shorten `text` to about `longest` characters: its start and its end, with a line that counts the rest."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def message_text(message: object) -> str:
    """Return the text of one chat message; tool calls appear as name and arguments."""
    if not isinstance(message, dict):
        return ""
    text = message.get("content")
    if isinstance(text, list):  # a list of parts, as in messages of a vision model
        text = "\n".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    calls = message.get("tool_calls") or []
    described = [str(call.get("function", call)) if isinstance(call, dict) else str(call) for call in calls]
    return "\n".join(filter(None, [str(text or ""), *described]))
