"""Ctrl-C that comes where Python drops it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_S = 0.02


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
