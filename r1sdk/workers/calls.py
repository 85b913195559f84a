"""Make one worker's calls in turn: send each call, wait until its deadline, replace the worker if it must be."""

import pickle
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from . import wire
from . import worker as process
from .handles import LOAD_S, ForkServer, Worker, search_path
from .outcome import Outcome

_MAX_FUNCTIONS = 32  # unpickled functions that a worker keeps


@dataclass(slots=True)
class Call:
    """A call to make: bytes that a worker can read, and the future that receives the outcome."""

    modules: frozenset[str]  # imported when the call is unpickled
    key: bytes  # digest of the function; a worker keeps the function under it
    function: bytes
    arguments: bytes
    timeout_s: float
    memory_bytes: int | None
    future: "Future[Outcome]" = field(default_factory=Future)


class Caller:
    """Makes calls in its own worker process, which starts with the first call. Use it from one thread only."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._worker: Worker | None = None

    def make(self, call: Call) -> None:
        """Make one call and set its future. Raises: R1Error if no worker can be started."""
        ending = ""
        for _ in range(3):  # a worker that ended before it began the call was not killed by the call: retry
            if self._worker is None:
                self._worker = self._server.fork(call.modules)
            try:
                reply = self._start(self._worker, call)
            except wire.Closed:
                ending = self._reap()
            except wire.Late:
                self._reap()
                ending = f"did not load the function within {LOAD_S:g} s"
                break
            else:
                if reply[:1] == process.STARTED:
                    self._finish(self._worker, call)
                else:  # the function could not be loaded
                    self._resolve(call, reply, 0.0)
                return
        call.future.set_result(Outcome("died", reason=f"the worker {ending}, before it began"))

    def end(self) -> None:
        """Release the worker. It ends when nobody calls it any more."""
        if self._worker is not None:
            self._worker.connection.close()

    def _start(self, worker: Worker, call: Call) -> bytes:
        """Send the call and return the first frame that comes back. Raises: Closed, Late."""
        known = call.key in worker.functions
        forget = not known and len(worker.functions) >= _MAX_FUNCTIONS
        if forget:
            worker.functions.clear()
        function = None if known else (call.function, search_path())
        request = (forget, call.key, function, call.arguments, call.memory_bytes)
        wire.send(worker.connection, pickle.dumps(request, pickle.HIGHEST_PROTOCOL))
        reply = wire.receive(worker.connection, time.monotonic() + LOAD_S, wire.MAX_RESULT_BYTES)
        if reply[:1] == process.STARTED:
            worker.functions.add(call.key)
        return reply

    def _finish(self, worker: Worker, call: Call) -> None:
        """Wait for the result of a call that has started. The caller gets it before the worker is cleaned up."""
        started = time.monotonic()
        try:
            reply = wire.receive(worker.connection, started + call.timeout_s, wire.MAX_RESULT_BYTES)
        except wire.Late:
            worker.kill()
            seconds = time.monotonic() - started
            call.future.set_result(Outcome("timeout", None, seconds, f"no result within {call.timeout_s:g} s"))
            self._reap()
        except wire.Closed:
            seconds = time.monotonic() - started
            call.future.set_result(Outcome("died", None, seconds, f"the worker {self._reap()}"))
        else:
            self._resolve(call, reply, time.monotonic() - started)

    def _resolve(self, call: Call, reply: bytes, seconds: float) -> None:
        call.future.set_result(_outcome(call, reply[:1], reply[2:], seconds))
        if reply[1:2] != process.GOOD:
            self._reap()

    def _reap(self) -> str:
        worker, self._worker = self._worker, None
        return self._server.reap(worker) if worker is not None else "ended"


def _outcome(call: Call, tag: bytes, payload: bytes, seconds: float) -> Outcome:
    if tag == process.MEMORY:
        limit = (
            f"more than {call.memory_bytes} bytes of memory" if call.memory_bytes else "more memory than is available"
        )
        return Outcome("memory", None, seconds, f"needed {limit}")
    try:
        if tag == process.VALUE:
            return Outcome("ok", pickle.loads(payload), seconds)
        pickled, traceback = pickle.loads(payload)
        raised = pickle.loads(pickled)
        raised.add_note(f"in a worker process:\n{traceback}")
        return Outcome("raised", raised, seconds, traceback)
    except Exception as error:  # noqa: BLE001 - a value can be built in the worker that cannot be built here
        text = f"its return value cannot be unpickled: {type(error).__name__}: {error}"
        return Outcome("raised", RuntimeError(text), seconds, text)
