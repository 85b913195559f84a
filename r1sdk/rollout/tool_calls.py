"""Parse the tool calls in a turn of the model. The text is model-written and may be anything."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .tools import CALL, CALL_END

MAX_CALL_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A parsed call. A tool of that name may not exist."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MalformedCall:
    """A call that could not be parsed, with the reason."""

    reason: str


def read_calls(reply: str) -> Sequence[ToolCall | MalformedCall]:
    """Return the calls of a turn in order: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>` after the last `</think>`.

    Linear in the length of `reply`.
    """
    found: list[ToolCall | MalformedCall] = []
    rest = reply.rpartition("</think>")[2]
    while True:
        _, opened, rest = rest.partition(CALL)
        if not opened:
            return found
        text, closed, after = rest.partition(CALL_END)
        if not closed:
            return [*found, MalformedCall(f"{CALL} is not closed by {CALL_END}")]
        found.append(_read(text))
        rest = after


def _read(text: str) -> ToolCall | MalformedCall:
    if len(text) > MAX_CALL_CHARS:
        return MalformedCall(f"a call must have at most {MAX_CALL_CHARS} characters")
    try:
        call = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return MalformedCall(f"a call must be JSON: {str(error)[:120]}")
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return MalformedCall('a call must be an object {"name": ..., "arguments": {...}}')
    arguments = call.get("arguments", {})
    if not isinstance(arguments, dict):
        return MalformedCall("the arguments of a call must be an object of names and values")
    return ToolCall(call["name"], arguments)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
