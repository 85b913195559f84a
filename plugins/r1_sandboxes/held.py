"""What the descendants of a process hold together, seen from outside of the jail."""

import os
from collections.abc import Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")


def can_be_seen(pid: int) -> bool:
    """Whether this kernel lists the children of `pid`."""
    return os.access(f"/proc/{pid}/task/{pid}/children", os.R_OK)


def descendants(pid: int) -> Iterator[int]:
    """The processes that descend from `pid`, as far as they live while they are listed."""
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


def memory_of(pids: list[int]) -> int:
    """Bytes that the processes have in memory together; what they share counts for each."""
    held = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                held += int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            continue
    return held


def unlinked_in(folder: str, pids: list[int], file_bytes: int) -> int:
    """Bytes of files in `folder` that have no name any more, but are open or mapped; of those mapped, `file_bytes` each."""
    opened: dict[str, int] = {}
    for pid in pids:
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                file = f"/proc/{pid}/fd/{name}"
                path = os.readlink(file)
                if path.startswith(folder) and path.endswith(" (deleted)"):
                    state = os.stat(file)
                    opened[str(state.st_ino)] = state.st_blocks * 512
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
                for line in maps:
                    if folder in line and line.endswith(" (deleted)\n"):
                        opened.setdefault(line.split()[4], file_bytes)  # its inode
        except OSError:  # ended meanwhile
            continue
    return sum(opened.values())
