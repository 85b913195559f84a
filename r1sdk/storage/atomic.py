"""Replace files and folders atomically: write next to the old one, sync to the disk, rename.

A kill or a power cut at any moment leaves the old content or the new one, never a part of either.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import RunError

ESCAPED = "backslashreplace"  # UTF-8 has no lone surrogates: each is written as its escape, which JSON reads back

_SEAL = "# digest of the lines below: "


@contextmanager
def replacing(file: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to that replaces `file` when the block ends, and is deleted where the block raises.

    Unfinished files that killed processes left beside `file` are deleted.
    """
    new = file.with_name(f".{file.name}.{os.getpid()}.new")  # several processes may replace one file at a time
    _drop_unfinished(file)
    try:
        with _open_locked(new) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
            new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)  # on a full disk it would take the room of the next try
        raise
    sync_folder(file.parent)


def _open_locked(new: Path) -> IO[bytes]:
    """Open an unfinished file with the lock that tells other processes that its writer lives."""
    import fcntl

    while True:
        handle = new.open("wb")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle.fileno()), new.stat()):
                return handle
        except FileNotFoundError:  # deleted by another process before the lock was there
            pass
        except OSError:  # a file system without locks
            return handle
        handle.close()


def _drop_unfinished(file: Path) -> None:
    """Delete the unfinished files of `file` whose writer is dead: the kernel dropped the locks on them."""
    import fcntl

    start = f".{file.name}."
    try:
        with os.scandir(file.parent) as entries:
            found = [entry.path for entry in entries if entry.name.startswith(start) and entry.name.endswith(".new")]
    except OSError:  # the folder is missing or may not be read: writing says so
        return
    for path in found:
        if not path[len(str(file.parent)) :].lstrip("/")[len(start) : -len(".new")].isdigit():
            continue
        try:
            with open(path, "rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        except OSError:  # its writer lives, or it is gone already
            continue


def replace_file(file: Path, text: str) -> None:
    """Replace the content of `file` by `text`."""
    with replacing(file) as handle:
        handle.write(text.encode("utf-8", ESCAPED))


def replace_json(file: Path, value: Any) -> None:
    """Replace the content of `file` by `value` as indented JSON."""
    replace_file(file, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(file: Path) -> dict[str, Any] | None:
    """Return the JSON object in `file`, or None where there is no such file. Raises: RunError naming a file that is damaged."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror or error}") from None
    except RecursionError:
        raise RunError(f"{file} is damaged: JSON that nests too deep") from None
    except ValueError as error:
        raise RunError(f"{file} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise RunError(f"{file} is damaged: it must hold an object, got {value!r:.40}")
    return value


def sealed(text: str) -> str:
    """Return `text` under a comment line with its digest, by which `check_seal` knows whether the file is whole."""
    return f"{_SEAL}{_digest(text)}\n{text}"


def check_seal(file: Path) -> None:
    """Raises: RunError where a file that `sealed` made is not as it was written. A file without a seal passes."""
    try:
        seal, _, text = file.read_bytes().decode("utf-8", "replace").partition("\n")
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror or error}") from None
    if not (seal + text).strip("\x00 \n") or (seal.startswith(_SEAL) and seal != f"{_SEAL}{_digest(text)}"):
        raise RunError(f"{file} was changed or damaged since it was written: put it back from a copy")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", ESCAPED), digest_size=16).hexdigest()


def replace_folder(new: Path, place: Path) -> None:
    """Put the folder `new` in `place`, where an older one may be."""
    for file in new.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    shutil.rmtree(place, ignore_errors=True)
    new.rename(place)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` reach the disk: a rename is not on it before."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # some systems open no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems refuse to sync folders; the rename is atomic all the same
        pass
    finally:
        os.close(descriptor)


def drop_leftovers(folder: Path) -> None:
    """Delete unfinished files that a kill left. Only the holder of the folder's lock may call this."""
    for new in folder.glob(".*.new"):
        if new.is_file():
            new.unlink(missing_ok=True)
