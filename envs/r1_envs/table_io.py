"""Rows of a table: JSON lines, a JSON array, CSV, parquet, Arrow, a folder that holds a data set, or a data set on the Hub."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import r1sdk

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".arrow")
PACKED = (".gz", ".zst")  # of texts
SAID_SUFFIXES = ".jsonl, .json or .csv (as they are, or .gz or .zst), .parquet or .arrow"
CONVERSATION = "conversations"  # the column of a row that is nothing but a conversation
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of rows. For a single file only `source` counts."""

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
    """True if `source` is the name of a single file."""
    return _suffix(Path(source)) in SUFFIXES and not Path(source).expanduser().is_dir()


def _suffix(path: Path) -> str:
    """Return the kind of file, `.jsonl` for `a.jsonl.gz`; "" for a packed file that is not text."""
    if path.suffix not in PACKED:
        return path.suffix
    inner = path.with_suffix("").suffix
    return "" if inner in (".parquet", ".arrow") else inner


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
        found = sorted(file for file in folder.glob(origin.files) if _suffix(file) in SUFFIXES)
        if not found:
            raise r1sdk.R1Error(f"{origin.source} has no files {origin.files}")
        for file in found:
            yield from _file(file, file.name)
    else:
        yield from _data_set(origin, path)


def _file(path: Path, name: str) -> Iterator[Row]:
    if not path.is_file():
        raise r1sdk.R1Error(f"no file {name}")
    kind = _suffix(path)
    if kind in (".parquet", ".arrow"):
        yield from _parquet(path, name) if kind == ".parquet" else _arrow(path, name)
        return
    with _text(path, name) as lines:
        try:
            if kind == ".csv":
                yield from csv.DictReader(lines)
            elif kind == ".json":
                yield from _json_array(lines, name)
            else:
                yield from _json_lines(lines, name)
        except (UnicodeDecodeError, csv.Error, OSError, EOFError) as error:
            raise r1sdk.R1Error(f"{name} cannot be read: {error}") from None


def _text(path: Path, name: str) -> TextIO:
    """The text of a file, unpacked where it is packed."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if path.suffix == ".zst":
        try:
            import pyarrow
        except ImportError:
            raise r1sdk.R1Error(f"reading {name} needs pyarrow: pip install 'r1sdk[train]'") from None
        return io.TextIOWrapper(pyarrow.input_stream(str(path), compression="zstd"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _json_lines(lines: Iterable[str], source: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:  # its own line number is that within this line
            raise r1sdk.R1Error(f"{source}, line {number}: not JSON: {error.msg} at column {error.colno}") from None
        except (ValueError, RecursionError) as error:
            raise r1sdk.R1Error(f"{source}, line {number}: not JSON: {error}") from None
        yield _as_row(row, f"{source}, line {number}")


def _json_array(lines: TextIO, source: str) -> Iterator[Row]:
    """The rows of a JSON array, or of JSON lines in a file that is called .json."""
    text = lines.read()
    try:
        rows = json.loads(text)
    except ValueError:
        yield from _json_lines(text.split("\n"), source)
        return
    if isinstance(rows, dict):
        lists = [
            name for name, value in rows.items() if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if len(lists) != 1 or _is_message(rows[lists[0]][0]):
            yield _as_row(rows, source)
            return
        rows = rows[lists[0]]
    if not isinstance(rows, list):
        raise r1sdk.R1Error(f"{source}: the rows are a JSON array of objects, got {text.strip():.40}")
    for number, row in enumerate(rows, 1):
        yield _as_row(row, f"{source}, row {number}")


def _as_row(row: Any, where: str) -> Row:
    """A JSON object as it is; a conversation, in a list or numbered from 0, as a row that holds it in one column."""
    if isinstance(row, dict):
        if row and all(name.isdigit() and _is_message(value) for name, value in row.items()):
            return {CONVERSATION: [row[name] for name in sorted(row, key=int)]}
        return row
    if isinstance(row, list) and row and all(map(_is_message, row)):
        return {CONVERSATION: row}
    raise r1sdk.R1Error(f"{where}: a row must be a JSON object, got {json.dumps(row, ensure_ascii=False):.40}")


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("from" in value or "role" in value)


def _arrow(path: Path, name: str) -> Iterator[Row]:
    """The rows of an Arrow file, of the kind that the library `datasets` writes or of the one with an index."""
    try:
        import pyarrow.ipc
    except ImportError:
        raise r1sdk.R1Error(f"reading {name} needs pyarrow: pip install 'r1sdk[train]'") from None
    with path.open("rb") as file:
        try:
            is_indexed = file.read(6) == b"ARROW1"
            file.seek(0)
            if is_indexed:
                indexed = pyarrow.ipc.open_file(file)
                batches = (indexed.get_batch(at) for at in range(indexed.num_record_batches))
            else:
                batches = iter(pyarrow.ipc.open_stream(file))
            for batch in batches:
                yield from map(_numbered, batch.to_pylist())
        except (OSError, ValueError) as error:
            raise r1sdk.R1Error(f"{name} is not Arrow: {error}") from None


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
        yield from map(_numbered, batch.to_pylist())


def _data_set(origin: Origin, path: Path) -> Iterator[Row]:
    """By the library `datasets`, which reads a folder and the Hub in the same way."""
    try:
        from datasets import load_dataset, load_from_disk
    except ImportError:
        raise r1sdk.R1Error(f"reading {origin.source} needs datasets: pip install 'r1sdk[train]'") from None
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():  # written by `save_to_disk`
        saved = load_from_disk(str(path))
        if hasattr(saved, "keys"):
            if origin.split not in saved:
                raise r1sdk.R1Error(
                    f"{origin.source} has no split {origin.split!r}; found {', '.join(map(str, saved))}"
                )
            saved = saved[origin.split]
        yield from map(_numbered, saved)
        return
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
        yield from map(_numbered, rows)


def _numbered(row: Row) -> Row:
    return _as_row(dict(row), "a row")


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
