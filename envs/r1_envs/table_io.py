"""Rows of a table: JSON lines, CSV, parquet, a folder that holds a data set, or a data set on the Hub."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import r1sdk

SUFFIXES = (".jsonl", ".csv", ".parquet")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows come from. For a single file only `source` counts."""

    source: str  # a file, a folder in the layout of a data set, or the name of one on the Hub
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    files: str | None = None  # a pattern: only these files of the data set, as they stand
    without: tuple[str, ...] = ()  # columns that are not read

    def __str__(self) -> str:
        if is_file(self.source):
            return self.source
        return " ".join(filter(None, [self.source, self.config, self.files or f"split {self.split}"]))


def is_file(source: str) -> bool:
    """Whether `source` is written as the name of a single file."""
    return Path(source).suffix in SUFFIXES and not Path(source).expanduser().is_dir()


def read_rows(origin: Origin | str) -> Iterator[Row]:
    """The rows of `origin` in its order, as columns by name. Raises: r1sdk.R1Error that names the line at fault."""
    origin = Origin(origin) if isinstance(origin, str) else origin
    rows = _rows(origin)
    if not origin.without:
        return rows
    return ({name: value for name, value in row.items() if name not in origin.without} for row in rows)


def _rows(origin: Origin) -> Iterator[Row]:
    path = Path(origin.source).expanduser()
    if is_file(origin.source):
        yield from _file(path, origin.source)
    elif origin.files is not None:
        folder = path if path.is_dir() else _downloaded(origin)
        found = sorted(file for file in folder.glob(origin.files) if file.suffix in SUFFIXES)
        if not found:
            raise r1sdk.R1Error(f"{origin.source} has no files {origin.files}")
        for file in found:
            yield from _file(file, file.name)
    else:
        yield from _data_set(origin, path)


def _file(path: Path, name: str) -> Iterator[Row]:
    if not path.is_file():
        raise r1sdk.R1Error(f"no file {name}")
    if path.suffix == ".parquet":
        yield from _parquet(path, name)
        return
    csv_rows = path.suffix == ".csv"
    with path.open(encoding="utf-8-sig", newline="" if csv_rows else "\n") as lines:  # JSON lines end at "\n" alone
        try:
            yield from csv.DictReader(lines) if csv_rows else _json_lines(lines, name)
        except (UnicodeDecodeError, csv.Error) as error:
            raise r1sdk.R1Error(f"{name} cannot be read: {error}") from None


def _json_lines(lines: Iterator[str], source: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise r1sdk.R1Error(f"{source}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise r1sdk.R1Error(f"{source}, line {number}: a row must be a JSON object, got {line.strip():.40}")
        yield row


def _parquet(path: Path, name: str) -> Iterator[Row]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise r1sdk.R1Error(f"reading {name} needs pyarrow: pip install 'r1sdk[train]'") from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
        raise r1sdk.R1Error(f"{name} is not parquet: {error}") from None
    for batch in file.iter_batches(batch_size=256):
        yield from batch.to_pylist()


def _data_set(origin: Origin, path: Path) -> Iterator[Row]:
    """By the library `datasets`, which reads a folder and the Hub in the same way."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise r1sdk.R1Error(f"reading {origin.source} needs datasets: pip install 'r1sdk[train]'") from None
    away = None if path.is_dir() else r1sdk.reach_hub(origin.source, "dataset")
    # The library's cache takes two folders of one name for the same data set: a folder is read past it.
    with TemporaryDirectory(prefix="r1-") if path.is_dir() else nullcontext() as apart:
        try:
            if apart:
                rows = load_dataset(str(path), origin.config, split=origin.split, streaming=True, cache_dir=apart)
            else:
                rows = load_dataset(origin.source, origin.config, split=origin.split, revision=origin.revision)
                rows = rows.remove_columns([column for column in origin.without if column in rows.column_names])
        except Exception as error:  # noqa: BLE001 - the library lets through whatever its network, its readers and the Hub raise
            raise r1sdk.R1Error(f"cannot load {origin}: {away or _first_line(error)}{_advice(path)}") from None
        yield from rows


def _downloaded(origin: Origin) -> Path:
    """The folder in the local cache of the Hub that has the files of `origin`."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise r1sdk.R1Error(f"reading {origin.source} needs huggingface_hub: pip install 'r1sdk[train]'") from None
    away = r1sdk.reach_hub(origin.source, "dataset")
    try:
        return Path(
            snapshot_download(
                origin.source, repo_type="dataset", revision=origin.revision, allow_patterns=[origin.files or "*"]
            )
        )
    except Exception as error:  # noqa: BLE001 - as above
        reason = away or _first_line(error)
        raise r1sdk.R1Error(f"cannot load {origin}: {reason}{_advice(Path(origin.source))}") from None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}"


def _advice(path: Path) -> str:
    if path.is_dir():
        return ""
    return "\n  without the Hub: name a local copy of the data set, --set env.options.source=FOLDER"
