"""Memory, threads and files of the descendants of a process, read from /proc outside of the jail."""

import contextlib
import os
from collections.abc import Iterable, Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")
_THREADS = 17  # the field num_threads of /proc/PID/stat, counted from behind the name of the process


def can_be_seen(pid: int) -> bool:
    """True if this kernel lists the children of `pid`."""
    return os.access(f"/proc/{pid}/task/{pid}/children", os.R_OK)


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that descend from `pid`. One that ends meanwhile may be left out."""
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:  # ended meanwhile
            continue
        for thread in threads:
            try:
                with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as file:
                    children = [int(child) for child in file.read().split()]
            except OSError:
                continue
            yield from children
            waiting += children


def memory_of(pids: Iterable[int]) -> int:
    """Return the bytes that the processes have in memory together; shared memory counts for each."""
    held = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                held += int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            continue
    return held


def tasks_of(pids: Iterable[int]) -> int:
    """Return the number of threads of the processes together."""
    tasks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                tasks += int(file.read().rpartition(b")")[2].split()[_THREADS])
        except (OSError, IndexError):
            continue
    return tasks


def unlinked_in(folder: str, pids: Iterable[int], file_bytes: int) -> int:
    """Return the bytes of files in `folder` that have no name any more, but are open or mapped.

    The size of a file that is only mapped cannot be read: it counts as `file_bytes`.
    """
    opened: dict[str, int] = {}
    for pid in pids:
        for file in _open_files(pid):
            # Each by itself: a program that keeps closing files must not hide the others.
            with contextlib.suppress(OSError):
                path = os.readlink(file)
                if path.startswith(folder) and path.endswith(" (deleted)"):
                    state = os.stat(file)
                    opened[str(state.st_ino)] = state.st_blocks * 512
        with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            for line in maps:
                if folder in line and line.endswith(" (deleted)\n"):
                    opened.setdefault(line.split()[4], file_bytes)  # its inode
    return sum(opened.values())


def _open_files(pid: int) -> list[str]:
    try:
        return [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]
    except OSError:  # ended meanwhile
        return []
