"""Prompts from rows: messages, and the template that is applied to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import r1sdk

from ..table_io import Row

_ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
_BRACES = "a brace that stands for itself is written {{ or }}"


def as_messages(asked: Any) -> list[r1sdk.Message]:
    """A text as one message of the user, chat messages as they are. Raises: R1Error."""
    if isinstance(asked, str) and asked.strip():
        return [{"role": "user", "content": r1sdk.content_text(asked.strip())}]
    if isinstance(asked, list) and asked and all(isinstance(m, dict) for m in asked):
        if all({"role", "content"} <= set(m) for m in asked):
            messages = [{"role": str(m["role"]), "content": r1sdk.content_text(m["content"])} for m in asked]
        elif all({"from", "value"} <= set(m) or "ground_truth" in m for m in asked):
            messages = [
                {
                    "role": _ROLES.get(str(m["from"]), str(m["from"])),
                    "content": r1sdk.content_text(m.get("value") or ""),
                }
                for m in asked
            ]
        else:
            messages = []
        while messages and messages[-1]["role"] == "assistant":
            messages.pop()  # the answer is not part of the prompt
        if messages:
            return messages
    raise r1sdk.R1Error(f"a problem is a text or a list of chat messages, got {asked!r:.60}")


def template_faults(template: str) -> Iterator[str]:
    """Return the faults of a template that no row can mend."""
    try:
        names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        yield f"template {template!r}: {error}; {_BRACES}"
        return
    if odd := [name for name in names if not re.fullmatch(r"[\w ]+", name)]:
        yield f"template: {{{odd[0]}}} is no column; {_BRACES}"
    elif not names:
        yield "template shows no column, as {prompt}"


def filled(template: str, row: Row) -> str:
    """The template with the cells of `row`. Raises: R1Error for a column that is not there."""
    if template == "{prompt}":
        return str(row["prompt"])
    try:
        return "".join(
            text + ("" if name is None else str(row[name])) for text, name, _, _ in Formatter().parse(template)
        )
    except KeyError as missing:
        raise r1sdk.R1Error(f"the template asks for {missing}; found {', '.join(map(str, row))}") from None
