"""Append-only files of answers and verdicts. A kill leaves at most a torn last line."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ..errors import RunError
from ..storage import jsonl

Key = tuple[int, int]  # the task's index in its split, and the number of the sample


class Journal:
    """JSON lines, each under the key of its `place` and `sample`; read back by key."""

    def __init__(self, path: Path, check: jsonl.Check | None = None) -> None:
        """`check` returns the fault in the shape of a line, or None. Each line needs a place and a sample, too."""
        self.path = path
        self._check = check
        self._offsets: dict[Key, int] = {}
        self._file: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None

    def open(self) -> Iterator[dict[str, Any]]:
        """Yield every line, in order; a torn last one is cut off. Exhaust it before `add`. Raises: RunError for a damaged line."""
        jsonl.repair(self.path)
        self._at = 0
        try:
            for line, row in jsonl.read_numbered(self.path, check=self._fault):
                self._offsets[row["place"], row["sample"]] = line.offset
                yield row
        except RunError as error:
            raise RunError(
                f"{error}\n  delete that line to have it made again, or begin anew with --overwrite"
            ) from None
        self._file = self.path.open("ab")
        self._at = self._file.tell()

    def drop(self, refused: Callable[[Key], bool]) -> None:
        """Remove the lines under the keys that are `refused`, from an open journal."""
        self.close()
        jsonl.keep_rows(self.path, lambda row: not refused((row["place"], row["sample"])))
        self._offsets.clear()
        for _ in self.open():
            pass

    def __contains__(self, key: Key) -> bool:
        return key in self._offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def sorted_keys(self) -> list[Key]:
        """Return the keys in the order of tasks and samples."""
        return sorted(self._offsets)

    def add(self, key: Key, line: Mapping[str, Any]) -> None:
        """Append one line and hand it to the kernel. Raises: RunError if the key already exists."""
        assert self._file is not None
        if key in self._offsets:
            raise RunError(f"{self.path}: {key} twice")
        data = jsonl.dump({"place": key[0], "sample": key[1], **line})
        self._offsets[key] = self._at
        self._at += len(data)
        self._file.write(data)
        self._file.flush()

    def read(self, key: Key) -> dict[str, Any]:
        """Return the line under `key`."""
        if self._reader is None:
            self._reader = self.path.open("rb")
        self._reader.seek(self._offsets[key])
        return jsonl.parse(self._reader.readline())

    def _fault(self, row: jsonl.Row) -> str | None:
        if not {"place", "sample"} <= row.keys():
            return "no place and sample"
        return self._check(row) if self._check else None

    def close(self) -> None:
        for file in (self._file, self._reader):
            if file is not None:
                file.close()
        self._file = self._reader = None
