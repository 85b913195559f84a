"""Mathematical problems of a table: which columns hold them, and the split that each belongs to for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import r1sdk

from ..rows import read_rows

PROMPTS = ("problem", "question", "prompt")  # columns, in the order in which they are looked for
ANSWERS = ("answer", "final_answer", "solution")
_GSM8K = "####"  # stands before the answer at the end of a solution


@dataclass(frozen=True, slots=True)
class Problem:
    """One row: its number in the file (the first is 1), what is asked, and the gold answer."""

    row: int
    messages: tuple[r1sdk.Message, ...]
    answer: str

    def is_test(self, share: float) -> bool:
        """Whether it belongs to the test split. Depends on the words of the problem alone, not on case or spaces."""
        asked = json.dumps([str(message["content"]) for message in self.messages if message["role"] != "system"])
        key = " ".join(asked.casefold().split())
        return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") < share * 2**64


def read_problems(source: str, prompt: str | None, answer: str | None) -> Iterator[Problem]:
    """The problems of `source` in its order. Raises: r1sdk.R1Error that names the row at fault."""
    for row, columns in enumerate(read_rows(source), 1):
        where = f"{source}, row {row}"
        asked = _column(columns, prompt, PROMPTS, "prompt_column", where)
        yield Problem(row, _messages(asked, where), _gold(_column(columns, answer, ANSWERS, "answer_column", where)))


def _column(columns: Mapping[str, Any], named: str | None, usual: tuple[str, ...], option: str, where: str) -> Any:
    for name in (named,) if named else usual:
        if name in columns:
            return columns[name]
    raise r1sdk.R1Error(
        f"{where}: no column {' or '.join(map(repr, (named,) if named else usual))}; found {', '.join(map(str, columns))}"
        f"\n  name the column with the option {option}"
    )


def _messages(asked: Any, where: str) -> tuple[r1sdk.Message, ...]:
    if isinstance(asked, str) and asked.strip():
        return ({"role": "user", "content": asked.strip()},)
    if isinstance(asked, list) and asked and all(isinstance(m, dict) and {"role", "content"} <= set(m) for m in asked):
        return tuple({"role": str(m["role"]), "content": str(m["content"])} for m in asked)
    raise r1sdk.R1Error(f"{where}: a problem is a text or a list of chat messages, got {asked!r:.60}")


def _gold(value: Any) -> str:
    """The answer as text; of a GSM8K solution what follows its `####`."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.rpartition(_GSM8K)[2].strip()
