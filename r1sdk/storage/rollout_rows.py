"""Read saved completions as rollouts: JSON lines or parquet, r1sdk's own rollouts or any file with columns.

A file is read row by row, so its size does not matter.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn, SupportsIndex

from ..errors import R1Error, nearest
from ..records import Completion, Message, Rollout, SessionLog, Task, Verdict
from . import jsonl

Tokenize = Callable[[str], list[int]]


class UnsavedTokens(list[int]):
    """Token ids of which only the number was saved: `len` is right, reading one is an error. The number costs no memory."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = min(max(0, number), sys.maxsize)  # a damaged file may hold any number

    def __len__(self) -> int:
        return self._number

    def __reduce__(self) -> tuple[type["UnsavedTokens"], tuple[int]]:
        return UnsavedTokens, (self._number,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnsavedTokens) and len(self) == len(other)

    def __ne__(self, other: object) -> bool:  # otherwise that of list, which sees no elements
        return not self == other

    __hash__ = None

    def __iter__(self) -> NoReturn:
        raise R1Error("the token ids of this completion were not saved, only their number: give r1 score a --tokenizer")

    def __getitem__(self, at: SupportsIndex | slice) -> NoReturn:
        iter(self)


@dataclass(frozen=True, slots=True)
class CompletionColumns:
    """The columns of a file by role. None: the usual name, if the file has it."""

    prompt: str | None = None  # a text, or messages
    completion: str | None = None  # a text, or messages
    answer: str | None = None


def count_rows(path: Path) -> int:
    """Return the number of rows in `path`, for a progress bar. Raises: R1Error."""
    if path.suffix == ".parquet":
        return int(_parquet(path).metadata.num_rows)
    return sum(1 for line in jsonl.lines(path, torn=True) if line.data.strip())


def read_groups(
    path: Path, columns: CompletionColumns | None = None, tokenize: Tokenize | None = None
) -> Iterator[list[Rollout]]:
    """The rollouts of `path`, those of one prompt that stand side by side together. Raises: R1Error naming the row.

    A rollout that r1sdk saved keeps its verdict; of its tokens there is the number, unless `tokenize` makes them again.
    Other columns than those named go into the task's `info`. Rows without a prompt are groups of one.
    """
    keyed = (_read_row(row, where, columns or CompletionColumns(), tokenize) for where, row in read_rows(path))
    for _, group in groupby(keyed, key=lambda pair: pair[0]):
        yield [rollout for _, rollout in group]


def _read_row(
    row: Mapping[str, Any], where: str, columns: CompletionColumns, tokenize: Tokenize | None
) -> tuple[object, Rollout]:
    """Return the rollout of a row, and the key that it shares with the others of its prompt."""
    task, completion = row.get("task"), row.get("completion")
    try:
        if isinstance(task, Mapping) and isinstance(completion, Mapping) and "messages" in completion:
            rollout = _saved_rollout(task, completion, row.get("verdict"), row.get("session"))
        else:
            rollout = _columns_rollout(row, columns)
    except (KeyError, TypeError, ValueError) as error:
        raise R1Error(f"{where}: {type(error).__name__}: {error}") from None
    except R1Error as error:
        raise R1Error(f"{where}: {error}") from None
    if tokenize is not None:
        spoken = [str(m.get("content") or "") for m in rollout.completion.messages if m["role"] == "assistant"]
        ids = [token for text in spoken for token in tokenize(text)]
        rollout = replace(rollout, completion=Completion(rollout.completion.messages, ids))
    asked = rollout.task.id or (json.dumps(rollout.task.prompt) if rollout.task.prompt else "")
    return (row.get("step"), asked) if asked else object(), rollout


def saved_rollout(line: Mapping[str, Any]) -> Rollout:
    """The rollout of a line that `rollout_line` wrote; of its tokens there is the number only."""
    return _saved_rollout(line["task"], line["completion"], line.get("verdict"), line.get("session"))


def _saved_rollout(task: Mapping[str, Any], completion: Mapping[str, Any], verdict: Any, session: Any) -> Rollout:
    """A line that `rollout_line` wrote."""
    ids = UnsavedTokens(int(completion.get("tokens") or 0))
    return Rollout(
        Task(**task),
        Completion(_messages(completion["messages"], "assistant"), ids, completion.get("finish", "stop")),
        Verdict(**verdict) if isinstance(verdict, Mapping) else None,
        SessionLog(**session) if isinstance(session, Mapping) else None,
    )


def _columns_rollout(row: Mapping[str, Any], columns: CompletionColumns) -> Rollout:
    """A row of columns. Raises: R1Error for a column that is not there."""
    used = set()

    def column(given: str | None, usual: str, needed: bool = False) -> Any:
        name = given or usual
        if name in row:
            used.add(name)
        elif given or needed:
            others = list(row)
            flag = f"; name it with --{usual}-column" if not given else ""
            raise R1Error(f"no column {name!r}{nearest(name, others)}{flag}; found {', '.join(others) or 'none'}")
        return row.get(name)

    completion = column(columns.completion, "completion", needed=True)
    prompt = column(columns.prompt, "prompt")
    answer = column(columns.answer, "answer")
    info = {key: value for key, value in row.items() if key not in used}
    if isinstance(info.get("info"), str):  # parquet has it as JSON
        info["info"] = _object(info["info"])
    if isinstance(info.get("info"), Mapping):
        info |= info.pop("info")
    return Rollout(
        Task(_messages(prompt, "user"), None if answer is None else str(answer), info),
        Completion(_messages(completion, "assistant")),
    )


def _object(text: str) -> Any:
    """The JSON object that `text` is, or `text`."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


def _messages(value: Any, role: str) -> list[Message]:
    """Messages as they are; a text as one message of `role`; nothing for None."""
    if value is None:
        return []
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, list) and all(isinstance(message, Mapping) and "role" in message for message in value):
        return [dict(message) for message in value]
    raise R1Error(f"a text or a list of messages is needed, got {value!r:.100}")


def read_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each row, and where it stands. Raises: R1Error."""
    if not path.is_file():
        raise R1Error(f"no file {path}")
    if path.suffix == ".parquet":
        number = 0
        for batch in _parquet(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", json.loads(json.dumps(row, default=str))  # dates and the like as text
        return
    for line, row in jsonl.read_numbered(path, torn=True):
        yield jsonl.line_name(path, line), row


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise R1Error(f"reading {path} needs pyarrow: pip install 'r1sdk[train]'") from None
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
        raise R1Error(f"{path} is not parquet: {error}") from None
