"""Watch the calls of plugins from a thread: name one that does not return, and end one that exceeds the recipe's limit."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from . import call_marker, guard

SLOW_S = 30.0
GRACE_S = 15.0  # from the limit until the process is ended, if the plugin cannot be interrupted
SHOWN_S = 2.0  # a call that waits longer is shown to other processes
_SIGNAL = getattr(signal, "SIGRTMIN", 34) + 4  # that nobody else uses


def slow_text(label: str, seconds: float) -> str:
    """Return the message about a call that has not returned."""
    return (
        f"{label} has not returned for {seconds:.0f} s\n"
        "  give it a timeout_s in the recipe, or mark it with r1sdk.isolated: then a call that takes too long costs one reward; "
        "limits.plugin_timeout_s ends the run instead of waiting for ever"
    )


class Watchdog:
    """A thread that watches the calls of plugins in this process, as long as the context is open.

    `tell(label, text)`: called once for each plugin with a call that has lasted `slow_s`. `give_up(text)`: called if a call
    exceeds the limit of `guard.set_limit` and cannot be interrupted; it should end the process.
    """

    def __init__(
        self,
        tell: Callable[[str, str], None],
        give_up: Callable[[str], None] | None = None,
        slow_s: float = SLOW_S,
        every_s: float = 1.0,
        grace_s: float = GRACE_S,
    ) -> None:
        self.tell = tell
        self.give_up = give_up
        self.slow_s = slow_s
        self.every_s = every_s
        self.grace_s = grace_s
        self._told: set[str] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="r1-watchdog", daemon=True)
        self._interrupts = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            signal.signal(_SIGNAL, _interrupt)
            self._interrupts = True
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        if self._interrupts:
            signal.signal(_SIGNAL, signal.SIG_DFL)

    def _watch(self) -> None:
        while not self._ends.wait(self.every_s):
            self._look(time.time())

    def _look(self, now: float) -> None:
        calls = list(call_marker.active.values())
        waiting = [call for call in calls if call.thread is None and now - call.since > SHOWN_S]
        call_marker.show_waiting(waiting[0] if waiting else None)
        for call in calls:
            seconds = now - call.since
            if call.is_loading:
                continue
            if seconds > self.slow_s and call.label not in self._told:
                self._told.add(call.label)
                self.tell(call.label, slow_text(call.label, seconds))
            limit_s = guard.limit()
            if limit_s is not None and seconds > limit_s:
                self._stop(call, seconds - limit_s)

    def _stop(self, call: call_marker.ActiveCall, over_s: float) -> None:
        if call.thread is not None and not call.overran:
            call.overran = True
            if self._interrupts and call.thread == threading.main_thread().ident:
                signal.pthread_kill(call.thread, _SIGNAL)
        elif over_s > self.grace_s and self.give_up is not None:
            self.give_up(guard.overrun_text(call.label))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Leave the plugin that exceeds the limit, unless it has returned in the meantime."""
    here = threading.main_thread().ident
    if guard.current() is not None and any(call.overran for call in call_marker.active.values() if call.thread == here):
        raise guard.Overrun
