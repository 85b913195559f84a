"""Two files that only grow: the answers as they came, and their verdicts. A kill leaves at most a cut last line."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ..errors import RunError

Key = tuple[int, int]  # the place of the task in its split, and the sample


class Journal:
    """JSON lines, each under the key of its `place` and `sample`; read back by key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets: dict[Key, int] = {}
        self._file: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None

    def open(self) -> Iterator[dict[str, Any]]:
        """Every line that is whole, in order; what a kill cut is cut off. Exhaust it before `add`. Raises: RunError."""
        whole = 0
        if self.path.is_file():
            with self.path.open("rb") as file:
                for text in file:
                    line = _line(text)
                    if line is None:
                        if file.read(1):  # not the last: this is no cut, it is damage
                            raise RunError(f"{self.path}, byte {whole}: a line that is no JSON object")
                        break
                    self._offsets[line["place"], line["sample"]] = whole
                    whole += len(text)
                    yield line
            if whole < self.path.stat().st_size:
                os.truncate(self.path, whole)
        self._file = self.path.open("ab")
        self._at = whole

    def __contains__(self, key: Key) -> bool:
        return key in self._offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def sorted_keys(self) -> list[Key]:
        """In the order of tasks and samples, whenever they came."""
        return sorted(self._offsets)

    def add(self, key: Key, line: Mapping[str, Any]) -> None:
        """Append one line; it is with the kernel when this returns. Raises: RunError where the key is there already."""
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
        """The line under `key`."""
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
