"""Folders that programs write to in Landlock mode. A lock on each tells whether its owner still lives."""

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

_PREFIX = "r1-sandbox-"


class Scratch:
    """An empty folder that belongs to this process until it is removed. A new one removes those that killed processes left."""

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Remove the folder and everything in it. No program may run in it any more."""
        os.close(self._lock)
        _remove(self.path)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or removed meanwhile
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                # A folder that was only just made is not locked yet.
                if os.fstat(lock).st_mtime < time.time() - 60:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove `folder`, whatever programs made in it: folders deeper than any path is long, or that nobody may list.

    Folders inside folders are moved up before they are emptied, so every path stays short.
    """
    moved, prefix = 0, os.urandom(8).hex()  # a name that no program can have taken
    with contextlib.suppress(OSError):  # another process sweeps it at the same time
        while entries := list(os.scandir(folder)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                os.chmod(entry.path, 0o700)
                for inner in list(os.scandir(entry.path)):
                    if not inner.is_dir(follow_symlinks=False):
                        os.unlink(inner.path)
                        continue
                    moved += 1
                    os.chmod(inner.path, 0o700)  # a folder that cannot be written cannot be moved
                    os.rename(inner.path, folder / f"{prefix} {moved}")
                os.rmdir(entry.path)
        os.rmdir(folder)
