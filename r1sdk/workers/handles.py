"""The pool's handles on its fork server and its workers: start them, send requests, kill them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from typing import Any

from ..errors import R1Error

LOAD_S = 120.0  # time to import the modules of a function; not counted against the call's own time
_PROGRAM = "from r1sdk.workers.fork_server import main; main({descriptor}, {parent})"
_SECRET_NAME = re.compile(
    r"TOKEN(?!IZER)|SECRET|PASSW|PASSPHRASE|CREDENTIAL|APIKEY|PRIVATE|(^|_)(KEYS?|AUTH|PAT|DSN)(_|$)", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]*@")  # a URL that contains a password
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}


class Worker:
    """A worker process and the connection to it."""

    def __init__(self, pid: int, connection: socket.socket, server: "subprocess.Popen[bytes]") -> None:
        self.pid = pid
        self.connection = connection
        connection.settimeout(LOAD_S)  # a worker that somebody stopped reads nothing
        self.server = server
        self.functions: set[bytes] = set()  # keys of the functions it keeps

    def kill(self) -> None:
        """Kill the worker now. Its pid cannot have been reused, because its server has not reaped it yet."""
        self.connection.close()
        if self.server.poll() is None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    kill(self.pid, signal.SIGKILL)


class ForkServer:
    """The process that forks this pool's workers. It starts on first use and is safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._workers: set[Worker] = set()
        self._modules: set[str] = set()  # imported in the server
        self._threaded: set[str] = set()  # modules that start threads: a process with threads must not fork
        self._closed = False

    def fork(self, modules: Iterable[str]) -> Worker:
        """Start a new worker, with `modules` imported where possible. Raises: R1Error."""
        with self._lock:
            for attempt in range(3):
                new = set(modules) - self._modules - self._threaded
                try:
                    worker, threads = self._fork(sorted(self._modules | new))
                except (OSError, ValueError) as error:  # the server was killed: start another one
                    self._stop()
                    reason = f"{type(error).__name__}: {error}"
                    continue
                if worker is not None:
                    self._modules |= new
                    self._workers.add(worker)
                    return worker
                self._threaded |= new or self._modules
                self._modules -= self._threaded
                self._stop()
                reason = f"the imports of {', '.join(sorted(new))} leave {threads} threads"
        raise R1Error(f"no worker process could be started: {reason}")

    def reap(self, worker: Worker) -> str:
        """Kill a worker and the processes it left behind. Returns how it ended, e.g. `was killed by SIGSEGV`."""
        worker.kill()
        with self._lock:
            self._workers.discard(worker)
            status = None
            if self._process is worker.server:
                try:
                    status = self._ask({"reap": worker.pid}).get("status")
                except (OSError, ValueError):  # it has ended, or its answers no longer match the requests
                    self._stop()
        return _describe_exit(status)

    def close(self) -> None:
        """End the server and its workers."""
        with self._lock:
            self._closed = True
            self._stop()

    def forget(self) -> None:
        """Release the parent's handles in a forked child."""
        for handle in (self._control, *(worker.connection for worker in self._workers)):
            if handle is not None:
                handle.close()
        if self._process is not None:
            self._process.returncode = 0  # not a child of this process, so there is nothing to wait for

    def _fork(self, modules: list[str]) -> tuple[Worker | None, int]:
        """Return a worker, or None with the server's number of threads. Raises: OSError, ValueError, R1Error."""
        process = self._running_process()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                answer = self._ask({"modules": modules, "path": search_path()}, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        if "pid" in answer:
            return Worker(answer["pid"], ours, process), 1
        ours.close()
        return None, int(answer["threads"])

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise R1Error("this pool of workers is closed")
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self._control, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as errors:
            program = _PROGRAM.format(descriptor=theirs.fileno(), parent=os.getpid())
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the process that uses the pool
                env=worker_environment(),
            )
            theirs.close()
            try:
                self._answer()
            except (OSError, ValueError):
                self._stop()
                errors.seek(0)
                text = errors.read().decode(errors="replace").strip()
                raise R1Error(f"no worker process could be started\n  {text[-2000:] or 'it printed nothing'}") from None
        return self._process

    def _ask(self, message: dict[str, Any], *descriptors: int) -> dict[str, Any]:
        if self._control is None:
            raise OSError("the server has ended")
        socket.send_fds(self._control, [json.dumps(message).encode() + b"\n"], descriptors)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        if self._control is None:
            raise OSError("the server has ended")
        text, deadline = b"", time.monotonic() + LOAD_S
        while not text.endswith(b"\n"):
            self._control.settimeout(max(0.001, deadline - time.monotonic()))
            part = self._control.recv(1 << 16)
            if not part:
                raise OSError("the server has ended")
            text += part
        return dict(json.loads(text))

    def _stop(self) -> None:
        """End the server; its workers end with it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=5.0)  # the server ends its workers first
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def worker_environment() -> dict[str, str]:
    """Return a worker's worker_environment: this process's, with its module search path, one thread per library and no secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not _SECRET_NAME.search(name) and not _SECRET_VALUE.search(value)
    }
    return {**kept, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(search_path())}


def search_path() -> list[str]:
    """Return the folders in which this process finds modules now."""
    return [path or os.getcwd() for path in sys.path]


def _describe_exit(status: int | None) -> str:
    if status is None:
        return "ended"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
