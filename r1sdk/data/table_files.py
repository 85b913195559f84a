"""Read the rows of a table: JSON lines, JSON, CSV, TSV, parquet or Arrow, also compressed, and folders of such files.

Environments, SFT, DPO and the checks of data all read files here. Rows are read one at a time, so that the size of a file
does not matter (one JSON list is the exception). Nothing is repaired: a byte that is no UTF-8, a line that is no JSON, or a
row with another number of cells than there are columns is an error that names its row.
"""

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..storage.jsonl import json_words
from .row_formats import QUESTIONS, REPLIES

Row = tuple[str, Mapping[str, Any]]  # where it stands, and its cells

TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
PACKED = (".gz", ".zst")
CONVERSATION = "conversations"  # the column of a row that is nothing but a conversation
TABLE_FORMATS = f"{', '.join(TABLES)}, each of the texts also with {' or '.join(PACKED)}, and a folder of such files"
"""The files that `read_table` reads, in words."""


def is_table(path: Path) -> bool:
    """True if the file's name says that it can be read."""
    return _kind(path) in TABLES


def table_files(path: Path) -> list[Path]:
    """Return the files to learn from: `path` itself, or those in the folder but for its test files. Raises: R1Error for none."""
    if path.is_dir():
        files = split_files(path)
        return files.get("train") or [file for some in files.values() for file in some]
    if not path.is_file():
        raise R1Error(f"no file {path}")
    if not is_table(path):
        raise R1Error(f"data {path}: {TABLE_FORMATS} can be read")
    return [path]


def split_files(folder: Path) -> dict[str, list[Path]]:
    """Return the tables in a folder by their split: train, test or validation. Raises: R1Error where there is none.

    A file belongs to the split that its name or its folder says, as the library datasets reads them, else to train.
    """
    splits: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if file.is_file() and is_table(file) and not is_hidden and file.name not in _NOT_ROWS:
            words = re.split(r"[^a-z]+", inside.with_suffix("").as_posix().lower())
            said = (split for word in reversed(words) for split, names in _SPLITS.items() if word in names)
            splits.setdefault(next(said, "train"), []).append(file)
    if not splits:
        raise R1Error(f"data {folder}: the folder holds none of {TABLE_FORMATS}")
    return splits


_SPLITS = {
    "test": ("test", "testing", "eval", "evaluation"),
    "validation": ("validation", "valid", "dev", "val"),
    "train": ("train", "training"),
}
_NOT_ROWS = (
    "dataset_info.json",
    "dataset_infos.json",
    "state.json",
    "dataset_dict.json",
)  # beside the Arrow files of `save_to_disk`


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
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unpacked. Raises: R1Error."""
    kind = path.suffix.lower()
    try:
        if kind == ".gz":
            with gzip.open(path) as unpacked:
                yield io.BufferedReader(unpacked)
        elif kind == ".zst":
            with _zstandard(path) as file:
                yield file
        else:
            with path.open("rb") as file:
                yield file
    except (OSError, EOFError) as error:
        raise R1Error(f"cannot read {path}: {error}") from None


def _zstandard(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise R1Error("reading .zst needs pyarrow: pip install 'r1sdk[train]', or unpack the file: zstd -d") from None
    return io.BufferedReader(pyarrow.input_stream(str(path), compression="zstd"))


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


def _checked_start(path: Path, file: io.BufferedReader) -> Any:
    """Raises: R1Error where a text file begins as UTF-16 does."""
    _without_mark(path, file.peek(2)[:2])
    return file


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
            row = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            is_long = "integer string conversion" in str(error)
            why = (
                ": an integer of more than 4300 digits: write it as text"
                if is_long
                else f" is not JSON: {json_words(error)}"
            )
            yield R1Error(f"{where}{why}")
            continue
        yield _as_row(row, where)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises: ValueError where a key comes twice, of which JSON would keep the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has the key {_listed_twice(names)} twice")
    return found


def _listed_twice(names: Sequence[str]) -> str:
    return ", ".join(map(repr, sorted({name for name in names if names.count(name) > 1})))


def _as_row(row: Any, where: str) -> Row | R1Error:
    """An object as it is; a conversation, in a list or numbered from 0, as a row that holds it in one column."""
    if isinstance(row, dict):
        if row and all(name.isdigit() and _is_message(value) for name, value in row.items()):
            return where, {CONVERSATION: [row[name] for name in sorted(row, key=int)]}
        return where, row
    if isinstance(row, list) and row and all(map(_is_message, row)):
        return where, {CONVERSATION: row}
    return R1Error(f"{where} must be an object, got {json.dumps(row, ensure_ascii=False):.60}")


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("from" in value or "role" in value)


def _json(path: Path) -> Iterator[Row | R1Error]:
    """One list of rows, an object that holds one such list, a single row, or JSON lines under the wrong name."""
    with _opened(path) as file:
        raw = file.read()
    try:
        text = _without_mark(path, raw).decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise R1Error(f"{path}, line {line}: byte {raw[error.start]:#04x} is not UTF-8; {_CONVERT}") from None
    try:
        rows = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        if "Extra data" not in str(error):
            raise R1Error(f"cannot read {path}: {error}") from None
        yield from _json_lines(path)  # each line an object
        return
    for number, row in enumerate(_listed_rows(rows), 1):
        yield _as_row(row, f"{path}, row {number}")


def _listed_rows(content: Any) -> list[Any]:
    """Return the rows in a JSON file: its list, the only list of objects in its object, or its object as one row."""
    if isinstance(content, list):
        return content
    if not isinstance(content, dict) or any(str(key).lower() in _COLUMNS_OF_ROWS for key in content):
        return [content]
    lists = [value for value in content.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 and not _is_message(lists[0][0]) else [content]


_COLUMNS_OF_ROWS = {*QUESTIONS, *REPLIES, "text", "messages", "conversations", "chosen", "rejected", "task"}


def _separated(by: str) -> Callable[[Path], Iterator[Row | R1Error]]:
    def read(path: Path) -> Iterator[Row | R1Error]:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        with _opened(path) as file, io.TextIOWrapper(_checked_start(path, file), "utf-8-sig", newline="") as text:
            rows = csv.reader(text, delimiter=by, strict=True)
            number = 1
            try:
                names = [name.strip() for name in next(rows, [])]
                if twice := _listed_twice(names):
                    raise R1Error(f"{path} has the column {twice} twice")
                for number, cells in enumerate(rows, 2):
                    where = f"{path}, row {number - 1}"
                    if not cells:
                        continue
                    if len(cells) != len(names):
                        yield R1Error(
                            f"{where}: it has {len(cells)} cells, and there are {len(names)} columns ({', '.join(names)})"
                            "; a cell with a comma, a tab or a line break stands in quotes"
                        )
                    else:
                        yield where, dict(zip(names, cells, strict=True))
            except UnicodeDecodeError as error:
                raise R1Error(
                    f"{path}, near row {number}: {error.object[error.start]:#04x} is not UTF-8; {_CONVERT}"
                ) from None
            except csv.Error as error:
                raise R1Error(f"{path}, near row {number}: {error}; is a quote not closed?") from None

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
        if twice := _listed_twice(names):
            raise R1Error(f"{path} has the column {twice} twice")
        for batch in batches:
            for row in batch.to_pylist():
                number += 1
                # Dates and the like as text.
                yield _as_row(json.loads(json.dumps(row, default=str)), f"{path}, row {number}")
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
