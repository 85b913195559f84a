"""The lock of a folder, and folders that one process alone gets.

The kernel drops the lock when its holder dies, by SIGKILL too. The file `.lock` stays, and holds the process id of the last holder.
"""

import os
import time
from pathlib import Path
from typing import IO

from ..errors import RunError

LOCK_FILE = ".lock"
_PAUSE_S = 0.1


class FolderLock:
    """A folder that one process holds at a time, among those that ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: IO[bytes] | None = None

    def acquire(self, wait_s: float = 0.0) -> None:
        """Hold the folder, waiting at most `wait_s`. Raises: RunError where another process holds it."""
        import fcntl

        deadline = time.monotonic() + wait_s
        try:
            handle = (self.folder / LOCK_FILE).open("a+b")
        except OSError as error:
            raise RunError(f"cannot lock {self.folder}: {error.strerror or error}") from None
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = _holder(handle)
                    handle.close()
                    raise RunError(f"{self.folder} is in use by another process{holder}") from None
                time.sleep(_PAUSE_S)
            except OSError as error:  # as on file systems without locks
                handle.close()
                raise RunError(f"cannot lock {self.folder}: {error.strerror or error}") from None
        handle.truncate(0)
        handle.write(str(os.getpid()).encode())
        handle.flush()
        self._handle = handle

    def release(self) -> None:
        """Let go of the folder; does nothing where it is not held."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def claim_folder(wanted: Path) -> Path:
    """Make the folder `wanted` and return it; where the name is taken, `wanted-2`, `wanted-3` and so on.

    Two processes that ask at the same moment get folders of different names. Raises: RunError where none can be made.
    """
    number = 1
    while True:
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            wanted.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
            if not wanted.parent.is_dir():
                raise RunError(f"cannot make {wanted}: {wanted.parent} is no folder") from None
        except OSError as error:
            raise RunError(f"cannot make {path}: {error.strerror or error}") from None


def is_leftover(path: Path, name: str) -> bool:
    """True for what a kill leaves in a folder before the file `name` is there: its lock, and unfinished copies of that file."""
    return path.name == LOCK_FILE or path.match(f".{name}.*.new")


def _holder(handle: IO[bytes]) -> str:
    """` (pid N)`, where the holder has written it by now."""
    handle.seek(0)
    text = handle.read(20)
    return f" (pid {text.decode()})" if text.isdigit() else ""
