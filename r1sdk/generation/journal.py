"""Append-only files of answers and verdicts. A kill leaves at most a torn last line."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ..errors import RunError

Key = tuple[int, int]  # the task's index in its split, and the number of the sample


class Journal:
    """JSON lines, each under the key of its `place` and `sample`; read back by key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets: dict[Key, int] = {}
        self._file: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None

    def open(self) -> Iterator[dict[str, Any]]:
        """Return every complete line in order, and truncate a torn last line. Exhaust it before `add`. Raises: RunError."""
        complete_bytes = 0
        if self.path.is_file():
            with self.path.open("rb") as file:
                for text in file:
                    line = _line(text)
                    if line is None:
                        if file.read(1):  # not the last line: this is damage, not a torn write
                            raise RunError(f"{self.path}, byte {complete_bytes}: a line that is not a JSON object")
                        break
                    self._offsets[line["place"], line["sample"]] = complete_bytes
                    complete_bytes += len(text)
                    yield line
            if complete_bytes < self.path.stat().st_size:
                os.truncate(self.path, complete_bytes)
        self._file = self.path.open("ab")
        self._at = complete_bytes

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
        text = json.dumps({"place": key[0], "sample": key[1], **line}, ensure_ascii=False)
        data = text.encode("utf-8", "backslashreplace") + b"\n"
        self._offsets[key] = self._at
        self._at += len(data)
        self._file.write(data)
        self._file.flush()

    def read(self, key: Key) -> dict[str, Any]:
        """Return the line under `key`."""
        if self._reader is None:
            self._reader = self.path.open("rb")
        self._reader.seek(self._offsets[key])
        return dict(json.loads(self._reader.readline()))

    def close(self) -> None:
        for file in (self._file, self._reader):
            if file is not None:
                file.close()
        self._file = self._reader = None


def _line(text: bytes) -> dict[str, Any] | None:
    if not text.endswith(b"\n"):
        return None
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and {"place", "sample"} <= line.keys() else None
