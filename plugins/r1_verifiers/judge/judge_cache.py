"""Verdicts that a judge has already given, by the hash of the question: in memory, and in a file where one is named."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Cache:
    """Scores by key, the oldest forgotten beyond `limit`.

    The file is JSON lines of a hash and a score, so it holds nothing of the texts. Several processes may add to one file: a
    line is written at once. A line that cannot be read, as a kill may leave, is skipped.
    """

    file: Path | None = None
    limit: int = 100_000
    _scores: dict[str, float] = field(default_factory=dict)
    _read: bool = False
    _torn: bool = False  # the file ends in the middle of a line

    def get(self, key: str) -> float | None:
        """The score under `key`, or None."""
        self._load()
        return self._scores.get(key)

    def put(self, key: str, score: float) -> None:
        """Remember `score` under `key`."""
        self._load()
        if self.limit:
            self._remember(key, score)
        if self.file is not None:
            line = json.dumps({"key": key, "score": score}) + "\n"
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, (("\n" if self._torn else "") + line).encode())
            finally:
                os.close(descriptor)
            self._torn = False

    def _remember(self, key: str, score: float) -> None:
        self._scores[key] = score
        if len(self._scores) > self.limit:
            del self._scores[next(iter(self._scores))]

    def _load(self) -> None:
        if self._read:
            return
        self._read = True
        if self.file is None or not self.limit or not self.file.exists():
            return
        line = ""
        with self.file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                try:
                    row = json.loads(line)
                    key, score = row["key"], row["score"]
                except (ValueError, TypeError, KeyError, RecursionError):
                    continue
                if isinstance(key, str) and isinstance(score, float) and math.isfinite(score) and 0.0 <= score <= 1.0:
                    self._remember(key, score)
        self._torn = bool(line) and not line.endswith("\n")
