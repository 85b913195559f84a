"""Files in memory: what goes into a jail and comes out of it, without a name that anybody could open."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

_MFD_EXEC = 0x10
_SEALS = 1 | 2 | 4 | 8  # against sealing, shrinking, growing, writing


@contextlib.contextmanager
def opened() -> Iterator[int]:
    """One that is closed at the end."""
    file = memory_file()
    try:
        yield file
    finally:
        os.close(file)


def memory_file(runs: bool = False) -> int:
    """An open file in memory; `runs`: one that a program can be started from."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("r1", flags | (_MFD_EXEC if runs else 0))
    except OSError:
        return os.memfd_create("r1", flags)  # a kernel before 6.3, where every such file can be started


def seal(file: int) -> None:
    """Nobody can change `file` any more."""
    os.lseek(file, 0, os.SEEK_SET)
    fcntl.fcntl(file, 1033, _SEALS)  # F_ADD_SEALS


@contextlib.contextmanager
def sealed(text: str) -> Iterator[int]:
    """A file in memory that holds `text` and that nobody can change. Lone surrogates become question marks."""
    with opened() as file:
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            rest = rest[os.write(file, rest) :]
        seal(file)
        yield file


def text_of(file: int, most: int) -> str:
    """The first `most` bytes of it, as text."""
    return os.pread(file, most, 0).decode("utf-8", "replace")
