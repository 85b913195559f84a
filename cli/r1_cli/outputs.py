"""Files and folders that the commands write: whole or not there. And the one line on a disk that refuses them."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ADVICE = {  # disk errors that you can act on -> the advice
    errno.ENOSPC: "free some space, or write to another disk with --out",
    errno.EDQUOT: "your quota is used up: free some space, or write to another disk with --out",
    errno.EROFS: "the file system is read-only: choose a folder that you can write to",
    errno.EACCES: "check the permissions, or choose a place that you may read and write",
    errno.EPERM: "check the permissions, or choose a place that you may read and write",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "that is a folder: name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EEXIST: "choose another path, or move what is there",
    errno.ENOTEMPTY: "choose another path, or move what is there",
    errno.ELOOP: "the links in the path lead in a circle",
    errno.EIO: "the disk reports an error: check it",
    errno.ETXTBSY: "the file is in use by another program",
    errno.EMFILE: "too many files are open: raise the limit, ulimit -n",
    errno.ENFILE: "too many files are open on this machine",
}


def disk_message(error: OSError) -> str | None:
    """Return the disk's error and the advice; None for an error that is no matter of files."""
    advice = ADVICE.get(error.errno or 0)
    if advice is None:
        return None
    place = error.filename2 or error.filename
    # A file that was being written beside its place is named by its place.
    name = (
        re.sub(r"(?:^|(?<=/))\.([^/]+?)(?:\.\d+)?\.new(?=/|$)", r"\1", os.fsdecode(place))
        if isinstance(place, str | bytes)
        else ""
    )
    where = f"{name}: " if name else ""
    what = error.strerror or str(error)
    return f"{where}{what[:1].lower()}{what[1:]}\n  {advice}"


@contextmanager
def written_file(path: Path) -> Iterator[IO[str]]:
    """Open a file that takes the place of `path` at the end of the block, and is removed if the block fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # a pipe or /dev/stdout: nothing can take its place
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        return
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write a new folder with `files`, texts by their paths. A write that fails leaves nothing behind."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    try:
        for path, text in files.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_text(text, encoding="utf-8")
        new.rename(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
