"""What makes a checkpoint whole: a mark that holds what was written, and what is amiss with one that is no longer so.

The mark is the file `complete`, written last: size and digest of every file of the checkpoint. Of a large file the digest covers
blocks spread over it, so that marking and checking take the same time whatever the model; a file that was cut short, or has
zeros or another file's blocks where a disk lost some, does not pass.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from .atomic import replace_json

MARK = "complete"
BLOCK = 1 << 20  # bytes
BLOCKS = 64  # of a file at most: those at its beginning and its end, and others at equal distances


def checkpoint_step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def mark_complete(checkpoint: Path) -> None:
    """Say that `checkpoint` is whole, after everything in it has reached the disk."""
    written = {}
    for file in sorted(checkpoint.rglob("*")):
        if file.is_file() and file.name != MARK:
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
            written[file.relative_to(checkpoint).as_posix()] = _measured(file)
    replace_json(checkpoint / MARK, {"files": written})


def damage(checkpoint: Path) -> list[str]:
    """What is not as it was written, one line for each file at fault; nothing for a checkpoint that is whole."""
    try:
        files = dict(json.loads((checkpoint / MARK).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        return [f"{MARK}: cannot be read ({type(error).__name__}), so nothing says what the checkpoint should hold"]
    return [f"{name}: {fault}" for name, was in files.items() if (fault := _fault(checkpoint / name, was))]


def _fault(file: Path, was: Any) -> str | None:
    try:
        size = file.stat().st_size
        if size != was["bytes"]:
            return f"{size} bytes, and {was['bytes']} were written"
        return None if _measured(file) == was else "not what was written"
    except FileNotFoundError:
        return "is not there"
    except (OSError, TypeError, KeyError) as error:
        return f"cannot be read: {error}"


def _measured(file: Path) -> dict[str, Any]:
    size, digest = file.stat().st_size, hashlib.blake2b(digest_size=16)
    blocks = -(-size // BLOCK)
    chosen = range(blocks) if blocks <= BLOCKS else [i * (blocks - 1) // (BLOCKS - 1) for i in range(BLOCKS)]
    with file.open("rb") as handle:
        for block in chosen:
            handle.seek(block * BLOCK)
            digest.update(handle.read(BLOCK))
    return {"bytes": size, "blake2b": digest.hexdigest()}
