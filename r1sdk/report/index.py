"""Index files of rollouts: one small row per rollout in memory; the rollout itself is read again on demand."""

import gc
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..storage import jsonl
from ..storage.row_checks import rollout_fault
from ..storage.run_folder import RunFolder

BEFORE, TRAINING, DURING, AFTER = "before", "training", "during", "after"
_SHOWN = 80  # characters of an answer that a row keeps


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """One line of a list of rollouts, with the values that filters test."""

    order: tuple[float, int, int]  # order of training: step, number of the source, offset in it
    moment: str  # before, training, during, after
    step: int | None  # None if the file does not record it
    task: str
    value: float | None
    status: str
    answer: str
    total: float | None
    rewards: Mapping[str, float | None]
    tokens: int
    truncated: bool  # by the token limit
    source: int
    offset: int  # bytes
    dropped: bool = False  # in a group that dynamic sampling replaced

    @property
    def when(self) -> str:
        """`before`, `12`, `12 dropped`, `12 held out`, `after`."""
        if self.moment in (BEFORE, AFTER):
            return self.moment
        step = "" if self.step is None else str(self.step)
        return f"{step} held out" if self.moment == DURING else f"{step} dropped" if self.dropped else step

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
        _decoder()
        if path.is_file():
            return cls([RolloutFile(path, TRAINING)])
        folder = RunFolder.open(path)
        return cls(
            [
                RolloutFile(folder.evaluation_file("before"), BEFORE),
                RolloutFile(folder.rollouts_file, TRAINING),
                RolloutFile(folder.evaluation_file("during"), DURING),
                RolloutFile(folder.evaluation_file("after"), AFTER),
            ]
        )

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


@cache
def _decoder() -> Callable[[bytes], Any]:
    """Return a decoder for the parts of a line that a row needs. It returns None for a line that is not a rollout.

    Raises: R1Error without msgspec.
    """
    try:
        import msgspec
    except ImportError:
        raise R1Error("the list of rollouts needs msgspec: pip install 'r1sdk[view]'") from None

    task = msgspec.defstruct("Task", [("id", str | None, None)], gc=False)
    completion = msgspec.defstruct("Completion", [("tokens", int | None, None), ("finish", str | None, None)], gc=False)
    verdict = msgspec.defstruct(
        "Judgement",
        [("value", float | None, None), ("status", str | None, None), ("extracted", str | None, None)],
        gc=False,
    )
    line = msgspec.defstruct(  # the decoder skips the texts of a rollout
        "Line",
        [
            ("task", task),
            ("completion", completion),
            ("step", int | None, None),
            ("verdict", verdict | None, None),
            ("rewards", dict[str, float | None], msgspec.field(default_factory=dict)),
            ("total", float | None, None),
            ("dropped", str | None, None),
        ],
        gc=False,
    )
    decode = msgspec.json.Decoder(line).decode

    def decoded(text: bytes) -> Any:
        try:
            return decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:  # a lone surrogate, which Python's reader accepts and others do not
                return msgspec.convert(jsonl.parse(text), line)
            except (msgspec.ValidationError, ValueError):
                return None

    return decoded


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
    line = _decoder()(read.data)
    if line is None:
        return None
    verdict, moment = line.verdict, source.moment
    return RolloutRow(
        order=({BEFORE: -1.0, AFTER: math.inf}.get(moment, float(line.step or 0)), at, read.offset),
        moment=moment,
        step=line.step,
        task=line.task.id or "",
        value=None if verdict is None else verdict.value,
        status="" if verdict is None else verdict.status or "",
        answer=_SPACE.sub(" ", ((verdict and verdict.extracted) or "")[:_SHOWN]),
        total=line.total,
        rewards=line.rewards,
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
