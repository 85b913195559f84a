"""Start the worker as a child of this process, on this machine."""

import ctypes
import os
import signal
import subprocess
import sys

from ..runs import RunFolder

_PR_SET_PDEATHSIG = 1


def start(folder: RunFolder) -> "subprocess.Popen[bytes]":
    """The worker's process. Its output goes to `worker.log`; it stops, saving, when this process dies."""
    with folder.log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "r1sdk.train.worker", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it through us, once
            preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
        )


def interrupt(worker: "subprocess.Popen[bytes]") -> None:
    """Ask the worker to save a checkpoint and end; asked again, it ends at once."""
    if worker.poll() is None:
        worker.send_signal(signal.SIGINT)


def _die_with(parent: int):  # type: ignore[no-untyped-def]
    libc = ctypes.CDLL(None)

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask_the_kernel
