"""Files that a kill at any moment leaves as they were or as they should be, never a part."""

import os
from pathlib import Path

HALF_CHARACTERS = "backslashreplace"  # a lone surrogate, which UTF-8 cannot hold, becomes its JSON escape


def replace_file(file: Path, text: str) -> None:
    """Write `file` so that a reader sees the old text or the new one, also after the machine went down."""
    new = file.with_name(f".{file.name}.{os.getpid()}.new")  # of several processes, each may say how the run ended
    try:
        with new.open("w", encoding="utf-8", errors=HALF_CHARACTERS) as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)  # on a full disk it would take the room of another try
        raise
