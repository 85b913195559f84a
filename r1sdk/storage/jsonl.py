"""JSON lines: append rows, read them back, follow a file that grows, and repair them after a kill or a bad disk.

One policy for every file of lines that r1sdk writes or reads:

- A line ends at "\\n" and nowhere else. Other characters that Unicode calls line ends (U+2028, U+2029, U+0085, "\\r") may stand
  in any text. `dump` writes them as they are, and lone surrogates and NULs as JSON escapes, so every text reads back the same.
- A last line without "\\n" is *torn*: a kill cut it, or it is still being written. Readers leave it out. Writers cut it off
  before they append (`repair`), so that two rows never run together.
- A line that ends in "\\n" but is no JSON object, or not of the shape that the reader asks for, is *damaged*. Nothing that r1sdk
  does leaves one, so it is never passed over in silence: readers raise a RunError that names the file and the line, unless
  they are given a `Damage`, which counts and describes the lines that were left out.
- A file is read one line at a time: memory does not grow with it.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import RunError
from .atomic import ESCAPED, replacing

Row = dict[str, Any]
Check = Callable[[Row], str | None]
"""Returns what is wrong with the shape of a row, or None."""

_BOM = b"\xef\xbb\xbf"
_REMEMBERED = 256  # bytes by which a followed file is known again
_FIRST = 3  # damaged lines that a message lists


class DamagedLine(ValueError):
    """A line that ends in a newline and cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file as bytes, with its place. `data` lacks the newline."""

    number: int  # from 1; of the lines that were read, where reading began inside the file
    offset: int  # bytes
    size: int  # bytes, with the newline
    data: bytes


@dataclass
class Damage:
    """Damaged lines that a reader left out: how many, and a description of the first few."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, where: str, reason: str) -> None:
        self.count += 1
        if len(self.first) < _FIRST:
            self.first.append(f"{where} {reason}")

    def __str__(self) -> str:
        more = f" and {self.count - len(self.first)} more" if self.count > len(self.first) else ""
        return "; ".join(self.first) + more


def dump(row: Mapping[str, Any], default: Callable[[Any], Any] | None = None) -> bytes:
    """Return `row` as one line of UTF-8 with its newline. `default` converts values that JSON does not have."""
    return (json.dumps(row, ensure_ascii=False, default=default) + "\n").encode("utf-8", ESCAPED)


def json_words(error: Exception) -> str:
    """Return what is wrong with the JSON of one line, with its column alone: the reader of the file knows the line."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
    return str(error)


def parse(data: bytes, check: Check | None = None) -> Row:
    """Return the row that a line holds. Raises: DamagedLine where it is no JSON object, or `check` finds fault with it."""
    try:
        row = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise DamagedLine("is JSON that nests too deep") from None
    except UnicodeDecodeError as error:
        raise DamagedLine(f"is not UTF-8 at its byte {error.start}") from None
    except ValueError as error:
        raise DamagedLine(f"is not JSON: {json_words(error)}") from None
    if not isinstance(row, dict):
        raise DamagedLine(f"must be an object, got {data.decode('utf-8', 'replace').strip():.60}")
    if check is not None and (fault := check(row)):
        raise DamagedLine(f"has the wrong shape: {fault}")
    return row


def lines(file: Path, start: int = 0, torn: bool = False) -> Iterator[Line]:
    """Yield the lines of `file` from byte `start` on, empty ones too. `torn`: also a last one without a newline.

    A file that does not exist has no lines. Raises: RunError where it cannot be read.
    """
    try:
        with file.open("rb") as handle:
            handle.seek(start)
            offset = start
            for number, text in enumerate(handle, 1):
                if not text.endswith(b"\n") and not torn:
                    return
                data = text.removesuffix(b"\n")
                yield Line(number, offset, len(text), data.removeprefix(_BOM) if offset == 0 else data)
                offset += len(text)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror or error}") from None


def read(
    file: Path, start: int = 0, damage: Damage | None = None, check: Check | None = None, torn: bool = False
) -> Iterator[Row]:
    """Yield the rows of `file` from byte `start` on. Raises: RunError naming a damaged line, unless `damage` counts them.

    `torn`: the last line needs no newline, as in files that other programs wrote.
    """
    return (row for _, row in read_numbered(file, start, damage, check, torn))


def read_numbered(
    file: Path, start: int = 0, damage: Damage | None = None, check: Check | None = None, torn: bool = False
) -> Iterator[tuple[Line, Row]]:
    """Yield each row of `file` with the line that holds it; otherwise as `read`."""
    for line in lines(file, start, torn):
        if not line.data.strip():
            continue
        try:
            yield line, parse(line.data, check)
        except DamagedLine as error:
            if damage is None:
                raise RunError(f"{line_name(file, line)} {error}") from None
            damage.add(line_name(file, line), str(error))


def line_name(file: Path, line: Line) -> str:
    """Return the place of a line as messages have it."""
    return f"{file}, line {line.number}"


def append(file: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Append `rows` and return how many there were. They are with the kernel when this returns, so a killed process loses none.

    The file must end in a whole line: call `repair` once before the first append.
    """
    written = [dump(row) for row in rows]
    with file.open("ab") as handle:
        handle.write(b"".join(written))
    return len(written)


