"""Full disks: recognise the errors that libraries raise for one, and reserve space so that the run can still report it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ...planning.memory import size_text
from ...storage.checkpoints import MARK
from ...storage.run_folder import RunFolder

_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
_WORDS = (
    "No space left on device",
    "Disk quota exceeded",
    "(os error 28)",  # safetensors
    "PytorchStreamWriter failed writing",
    "] . unexpected pos ",  # torch.save, which wrote less than it expected
)
_KEPT = 128 << 10  # bytes, for the status and the last lines of the log and the metrics


def keep_room(folder: RunFolder) -> None:
    """Reserve space on the run folder's disk, which `explain` releases. Raises: OSError if there is none."""
    folder.room_file.write_bytes(os.urandom(_KEPT))  # not zeros: some file systems store those without using space


def give_back(folder: RunFolder) -> None:
    with suppress(OSError):
        folder.room_file.unlink()


def fills(error: BaseException) -> bool:
    """True if the error, or one that caused it, means that the disk is full."""
    return any(
        (isinstance(one, OSError) and one.errno in _NUMBERS) or any(words in str(one) for words in _WORDS)
        for one in _chain(error)
    )


def out_of_room(folder: RunFolder, error: BaseException) -> str:
    """Release the reserved space and return the error to report."""
    give_back(folder)
    named = next((one.filename for one in _chain(error) if isinstance(one, OSError) and one.filename), None)
    place = Path(os.fsdecode(named)) if isinstance(named, (str, bytes)) else folder.checkpoints
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    whole = folder.complete_checkpoints()
    last = f"the last whole checkpoint is {whole[-1]}" if whole else "there is no whole checkpoint yet"
    return (
        f"no room on the disk of {place} ({size_text(free)} were free): {_first_line(error)}\n  {last}\n"
        f"  make room, and go on: r1 train --resume {folder.path}"
    )


def drop_half_written(folder: RunFolder) -> None:
    """Delete unfinished files, which nothing will read, so that the disk has space again."""
    for path in (*folder.checkpoints.glob("checkpoint-*"), *folder.path.glob(".*.new")):
        if path.is_dir() and not (path / MARK).is_file():
            shutil.rmtree(path, ignore_errors=True)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}"
