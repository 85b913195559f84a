"""The folder that programs write to, seen from inside the jail: how much is in it, and emptying it."""

import os
from collections.abc import Iterator

_MOST_FILES, _MOST_DEPTH = 1000, 64
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSEEN = os.O_NOATIME  # otherwise a program could tell when it is being counted, and move files behind the count


class ScratchFolder:
    """The current folder. `is_disk`: it is a file system that holds nothing else."""

    def __init__(self, is_disk: bool) -> None:
        self._is_disk = is_disk
        self._empty = os.statvfs(".") if is_disk else None

    def is_over(self, most_bytes: int) -> bool:
        """True if it holds more than `most_bytes`, or too many or too deep files."""
        if self._empty is not None:  # the file system has counted, files without names too
            now = os.statvfs(".")
            held = (self._empty.f_bfree - now.f_bfree) * now.f_frsize
            return held > most_bytes or self._empty.f_ffree - now.f_ffree > _MOST_FILES
        held = files = 0
        try:
            for size in _sizes("."):
                held += size
                files += 1
                if held > most_bytes or files > _MOST_FILES:
                    return True
        except _TooDeep:
            return True
        return False

    def clear(self) -> None:
        """Remove everything in it. No program may run meanwhile.

        It goes down and up one level at a time: depth, length of paths and modes of folders do not matter.
        """
        above: list[tuple[str, list[str]]] = []
        folders = _remove_files()
        while folders or above:
            if folders:
                name = folders.pop()
                os.chmod(name, 0o700)
                os.chdir(name)
                above.append((name, folders))
                folders = _remove_files()
            else:
                os.chdir("..")
                name, folders = above.pop()
                os.rmdir(name)


class _TooDeep(Exception):
    """Folders lie deeper in each other than is allowed, or one cannot be listed."""


def _sizes(name: str, parent: int | None = None, depth: int = 0) -> Iterator[int]:
    """Yield the bytes that each file and folder below `name` takes on the disk, while programs change them."""
    folder = _open_folder(name, parent)
    if folder is None:
        return
    try:
        if depth > _MOST_DEPTH:
            raise _TooDeep
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    yield entry.stat(follow_symlinks=False).st_blocks * 512
                except FileNotFoundError:
                    yield 0
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.name, folder, depth + 1)
    finally:
        os.close(folder)


def _open_folder(name: str, parent: int | None) -> int | None:
    """Open a folder, and make one that its owner may not list readable. None: it has gone meanwhile."""
    for _ in range(3):
        try:
            return os.open(name, _FOLDER | _UNSEEN, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            # A program may put a link in its place between two calls, so the mode of this very folder is changed.
            try:
                pinned = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                try:
                    os.chmod(f"/proc/self/fd/{pinned}", 0o700)
                finally:
                    os.close(pinned)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError:
                break
        except OSError:
            break
    raise _TooDeep


def _remove_files() -> list[str]:
    """Remove the files of the current folder. Return the folders in it."""
    with os.scandir(".") as entries:
        found = list(entries)
    folders = []
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        else:
            os.unlink(entry.name)
    return folders
