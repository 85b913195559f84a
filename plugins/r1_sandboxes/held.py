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


def holds_too_much(pid: int, memory_bytes: int, processes: int) -> bool:
    """Whether the descendants of `pid` have more pages in memory, or are more, than they may."""
    held = 0
    for count, child in enumerate(descendants(pid), 1):
        try:
            with open(f"/proc/{child}/statm", encoding="ascii") as file:
                held += int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            continue
        if held > memory_bytes or count > processes:
            return True
    return False
