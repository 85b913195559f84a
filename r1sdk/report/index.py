"""Files of rollouts in, one small row per rollout out; a rollout itself is read again when it is looked at."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import R1Error

try:
    import msgspec
except ImportError:
    raise R1Error("reading so many rollouts needs msgspec: pip install 'r1sdk[view]'") from None

from ..storage import jsonl
from ..storage.row_checks import rollout_fault
from ..storage.run_folder import RunFolder

BEFORE, TRAINING, DURING, AFTER = "before", "training", "during", "after"
_SHOWN = 80  # characters of an answer that a row keeps


class _Task(msgspec.Struct, gc=False):
    id: str | None = None


class _Completion(msgspec.Struct, gc=False):
    tokens: int | None = None
    finish: str | None = None


class _Verdict(msgspec.Struct, gc=False):
    value: float | None = None
    status: str | None = None
    extracted: str | None = None


class _Line(msgspec.Struct, gc=False):
    """What a row needs of a line that `rollout_line` wrote; the texts are skipped, not made."""

    task: _Task
    completion: _Completion
    step: int | None = None
    verdict: _Verdict | None = None
    rewards: dict[str, float | None] = {}
    total: float | None = None
    dropped: str | None = None


_DECODER = msgspec.json.Decoder(_Line)
_UNJUDGED = _Verdict()


class RolloutRow(msgspec.Struct, frozen=True, gc=False):  # the collector would walk through all of them again and again
    """What a list of rollouts shows and a filter reads."""

    order: tuple[float, int, int]  # of the training: its moment, its source, its place there
    moment: str  # before, training, during, after
    step: int | None  # None where the file does not say
    task: str
    value: float | None
    status: str
    answer: str
    total: float | None
    rewards: Mapping[str, float | None]
    tokens: int
    cut: bool
    source: int
    offset: int  # bytes
    dropped: bool = False  # of a group that was not trained on

    @property
    def when(self) -> str:
        """`before`, `12`, `12 dropped`, `12 held out`, `after`."""
        if self.moment in (BEFORE, AFTER):
            return self.moment
        step = "" if self.step is None else str(self.step)
        return f"{step} held out" if self.moment == DURING else f"{step} dropped" if self.dropped else step

    @property
    def group(self) -> tuple[str, int | None, str]:
        """What the completions of one prompt at one moment have in common."""
        return self.moment, self.step, self.task


@dataclass
class RolloutFile:
    """One file, read as far as it goes."""

    file: Path
    moment: str
    read: int = 0  # bytes


@dataclass
class RolloutIndex:
    """The rows of some files, in the order in which they were read. `refresh` reads what is new."""

    sources: Sequence[RolloutFile]
    rows: list[RolloutRow] = field(default_factory=list)
    unreadable: int = 0  # lines that are no rollout
    _unreadable_in: Counter[Path] = field(default_factory=Counter)

    @classmethod
    def open(cls, path: Path) -> "RolloutIndex":
        """Of a run folder, or of a JSON lines file that r1 eval or r1 generate wrote. Raises: R1Error."""
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
        """Read on, at most `limit` rows. Returns whether there is anything new; a file that became shorter begins anew."""
        if any(source.read > _size(source.file) for source in self.sources):
            self.rows.clear()  # rewound by a resume
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
        """Bytes that are there and have not been read."""
        return sum(max(0, _size(source.file) - source.read) for source in self.sources)

    def _read(self, at: int, source: RolloutFile, limit: int | None) -> None:
        for line in jsonl.lines(source.file, source.read):
            if limit is not None and len(self.rows) >= limit:
                return
            row = _row(line, at, source)
            source.read = line.offset + line.size
            if row is None:
                self.unreadable += bool(line.data.strip())
                self._unreadable_in[source.file] += bool(line.data.strip())
            else:
                self.rows.append(row)

    def read(self, row: RolloutRow) -> dict[str, Any]:
        """Return the rollout of a row. Raises: R1Error where the file has changed under it."""
        file = self.sources[row.source].file
        try:
            line = next(jsonl.lines(file, row.offset))
            return jsonl.parse(line.data, rollout_fault)
        except (StopIteration, ValueError) as error:
            raise R1Error(f"{file} has changed: {error}") from None


_SPACE = re.compile(r"\s+")


def _row(read: jsonl.Line, at: int, source: RolloutFile) -> RolloutRow | None:
    try:
        line = _DECODER.decode(read.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:  # half a character, which Python's reader takes and others do not
            line = msgspec.convert(jsonl.parse(read.data), _Line)
        except (msgspec.ValidationError, ValueError):
            return None
    verdict, moment = line.verdict or _UNJUDGED, source.moment
    return RolloutRow(
        order=({BEFORE: -1.0, AFTER: math.inf}.get(moment, float(line.step or 0)), at, read.offset),
        moment=moment,
        step=line.step,
        task=line.task.id or "",
        value=verdict.value,
        status=verdict.status or "",
        answer=_SPACE.sub(" ", (verdict.extracted or "")[:_SHOWN]),
        total=line.total,
        rewards=line.rewards,
        tokens=line.completion.tokens or 0,
        cut=line.completion.finish == "length",
        source=at,
        offset=read.offset,
        dropped=line.dropped is not None,
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
