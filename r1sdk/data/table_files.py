"""Read the rows of a table: JSON lines, JSON, CSV, TSV, parquet or Arrow, also compressed, and folders of such files.

Rows are read one at a time, so that the size of a file does not matter (one JSON list is the exception). Nothing is
repaired: a byte that is no UTF-8, or a line that is no JSON, is an error that names its row.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import R1Error
from ..storage.jsonl import json_words

Row = tuple[str, Mapping[str, Any]]  # where it stands, and its cells

TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
PACKED = (".gz", ".zst")
CAN_BE_READ = f"{', '.join(TABLES)}, each of the texts also with {' or '.join(PACKED)}, and a folder of such files"


def is_table(path: Path) -> bool:
    """True if the file's name says that it can be read."""
    return _kind(path) in TABLES


def table_files(path: Path) -> list[Path]:
    """Return the files of a table: `path` itself, or those in the folder. Raises: R1Error where there is none."""
    if path.is_dir():
        files = sorted(
            file for file in path.rglob("*") if file.is_file() and is_table(file) and file.name not in _NOT_ROWS
        )
        if not files:
            raise R1Error(f"data {path}: the folder holds none of {CAN_BE_READ}")
        return files
    if not path.is_file():
        raise R1Error(f"no file {path}")
    if not is_table(path):
        raise R1Error(f"data {path}: {CAN_BE_READ} can be read")
    return [path]


_NOT_ROWS = ("dataset_info.json", "state.json", "dataset_dict.json")  # beside the Arrow files of `save_to_disk`


def read_table(path: Path) -> Iterator[Row | R1Error]:
    """Yield each row; in place of a line that cannot be read, the error that names it. Raises: R1Error where none can."""
    for file in table_files(path):
        yield from _READERS[_kind(file)](file)


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked. Raises: R1Error."""
    kind = path.suffix.lower()
    try:
        if kind == ".gz":
            with gzip.open(path) as unpacked:
                yield io.BufferedReader(unpacked)
        elif kind == ".zst":
            with path.open("rb") as packed, _zstandard(packed) as file:
                yield file
        else:
            with path.open("rb") as file:
                yield file
    except (OSError, EOFError) as error:
        raise R1Error(f"cannot read {path}: {error}") from None


def _zstandard(packed: IO[bytes]) -> Any:
    try:
        import zstandard
    except ImportError:
        raise R1Error("reading .zst needs zstandard: pip install zstandard, or unpack the file with zstd -d") from None
    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed))


def _lines(path: Path) -> Iterator[tuple[int, str | R1Error]]:
    with _opened(path) as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = _without_mark(path, raw)
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                yield (
                    number,
                    R1Error(
                        f"{path}, line {number}: byte {error.start + 1} ({raw[error.start]:#04x}) is not UTF-8; {_CONVERT}"
                    ),
                )
                continue
            if text.strip():
                yield number, text


_CONVERT = "convert the file, e.g. with iconv -f latin1 -t utf-8"


def _without_mark(path: Path, raw: bytes) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise R1Error(f"{path} is UTF-16: convert it, e.g. with iconv -f utf-16 -t utf-8")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _json_lines(path: Path) -> Iterator[Row | R1Error]:
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        if isinstance(line, R1Error):
            yield line
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield R1Error(f"{where} is not JSON: {json_words(error)}")
            continue
        yield (where, row) if isinstance(row, dict) else R1Error(f"{where} must be an object, got {line.strip():.60}")


def _json(path: Path) -> Iterator[Row | R1Error]:
    """One list of rows, an object with one under `data` and the like, or JSON lines under the wrong name."""
    with _opened(path) as file:
        raw = file.read()
    try:
        text = _without_mark(path, raw).decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise R1Error(f"{path}, line {line}: byte {raw[error.start]:#04x} is not UTF-8; {_CONVERT}") from None
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "Extra data" not in str(error):
            raise R1Error(f"cannot read {path}: {error}") from None
        yield from _json_lines(path)  # each line an object
        return
    if isinstance(rows, dict):
        lists = [value for value in rows.values() if isinstance(value, list)]
        rows = (
            lists[0] if len(lists) == 1 and set(rows) <= {"data", "rows", "train", "instances", "version"} else [rows]
        )
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
        where = f"{path}, row {number}"
        yield (where, row) if isinstance(row, dict) else R1Error(f"{where} must be an object, got {row!s:.60}")


def _separated(by: str) -> Callable[[Path], Iterator[Row | R1Error]]:
    def read(path: Path) -> Iterator[Row | R1Error]:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        with _opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, delimiter=by)
            number = 1
            try:
                names = next(rows, [])
                if twice := sorted({name for name in names if names.count(name) > 1}):
                    raise R1Error(f"{path} has the column {', '.join(map(repr, twice))} twice")
                for number, cells in enumerate(rows, 2):
                    where = f"{path}, row {number - 1}"
                    if not cells:
                        continue
                    if len(cells) != len(names):
                        yield R1Error(
                            f"{where} has {len(cells)} cells, and there are {len(names)} columns ({', '.join(names)})"
                        )
                    else:
                        yield where, dict(zip(names, cells, strict=True))
            except UnicodeDecodeError as error:
                raise R1Error(
                    f"{path}, near row {number}: {error.object[error.start]:#04x} is not UTF-8; {_CONVERT}"
                ) from None
            except csv.Error as error:
                raise R1Error(f"{path}, near row {number}: {error}") from None

    return read


def _columnar(path: Path) -> Iterator[Row | R1Error]:
    """Parquet and Arrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise R1Error(f"reading {path} needs pyarrow: pip install 'r1sdk[train]'") from None
    number = 0
    try:
        if _kind(path) == ".parquet":
            table = pyarrow.parquet.ParquetFile(path)
            names, batches = table.schema_arrow.names, table.iter_batches(batch_size=256)
        else:
            source = pyarrow.memory_map(str(path))
            try:
                file = pyarrow.ipc.open_file(source)
                names, batches = file.schema.names, (file.get_batch(at) for at in range(file.num_record_batches))
            except pyarrow.ArrowInvalid:
                names = (stream := pyarrow.ipc.open_stream(source)).schema.names
                batches = iter(stream)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise R1Error(f"{path} has the column {', '.join(map(repr, twice))} twice")
        for batch in batches:
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", json.loads(json.dumps(row, default=str))  # dates and the like as text
    except UnicodeDecodeError:
        raise R1Error(f"{path}, near row {number + 1}: a text is not UTF-8") from None
    except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
        raise R1Error(f"cannot read {path}: {str(error).partition(chr(10))[0]}") from None


_READERS: Mapping[str, Callable[[Path], Iterator[Row | R1Error]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _columnar,
    ".arrow": _columnar,
}
