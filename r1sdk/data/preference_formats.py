"""Read rows of preferences: a prompt, a reply that was chosen and one that was rejected."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import R1Error, nearest
from ..records import Completion, Message, Task
from .row_formats import QUESTIONS, RowColumns, as_messages, chat_of, plain_turn, tools_in
from .text_only import check_text_only

PREFERENCE_SHAPES = """`prompt`, `chosen`, `rejected`: texts or messages (as r1 generate --pairs writes them)
`chosen`, `rejected`: conversations with the prompt in both
`system`, `question`, `chosen`, `rejected`; `prompt`, `chosen_response`, `rejected_response`"""
CHOSEN = ("chosen", "chosen_response", "response_chosen", "preferred", "accepted")
REJECTED = ("rejected", "rejected_response", "response_rejected", "dispreferred", "non_preferred")
_SPEAKER = re.compile(r"\n\n(Human|Assistant): ?")  # of the transcripts of HH-RLHF


class Preference(NamedTuple):
    """Two replies to one prompt."""

    task: Task
    chosen: Completion
    rejected: Completion


class _Columns(NamedTuple):
    prompt: str | None  # None: the prompt is the beginning that both conversations share
    chosen: str
    rejected: str
    system: str | None

    def __str__(self) -> str:
        asked = ", ".join(f"`{name}`" for name in (self.system, self.prompt) if name)
        return f"{f'{asked} -> ' if asked else ''}`{self.chosen}` over `{self.rejected}`"


def preferences_in(row: Mapping[str, Any], columns: RowColumns | None = None) -> list[Preference]:
    """Return the preference of a row, as a list of one. Raises: R1Error where the row has none of `PREFERENCE_SHAPES`."""
    columns = columns or RowColumns()
    check_text_only(row)
    found = _find(row, columns)
    asked = _asked(row, found)
    chosen, rejected = (_told(row[name], name) for name in (found.chosen, found.rejected))
    shared = _shared(chosen, rejected)
    if not asked:
        asked, chosen, rejected = shared, chosen[len(shared) :], rejected[len(shared) :]
    elif shared[: len(asked)] == asked:  # the conversations hold the prompt, too
        chosen, rejected = chosen[len(asked) :], rejected[len(asked) :]
    elif _without_system(asked) and shared[: len(_without_system(asked))] == _without_system(asked):
        chosen, rejected = (told[len(_without_system(asked)) :] for told in (chosen, rejected))
    prompt, better, worse = (
        [plain_turn(message, at, columns) for at, message in enumerate(turns, 1)] for turns in (asked, chosen, rejected)
    )
    for name, turns in ((found.chosen, better), (found.rejected, worse)):
        _check_reply(name, turns)
    if not prompt:
        raise R1Error(f"there is no prompt: `{found.chosen}` and `{found.rejected}` share no beginning")
    if better == worse:
        raise R1Error(f"`{found.chosen}` and `{found.rejected}` are the same")
    answer, info = row.get("answer"), {"tools": tools} if (tools := tools_in(row)) else {}
    task = Task(prompt, None if answer is None else str(answer), info, str(row.get("id") or ""))
    return [Preference(task, Completion(better), Completion(worse))]


def describe_preference(row: Mapping[str, Any], columns: RowColumns | None = None) -> str:
    """Return from which columns a row is read. Raises: R1Error."""
    return f"read from {_find(row, columns or RowColumns())}"


def _find(row: Mapping[str, Any], columns: RowColumns) -> _Columns:
    lower = {str(key).lower(): str(key) for key in row}
    given = {"prompt": columns.prompt, "chosen": columns.chosen, "rejected": columns.rejected, "system": columns.system}
    for key, name in given.items():
        if name is not None and name not in row:
            raise R1Error(f"data.{key}_column is {name!r}{nearest(name, list(row))}; found {', '.join(row) or 'none'}")

    def first(names: Sequence[str]) -> str | None:
        return next((lower[name] for name in names if name in lower and row[lower[name]] is not None), None)

    chosen, rejected = columns.chosen or first(CHOSEN), columns.rejected or first(REJECTED)
    if chosen is None or rejected is None:
        shapes = PREFERENCE_SHAPES.replace("\n", "\n  ")
        raise R1Error(
            f"no chosen and rejected reply found in the columns {', '.join(row) or 'none'}\n  name them: "
            f"--set data.chosen_column=... --set data.rejected_column=...\n  known formats:\n  {shapes}"
        )
    return _Columns(columns.prompt or first(QUESTIONS), chosen, rejected, columns.system or first(("system",)))


def _asked(row: Mapping[str, Any], found: _Columns) -> list[Message]:
    """Return the prompt from its column, or an empty list if the row has no such column."""
    if found.prompt is None:
        return []
    asked = _transcript(row[found.prompt]) or as_messages(row[found.prompt], "user")
    system = row.get(found.system or "")
    if isinstance(system, str) and system.strip():
        asked = [{"role": "system", "content": system}, *asked]
    return asked


def _told(value: Any, name: str) -> list[Message]:
    try:
        turns = chat_of(value)
        return _transcript(value) or as_messages(turns, "assistant", name if isinstance(turns, list) else "")
    except R1Error as error:
        raise R1Error(str(error) if f"`{name}`" in str(error) else f"`{name}`: {error}") from None


def _transcript(value: Any) -> list[Message]:
    """Return the turns of a text with the speakers of HH-RLHF; empty for any other text."""
    if not isinstance(value, str) or not _SPEAKER.match(value):
        return []
    parts = _SPEAKER.split(value)[1:]
    roles = {"Human": "user", "Assistant": "assistant"}
    return [
        {"role": roles[speaker], "content": text.strip()}
        for speaker, text in zip(parts[::2], parts[1::2], strict=True)
        if text.strip()
    ]


def _shared(one: Sequence[Message], other: Sequence[Message]) -> list[Message]:
    """Return the turns that both conversations begin with; the last turn of each is never one of them."""
    shared: list[Message] = []
    for left, right in zip(one[:-1], other[:-1], strict=False):
        if left != right:
            break
        shared.append(left)
    return shared


def _without_system(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message.get("role") != "system"]


def _check_reply(name: str, turns: Sequence[Message]) -> None:
    """Raises: R1Error where `turns` are not one reply."""
    if [turn["role"] for turn in turns] != ["assistant"]:
        roles = ", ".join(str(turn["role"]) for turn in turns) or "nothing"
        raise R1Error(f"`{name}` must be one reply of the assistant to the prompt, got {roles}")
    if not turns[0]["content"].strip() and not turns[0].get("tool_calls"):
        raise R1Error(f"`{name}` is empty")
