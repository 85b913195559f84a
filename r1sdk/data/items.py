"""Pair an environment's tasks with their source rows, and write rows to a file."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import R1Error
from ..plugins.environment_calls import iterate_method, tasks_of
from ..plugins.frozen import frozen_task
from ..records import Task
from ..storage import jsonl
from ..storage.atomic import replacing


@dataclass(frozen=True, slots=True)
class Item:
    """One task with its problem, which is the prompt without added instructions, and its row."""

    task: Task
    problem: str
    row: Mapping[str, Any]


def items(environment: Environment, split: str) -> Iterator[Item]:
    """Return the items of `split`. Without a method `rows(split)` a row is made of each task: prompt, answer, info, id."""
    if getattr(environment, "rows", None) is not None:
        yield from (Item(frozen_task(task), *more) for task, *more in iterate_method(environment, "rows", split))
        return
    for task in tasks_of(environment, split):
        asked = [str(message["content"]) for message in task.prompt if message["role"] != "system"]
        row = {**task.info, "prompt": task.prompt, "id": task.id}
        yield Item(task, "\n".join(asked), row if task.answer is None else {**row, "answer": task.answer})


def write_rows(rows: Iterable[Mapping[str, Any]], out: Path, overwrite: bool = False) -> int:
    """Write `rows` as JSON lines and return their number; the file appears only when it is complete. Raises: R1Error."""
    if out.exists() and not overwrite:
        raise R1Error(f"{out} exists: choose another --out, or replace it with --overwrite")
    if out.suffix != ".jsonl":
        raise R1Error(f"{out}: rows are written as JSON lines, so the file name must end in .jsonl")
    count = 0
    with replacing(out) as file:
        for count, row in enumerate(rows, 1):
            file.write(jsonl.dump(row, default=str))
    return count


def plain(problem: str) -> str:
    """Return the problem in lower case with single spaces, for comparison."""
    return " ".join(problem.casefold().split())
