"""Index files of rollouts: one small row per rollout in memory; the rollout itself is read again on demand."""

import gc
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import pstdev
from sys import intern
from typing import IO, Any

from ..errors import R1Error
from ..storage import jsonl
from ..storage.atomic import replacing
from ..storage.row_checks import rollout_fault
from ..storage.run_folder import RunFolder
from .scan import list_scanner

BEFORE, TRAINING, DURING, AFTER = "before", "training", "during", "after"
LEARNED, LOST = "learned", "lost"
CHANGES = (LEARNED, LOST)
_SHOWN = 80  # characters of an answer that a row keeps


class RewardValues(Mapping[str, float | None]):
    """The rewards of one rollout by name. All rollouts share the tuple of names, because there are millions of them."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: tuple[str, ...], values: tuple[float | None, ...]) -> None:
        self._names = names
        self._values = values

    @classmethod
    def of(cls, rewards: Mapping[str, float | None]) -> "RewardValues":
        """Return the rewards of a line."""
        return cls(_names(tuple(rewards)), tuple(map(_shared, rewards.values())))

    def __getitem__(self, name: str) -> float | None:
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@lru_cache(maxsize=1024)
def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


@lru_cache(maxsize=4096)
def _shared(value: float | None) -> float | None:
    """Return the one object for each of the usual values, to save memory."""
    return value


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """One line of a list of rollouts, with the values that filters test."""

    moment: str  # before, training, during, after
    step: int | None  # None if the file does not record it
    task: str
    value: float | None
    status: str
    answer: str
    total: float | None
    rewards: "RewardValues"
    tokens: int
    truncated: bool  # by the token limit
    source: int
    offset: int  # bytes
    dropped: bool = False  # in a group that dynamic sampling replaced

    @property
    def order(self) -> tuple[float, int, int]:
        """The order of training: step, number of the source, offset in it."""
        step = {BEFORE: -1.0, AFTER: math.inf}.get(self.moment)
        return (float(self.step or 0) if step is None else step, self.source, self.offset)

    @property
    def when(self) -> str:
        """`before`, `12`, `12 dropped`, `12 held out`, `after`."""
        if self.moment in (BEFORE, AFTER):
            return self.moment
        step = "" if self.step is None else str(self.step)
        return f"{step} held out" if self.moment == DURING else f"{step} dropped" if self.dropped else step

    @property
    def is_wrong(self) -> bool:
        """True if it has a verdict that is not fully right."""
        return self.value is not None and self.value < 1.0

    @property
    def group(self) -> tuple[str, int | None, str]:
        """The key that the completions of one prompt at one step share."""
        return self.moment, self.step, self.task


@dataclass
class RolloutFile:
    """One file, and how far it has been read."""

    file: Path
    moment: str
    read: int = 0  # bytes


@dataclass
class RolloutIndex:
    """The rows of some files, in the order in which they were read. `refresh` reads new lines."""

    sources: Sequence[RolloutFile]
    rows: list[RolloutRow] = field(default_factory=list)
    unreadable: int = 0  # lines that are not rollouts
    _unreadable_in: Counter[Path] = field(default_factory=Counter)

    @classmethod
    def open(cls, path: Path) -> "RolloutIndex":
        """Open a run folder, or a JSON lines file that r1 eval or r1 generate wrote. Raises: R1Error."""
        list_scanner()
        if path.is_file():
            return cls([RolloutFile(path, TRAINING)])
        folder = RunFolder.open(path)
        sources = [
            RolloutFile(folder.evaluation_file("before"), BEFORE),
            RolloutFile(folder.rollouts_file, TRAINING),
            RolloutFile(folder.evaluation_file("during"), DURING),
            RolloutFile(folder.evaluation_file("after"), AFTER),
        ]
        for source in sources:
            next(jsonl.lines(source.file), None)
        return cls(sources)

    def refresh(self, limit: int | None = None) -> bool:
        """Read new lines, up to `limit` rows. Returns True if there are new rows. If a file has shrunk, all is read again."""
        if any(source.read > _size(source.file) for source in self.sources):
            self.rows.clear()  # a resume has rewound the file
            self.unreadable = 0
            self._unreadable_in.clear()
            for source in self.sources:
                source.read = 0
            self.refresh(limit)
            return True
        found = len(self.rows)
        for at, source in enumerate(self.sources):
            if source.read < _size(source.file):
                self._read(at, source, limit)
        return len(self.rows) > found

    def unreadable_in(self) -> dict[str, int]:
        """Return how many lines of each file are no rollouts, by its name; files without any are left out."""
        return {file.name: count for file, count in self._unreadable_in.items() if count}

    def group_spreads(self) -> dict[tuple[str, int | None, str], float]:
        """Return the standard deviation of the total reward in each group of two or more."""
        totals: dict[tuple[str, int | None, str], list[float]] = {}
        for row in list(self.rows):
            if row.total is not None and row.task:
                totals.setdefault(row.group, []).append(row.total)
        return {key: pstdev(values) for key, values in totals.items() if len(values) > 1}

    def reward_names(self) -> list[str]:
        """Return the names of the rewards that the rollouts have, in order."""
        sets = dict.fromkeys(tuple(row.rewards) for row in list(self.rows))
        return list(dict.fromkeys(name for names in sets for name in names))

    def changes(self) -> dict[str, str]:
        """Return `learned` or `lost` for each held-out task whose first attempts before and after training differ."""
        first: dict[str, dict[str, bool]] = {BEFORE: {}, AFTER: {}}
        for row in list(self.rows):
            if row.moment in first and row.task:
                first[row.moment].setdefault(row.task, row.value == 1.0)
        before, after = first[BEFORE], first[AFTER]
        return {
            task: LEARNED if after[task] else LOST
            for task in before.keys() & after.keys()
            if before[task] != after[task]
        }

    def lines(self, rows: Iterable[RolloutRow]) -> Iterator[tuple[RolloutRow, bytes]]:
        """Yield the line of each row as bytes. Raises: R1Error if a file has changed since it was indexed."""
        with ExitStack() as stack:
            opened: dict[int, IO[bytes]] = {}
            for row in rows:
                file = self.sources[row.source].file
                try:
                    if row.source not in opened:
                        opened[row.source] = stack.enter_context(file.open("rb"))
                    opened[row.source].seek(row.offset)
                    data = opened[row.source].readline()
                except OSError as error:
                    raise R1Error(f"cannot read {file}: {error.strerror or error}") from None
                if not data.endswith(b"\n"):
                    raise R1Error(f"{file} has changed: a row that was listed is gone")
                yield row, data

    def copy(self, rows: Iterable[RolloutRow], file: Path) -> int:
        """Write the lines of `rows` to `file` as they are, and return how many. Raises: R1Error where it exists or cannot be written."""
        if file.exists():
            raise R1Error(f"{file} exists: choose another name, or remove it")
        count = 0
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as new:
                for _, data in self.lines(rows):
                    new.write(data)
                    count += 1
        except OSError as error:
            raise R1Error(f"cannot write {file}: {error.strerror or error}") from None
        return count

    @property
    def behind(self) -> int:
        """The number of bytes that have not been read yet."""
        return sum(max(0, _size(source.file) - source.read) for source in self.sources)

    def _read(self, at: int, source: RolloutFile, limit: int | None) -> None:
        with _without_garbage_collection():
            for line in jsonl.lines(source.file, source.read):
                if limit is not None and len(self.rows) >= limit:
                    return
                row = _row(line, at, source)
                source.read = line.offset + line.size
                if row is not None:
                    self.rows.append(row)
                elif line.data.strip():
                    self.unreadable += 1
                    self._unreadable_in[source.file] += 1

    def read(self, row: RolloutRow) -> dict[str, Any]:
        """Read the rollout of a row. Raises: R1Error if the file has changed since it was indexed."""
        file = self.sources[row.source].file
        try:
            line = next(jsonl.lines(file, row.offset))
            return jsonl.parse(line.data, rollout_fault)
        except (StopIteration, ValueError) as error:
            raise R1Error(f"{file} has changed: {error}") from None


_SPACE = re.compile(r"\s+")


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector, which would walk through all rows again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _row(read: jsonl.Line, at: int, source: RolloutFile) -> RolloutRow | None:
    line = list_scanner()(read.data)
    if line is None:
        return None
    verdict, moment = line.verdict, source.moment
    return RolloutRow(
        moment=moment,
        step=line.step,
        task=intern(line.task.id or ""),
        value=None if verdict is None else _shared(verdict.value),
        status="" if verdict is None else intern(verdict.status or ""),
        answer=_SPACE.sub(" ", ((verdict and verdict.extracted) or "")[:_SHOWN]),
        total=_shared(line.total),
        rewards=RewardValues.of(line.rewards),
        tokens=line.completion.tokens or 0,
        truncated=line.completion.finish == "length",
        source=at,
        offset=read.offset,
        dropped=line.dropped is not None,
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