def repair(file: Path) -> int:
    """Cut off a torn last line. Returns how many bytes went. For files that one process writes."""
    try:
        with file.open("r+b") as handle:
            size = handle.seek(0, os.SEEK_END)
            whole = _end_of_last_line(handle, size)
            if whole < size:
                handle.truncate(whole)
            return size - whole
    except FileNotFoundError:
        return 0


def keep_rows(file: Path, keep: Callable[[Row], bool], damage: Damage | None = None, check: Check | None = None) -> int:
    """Drop from `file` the rows that `keep` refuses, and return how many stay; their bytes are as they were.

    A torn last line goes, and so do the damaged lines that `damage` counts. Where only the end of the file goes it is cut off,
    otherwise the rest is written anew.
    """
    kept = end = 0  # `end`: of the rows at the beginning of the file that all stay
    is_prefix = True
    for line, row in read_numbered(file, damage=damage, check=check):
        if keep(row):
            kept += 1
            is_prefix = is_prefix and line.offset == end
            end = line.offset + line.size if is_prefix else end
    if not file.is_file():
        return 0
    if is_prefix:
        if end < file.stat().st_size:
            os.truncate(file, end)
        return kept
    with replacing(file) as new:
        for line, row in read_numbered(file, damage=None if damage is None else Damage(), check=check):
            if keep(row):
                new.write(line.data + b"\n")
    return kept


def last(file: Path, check: Check | None = None, within: int = 1 << 16) -> Row | None:
    """Return the last row of a file that may still grow; None where the last `within` bytes hold no whole, undamaged line."""
    try:
        with file.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - within))
            ended = handle.read().split(b"\n")[:-1]
    except OSError:
        return None
    for data in reversed(ended if size <= within else ended[1:]):
        try:
            return parse(data, check)
        except DamagedLine:
            continue
    return None


@dataclass
class Tail:
    """The rows of a file that grows, read as they come."""

    file: Path
    check: Check | None = None
    damage: Damage = field(default_factory=Damage)
    _read: int = 0  # bytes
    _end: bytes = b""  # the last bytes that were read

    def more(self) -> Iterator[Row]:
        """Yield the rows that were added since the last call. A line that is still being written is left for the next one."""
        for line in lines(self.file, self._read):
            self._read = line.offset + line.size
            self._end = (line.data + b"\n")[-_REMEMBERED:]
            if not line.data.strip():
                continue
            try:
                yield parse(line.data, self.check)
            except DamagedLine as error:
                self.damage.add(f"{self.file}, byte {line.offset}", str(error))

    def restarted(self) -> bool:
        """True once where the file was rewound below the rows read so far, even if it has grown since; `more` then begins anew."""
        try:
            with self.file.open("rb") as handle:
                handle.seek(max(0, self._read - len(self._end)))
                is_same = handle.read(len(self._end)) == self._end
        except OSError:
            is_same = not self._read
        if is_same:
            return False
        self._read, self._end, self.damage = 0, b"", Damage()
        return True


def _end_of_last_line(handle: IO[bytes], size: int, block: int = 1 << 16) -> int:
    """The offset behind the last newline; 0 where there is none."""
    end = size
    while end:
        start = max(0, end - block)
        handle.seek(start)
        found = handle.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
