"""A turn of the model in, the calls that it makes out. What it wrote may be anything."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .tools import CALL, CALL_END

MAX_CALL_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that could be read. Whether there is such a tool is another question."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A call that could not be read, and why."""

    reason: str


def read_calls(reply: str) -> Sequence[ToolCall | Malformed]:
    """The calls of a turn, in order: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, after the last `</think>`.

    Linear in the length of `reply`.
    """
    found: list[ToolCall | Malformed] = []
    rest = reply.rpartition("</think>")[2]
    while True:
        _, opened, rest = rest.partition(CALL)
        if not opened:
            return found
        text, closed, after = rest.partition(CALL_END)
        if not closed:
            return [*found, Malformed(f"{CALL} is not closed by {CALL_END}")]
        found.append(_read(text))
        rest = after


def _read(text: str) -> ToolCall | Malformed:
    if len(text) > MAX_CALL_CHARS:
        return Malformed(f"a call has at most {MAX_CALL_CHARS} characters")
    try:
        call = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return Malformed(f"a call must be JSON: {str(error)[:120]}")
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return Malformed('a call must be an object {"name": ..., "arguments": {...}}')
    arguments = call.get("arguments", {})
    if not isinstance(arguments, dict):
        return Malformed("the arguments of a call must be an object of names and values")
    return ToolCall(call["name"], arguments)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
