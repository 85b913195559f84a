"""Training data for SFT: an environment's demonstrations, a file, or a data set on the hub, with some rows held out."""

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
    """Tasks with a worked reply. Each method returns the same pairs on every call, and no pair is in both."""

    def train(self) -> Iterator[Pair]: ...

    def held_out(self) -> Iterator[Pair]: ...


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """Demonstrations of an environment's tasks; held-out ones come from another split."""

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
    """The rows of a file. `held_out_rows` of them, chosen with `seed`, are not trained on."""

    path: Path
    held_out_rows: int = 0
    seed: int = 0

    def train(self) -> Iterator[Pair]:
        return pairs(self._select(held_out=False))

    def held_out(self) -> Iterator[Pair]:
        return pairs(self._select(held_out=True))

    def check(self) -> None:
        """Raises: R1Error if the file type is unknown, the first row has no known format, or every row is held out."""
        if self.path.suffix not in SUFFIXES:
            raise R1Error(f"data {self.path}: only files ending in {', '.join(SUFFIXES)} can be read")
        first = next(self._rows(), None)
        if first is None:
            raise R1Error(f"data {self.path} has no rows")
        next(pairs(iter([first])))
        if self.held_out_rows and self.held_out_rows >= (rows := self._count()):
            raise R1Error(
                f"data {self.path} has {rows} rows, and data.held_out keeps {self.held_out_rows} from training: none are left"
            )

    def _select(self, held_out: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
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
    """A data set on the hub. The training process reads it."""

    name: str
    config: str | None
    split: str
    held_out_rows: int
    seed: int


def pairs(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Pair]:
    """Return the demonstration in each row. Raises: R1Error, naming the row."""
    for where, row in rows:
        try:
            yield demonstration(row)
        except R1Error as error:
            raise R1Error(f"{where}: {error}") from None


def _array(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the rows of a file that holds one JSON list. Raises: R1Error."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise R1Error(f"cannot read {path}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise R1Error(f"{path} must be a list of objects; for one object per line use .jsonl")
    yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))
