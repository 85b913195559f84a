"""Programs that compilers built, kept in memory while they are likely to run again."""

import os
import threading
from collections import OrderedDict

import r1sdk

from .jail_client import Jail
from .memory_files import memory_file, seal

LIMITS = r1sdk.ExecutionLimits(timeout_s=30.0, memory_bytes=1 << 30, output_bytes=64 << 10, disk_bytes=48 << 20)
MOST, MOST_BYTES = 64, 256 << 20  # programs kept, and their size together


def build(jail: Jail, source: int) -> int | r1sdk.Execution:
    """Return a new open file with the program built of file `source`, or the execution that failed. Raises: JailDied."""
    file = memory_file(runs=True)
    try:
        done = jail.build(source, file, LIMITS)
        if done.status == "ok":
            seal(file)
            return file
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return done


class Builds:
    """The programs built last, by their code. Several threads may use it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, code: str) -> int | None:
        """Return an open file with the program built of `code`, which you close. None: it is not kept."""
        with self._lock:
            if code not in self._kept:
                return None
            self._kept.move_to_end(code)
            return os.dup(self._kept[code])

    def keep(self, code: str, file: int) -> None:
        """Keep the program built of `code`. The oldest ones are dropped for it."""
        with self._lock:
            if code not in self._kept:  # or another thread has built it meanwhile
                self._kept[code] = os.dup(file)
            while len(self._kept) > MOST or sum(os.fstat(f).st_size for f in self._kept.values()) > MOST_BYTES:
                os.close(self._kept.popitem(last=False)[1])

    def close(self) -> None:
        """Drop all programs."""
        with self._lock:
            while self._kept:
                os.close(self._kept.popitem()[1])
