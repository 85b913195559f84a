"""A reply in, its parts out, for a reader: what was thought, what was answered, what stands around it.

Unlike `parse_reply`, which says whether the format is kept, this takes any text apart: nothing of it is lost.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["think", "answer", "other", "told"]  # told: what the environment or a tool of its said


class ReplyPart(NamedTuple):
    kind: Kind
    text: str  # without its tags, stripped
    closed: bool = True  # False: the text ended inside it


def parts(text: str) -> Sequence[ReplyPart]:
    """The think part (up to the last `</think>`, or to the end where it is never closed), then answers and the rest."""
    found: list[ReplyPart] = []
    before, closed, rest = text.rpartition("</think>")
    if closed:
        outside, _, inside = before.partition("<think>") if "<think>" in before else ("", "", before)
        found += [ReplyPart("other", outside.strip()), ReplyPart("think", inside.strip())]
    elif "<think>" in text:
        outside, _, inside = text.partition("<think>")
        return _kept([ReplyPart("other", outside.strip()), ReplyPart("think", inside.strip(), closed=False)])
    while "<answer>" in rest:
        outside, _, rest = rest.partition("<answer>")
        answer, ended, rest = rest.partition("</answer>")
        found += [ReplyPart("other", outside.strip()), ReplyPart("answer", answer.strip(), bool(ended))]
    return _kept([*found, ReplyPart("other", rest.strip())])


def _kept(found: Sequence[ReplyPart]) -> Sequence[ReplyPart]:
    return [part for part in found if part.text or part.kind != "other"]


def shortened(text: str, longest: int) -> str:
    """At most about so many characters: the first and the last ones, with a line that says how many are between."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def content(message: object) -> str:
    """What one chat message says; calls of tools as their name and arguments."""
    if not isinstance(message, dict):
        return ""
    said = message.get("content")
    if isinstance(said, list):  # parts, as of a model that sees
        said = "\n".join(str(part.get("text", "")) for part in said if isinstance(part, dict))
    calls = message.get("tool_calls") or []
    told = [str(call.get("function", call)) if isinstance(call, dict) else str(call) for call in calls]
    return "\n".join(filter(None, [str(said or ""), *told]))
