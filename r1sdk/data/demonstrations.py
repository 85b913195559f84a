"""What SFT learns from: an environment's own demonstrations, a file, or a data set on the hub; some of it held out."""

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ..errors import R1Error
from ..records import Completion, Task
from ..storage.rollout_rows import count_rows, read_rows
from .row_formats import demonstration

Pair = tuple[Task, Completion]
SUFFIXES = (".jsonl", ".json", ".parquet")


class Demonstrations(Protocol):
    """Tasks with a worked reply. The same ones on every call, none in both."""

    def train(self) -> Iterator[Pair]: ...

    def held_out(self) -> Iterator[Pair]: ...


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """What an environment shows of its own tasks; what is held out comes from another split."""

    environment: Any  # an Environment that is a Demonstrator
    held_out_split: str = "test"
    held_out_rows: int = 0

    def train(self) -> Iterator[Pair]:
        return iter(self.environment.demonstrations("train"))

    def held_out(self) -> Iterator[Pair]:
        if not self.held_out_rows:
            return iter(())
        return islice(iter(self.environment.demonstrations(self.held_out_split)), self.held_out_rows)


@dataclass(frozen=True, slots=True)
class FromFile:
    """The rows of a file; `held_out_rows` of them, drawn with `seed`, are not trained on."""

    path: Path
    held_out_rows: int = 0
    seed: int = 0

    def train(self) -> Iterator[Pair]:
        return pairs(self._some(held_out=False))

    def held_out(self) -> Iterator[Pair]:
        return pairs(self._some(held_out=True))

    def check(self) -> None:
        """Raises: R1Error where the file is none, its first row has no known shape, or all of it is held out."""
        if self.path.suffix not in SUFFIXES:
            raise R1Error(f"data {self.path}: {', '.join(SUFFIXES)} can be read")
        first = next(self._rows(), None)
        if first is None:
            raise R1Error(f"data {self.path} has no rows")
        next(pairs(iter([first])))
        if self.held_out_rows and self.held_out_rows >= (rows := self._count()):
            raise R1Error(
                f"data {self.path} has {rows} rows, and data.held_out keeps {self.held_out_rows} from training"
            )

    def _some(self, held_out: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if not self.held_out_rows:
            return iter(()) if held_out else self._rows()
        kept = set(random.Random(self.seed).sample(range(self._count()), self.held_out_rows))
        return (row for at, row in enumerate(self._rows()) if (at in kept) is held_out)

    def _count(self) -> int:
        return sum(1 for _ in self._rows()) if self.path.suffix == ".json" else count_rows(self.path)

    def _rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        return _array(self.path) if self.path.suffix == ".json" else read_rows(self.path)


@dataclass(frozen=True, slots=True)
class FromHub:
    """A data set on the hub, which the worker reads."""

    name: str
    config: str | None
    split: str
    held_out_rows: int
    seed: int


def pairs(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Pair]:
    """The demonstration in each row. Raises: R1Error naming the row."""
    for where, row in rows:
        try:
            yield demonstration(row)
        except R1Error as error:
            raise R1Error(f"{where}: {error}") from None


def _array(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows of a file that is one JSON list. Raises: R1Error."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise R1Error(f"cannot read {path}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise R1Error(f"{path} must be a list of objects; one object a line is .jsonl")
    yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))
