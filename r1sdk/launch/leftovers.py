"""The files that a training process has in its run folder only while it lives. One that is killed at its very end leaves them."""

from contextlib import suppress

from ..errors import RunError
from ..plugins.call_marker import FILE
from ..storage.run_folder import RunFolder


def drop_live_files(folder: RunFolder) -> None:
    """Delete the files of a process that was killed. If a process holds the folder, they are its own and stay."""
    live = [path for path in (folder.room_file, folder.path / FILE) if path.exists()]
    if not live:
        return
    try:
        folder.lock()
    except RunError:
        return
    try:
        for path in live:
            with suppress(OSError):  # a read-only disk: nobody reads them
                path.unlink(missing_ok=True)
    finally:
        folder.unlock()
