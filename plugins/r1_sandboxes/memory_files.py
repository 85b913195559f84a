"""Nameless files that carry a program, its input and its output into and out of a jail: nobody else can open them."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

_MFD_EXEC = 0x10
_SEALS = 1 | 2 | 4 | 8  # against sealing, shrinking, growing, writing
_READ, _READS = 1 << 16, 16  # bytes of one read, reads at a time


@contextlib.contextmanager
def opened() -> Iterator[int]:
    """Open a file in memory that is closed at the end."""
    file = memory_file()
    try:
        yield file
    finally:
        os.close(file)


def memory_file(runs: bool = False) -> int:
    """Open a file in memory; `runs`: one that a program can be started from."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("r1", flags | (_MFD_EXEC if runs else 0))
    except OSError:
        return os.memfd_create("r1", flags)  # a kernel before 6.3, where every such file can be started


def seal(file: int) -> None:
    """Make `file` unchangeable, for everybody."""
    os.lseek(file, 0, os.SEEK_SET)
    fcntl.fcntl(file, 1033, _SEALS)  # F_ADD_SEALS


@contextlib.contextmanager
def sealed(text: str) -> Iterator[int]:
    """Open a file in memory that holds `text` and that nobody can change. Lone surrogates become question marks."""
    with opened() as file:
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            rest = rest[os.write(file, rest) :]
        seal(file)
        yield file


def text_of(file: int, most: int) -> str:
    """Return the first `most` bytes of `file`, as text."""
    return os.pread(file, most, 0).decode("utf-8", "replace")


class KeptPipe:
    """A pipe of which the first `most` bytes are kept and the rest is counted only.

    Noise on stderr then costs a program nothing, while a file would take memory and end at a limit.
    """

    def __init__(self, most: int) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.bytes = 0
        self._most = most
        self._kept: list[bytes] = []

    def close_writer(self) -> None:
        """Close our end for writing, once the jail has its own."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def drain(self) -> bool:
        """Empty it, as far as a few reads do. Return False when nobody can write to it any more."""
        for _ in range(_READS):
            try:
                part = os.read(self.reader, _READ)
            except BlockingIOError:
                return True
            if not part:
                return False
            if (left := self._most - self.bytes) > 0:
                self._kept.append(part[:left])
            self.bytes += len(part)
        return True

    @property
    def text(self) -> str:
        """The bytes kept, as text."""
        return b"".join(self._kept).decode("utf-8", "replace")

    def close(self) -> None:
        self.close_writer()
        os.close(self.reader)
