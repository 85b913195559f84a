"""The signals that stop a command: SIGTERM does what Ctrl-C does, and a Ctrl-C that comes where Python drops it is sent again."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

AGAIN_S = 0.02


class Stops:
    """While it is entered, SIGTERM stops the command as Ctrl-C does; `terminated` then says so.

    A command in the background of a script ignores Ctrl-C, as its shell asks; SIGTERM stops it all the same.
    """

    def __init__(self) -> None:
        self.terminated = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._terminate)
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._ignore)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _terminate(self, number: int, frame: Any) -> None:
        self.terminated = True
        signal.raise_signal(signal.SIGINT)  # whoever listens to Ctrl-C now

    def _ignore(self, number: int, frame: Any) -> None:
        if self.terminated:
            raise KeyboardInterrupt


@contextmanager
def interrupts_that_arrive() -> Iterator[None]:
    """Send a Ctrl-C again that came while a finalizer or a weak reference's callback ran: Python ignores what these raise."""
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        # To the main thread, since that ends a wait for input, too.
        main = threading.main_thread().ident
        assert main is not None
        again = threading.Timer(AGAIN_S, signal.pthread_kill, (main, signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
