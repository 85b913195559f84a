"""The plugin calls that have not returned: known in this process, and in a file that another process can read.

A plugin can hold the interpreter (a regular expression that backtracks, one huge product), so that no thread of this
process runs, or end the process at once. The process that started this one then reads in the file where it was.
"""

import itertools
import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

FILE = "plugin_calls"  # in a run folder, while it trains
_TEXT_BYTES = 200
_SLOT = struct.Struct(f"=d?H{_TEXT_BYTES}s")
_SLOTS = 2  # the call that runs now, and the oldest of those that wait
_BYTES = _SLOT.size * _SLOTS


@dataclass(frozen=True, slots=True)
class UnfinishedCall:
    """A call of a plugin that has not returned."""

    label: str
    since: float  # on `time.time`
    waits: bool = False  # async, and waiting for something; otherwise it runs
    loads: bool = False  # it may take long

    @property
    def seconds(self) -> float:
        return max(0.0, time.time() - self.since)


@dataclass(slots=True)
class ActiveCall:
    """A call that is being made. `thread`: of a call that runs in it; None: it waits."""

    label: str
    since: float
    thread: int | None
    is_loading: bool = False  # it may take long: it downloads data, for example
    overran: bool = False


_numbers = itertools.count()
active: dict[int, ActiveCall] = {}  # in the order in which they began
_file: mmap.mmap | None = None
_lock = Lock()


def begin(call: ActiveCall) -> int:
    """Note that `call` begins. Returns its number, for `end`."""
    number = next(_numbers)
    active[number] = call
    return number


def end(number: int) -> None:
    """Note that a call has returned."""
    active.pop(number, None)


def write_to(folder: Path | None, rank: int = 0) -> None:
    """Write the calls of this process to a file in `folder` from now on; None: no longer, and the file is removed."""
    global _file
    with _lock:
        if _file is not None:
            _file.close()
            _file = None
        if folder is not None:
            path = folder / FILE
            with path.open("ab") as file:  # made if it is missing; other ranks may write to it already
                file.truncate(max(file.tell(), _BYTES * (rank + 1)))
            with path.open("r+b") as file:
                whole = mmap.mmap(file.fileno(), _BYTES * (rank + 1))
            _file = whole
            _offsets[:] = [_BYTES * rank + _SLOT.size * slot for slot in range(_SLOTS)]
            for slot in range(_SLOTS):
                _write(slot, None)


_offsets = [0, 0]


def show_running(call: ActiveCall | None) -> None:
    """Show that this process runs `call`, or that it runs none."""
    if _file is not None:
        _write(0, call)


def show_waiting(call: ActiveCall | None) -> None:
    """Show the oldest call that waits, or that none does."""
    if _file is not None:
        _write(1, call)


def _write(slot: int, call: ActiveCall | None) -> None:
    assert _file is not None
    text = b"" if call is None else call.label.encode("utf-8", "replace")[:_TEXT_BYTES]
    since, loads = (0.0, False) if call is None else (call.since, call.is_loading)
    _SLOT.pack_into(_file, _offsets[slot], since, loads, len(text), text)


def unfinished_calls(folder: Path) -> list[UnfinishedCall]:
    """Return the calls that the processes of the run in `folder` have not finished, the oldest first."""
    try:
        data = (folder / FILE).read_bytes()
    except OSError:
        return []
    found: list[UnfinishedCall] = []
    for at in range(0, len(data) - _SLOT.size + 1, _SLOT.size):
        call: tuple[float, bool, int, bytes] = _SLOT.unpack_from(data, at)
        since, loads, length, text = call
        if 0.0 < since < float("inf") and 0 < length <= _TEXT_BYTES:
            label = text[:length].decode("utf-8", "replace")
            found.append(UnfinishedCall(label, since, at // _SLOT.size % _SLOTS == 1, loads))
    return sorted(found, key=lambda call: call.since)
