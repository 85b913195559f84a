"""Complete checkpoints: the mark with the digests of their files, and a check that finds damaged ones.

The mark is the file `complete`, written last: size and digest of every file of the checkpoint. Of a large file the digest covers
blocks spread over it, so that marking and checking take the same time whatever the model; a file that was cut short, or has
zeros or another file's blocks where a disk lost some, does not pass.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .atomic import replace_json

MARK = "complete"
BLOCK = 1 << 20  # bytes
BLOCKS = 64  # of a file at most: those at its beginning and its end, and others at equal distances


def checkpoint_step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def mark_complete(checkpoint: Path) -> None:
    """Mark `checkpoint` as complete after everything in it has reached the disk."""
    for file in checkpoint.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    replace_json(checkpoint / MARK, {"files": measure(checkpoint)})


def measure(folder: Path) -> dict[str, Any]:
    """Return the size and the digest of every file in `folder`, by its path there."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != MARK)
    return {file.relative_to(folder).as_posix(): _measured(file) for file in files}


def damage(checkpoint: Path) -> list[str]:
    """Return one line for each damaged file; empty for a complete checkpoint."""
    try:
        files = dict(json.loads((checkpoint / MARK).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        return [f"{MARK}: cannot be read ({type(error).__name__}), so nothing says what the checkpoint should hold"]
    return changes(checkpoint, files)


def changes(folder: Path, measured: Mapping[str, Any]) -> list[str]:
    """Return one line for each file of `folder` that is not as `measure` found it."""
    return [f"{name}: {fault}" for name, was in measured.items() if (fault := _fault(folder / name, was))]


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
