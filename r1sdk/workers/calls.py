"""One worker's calls, one after the other: sent, waited for until the deadline, the worker replaced where it must be."""

import pickle
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from . import wire
from . import worker as process
from .handles import LOAD_S, ForkServer, Worker, search_path
from .outcome import Outcome

_MAX_FUNCTIONS = 32  # that a worker keeps unpickled


@dataclass(slots=True)
class Call:
    """A call to be made, as bytes that a worker can read, and the future that its outcome is put in."""

    modules: frozenset[str]  # that unpickling it imports
    key: bytes  # the function's, which a worker keeps
    function: bytes
    arguments: bytes
    timeout_s: float
    memory_bytes: int | None
    future: "Future[Outcome]" = field(default_factory=Future)


class Caller:
    """Makes calls in a worker of its own, started when the first one comes. For one thread."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._worker: Worker | None = None

    def make(self, call: Call) -> None:
        """Make one call and set its future. Raises: R1Error where no worker can be started."""
        how = ""
        for _ in range(3):  # a worker that ended before it began on the call has not been ended by it
            if self._worker is None:
                self._worker = self._server.fork(call.modules)
            try:
                reply = self._begun(self._worker, call)
            except wire.Closed:
                how = self._bury()
            except wire.Late:
                self._bury()
                how = f"did not load the function within {LOAD_S:g} s"
                break
            else:
                if reply[:1] == process.STARTED:
                    self._finish(self._worker, call)
                else:  # it could not be loaded
                    self._settle(call, reply, 0.0)
                return
        call.future.set_result(Outcome("died", reason=f"the worker {how}, before it began"))

    def end(self) -> None:
        """Let go of the worker, which ends when nobody calls it any more."""
        if self._worker is not None:
            self._worker.connection.close()

    def _begun(self, worker: Worker, call: Call) -> bytes:
        """Send the call; the first frame that comes back. Raises: Closed, Late."""
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
        """Wait for what comes of a call that has started. Whoever asked has it before anything is tidied up."""
        started = time.monotonic()
        try:
            reply = wire.receive(worker.connection, started + call.timeout_s, wire.MAX_RESULT_BYTES)
        except wire.Late:
            worker.kill()
            seconds = time.monotonic() - started
            call.future.set_result(Outcome("timeout", None, seconds, f"no result within {call.timeout_s:g} s"))
            self._bury()
        except wire.Closed:
            seconds = time.monotonic() - started
            call.future.set_result(Outcome("died", None, seconds, f"the worker {self._bury()}"))
        else:
            self._settle(call, reply, time.monotonic() - started)

    def _settle(self, call: Call, reply: bytes, seconds: float) -> None:
        call.future.set_result(_outcome(call, reply[:1], reply[2:], seconds))
        if reply[1:2] != process.GOOD:
            self._bury()

    def _bury(self) -> str:
        worker, self._worker = self._worker, None
        return self._server.bury(worker) if worker is not None else "ended"


def _outcome(call: Call, tag: bytes, payload: bytes, seconds: float) -> Outcome:
    if tag == process.MEMORY:
        limit = f"more than {call.memory_bytes} bytes of memory" if call.memory_bytes else "more memory than there is"
        return Outcome("memory", None, seconds, f"needed {limit}")
    try:
        if tag == process.VALUE:
            return Outcome("ok", pickle.loads(payload), seconds)
        pickled, said = pickle.loads(payload)
        raised = pickle.loads(pickled)
        raised.add_note(f"in a worker process:\n{said}")
        return Outcome("raised", raised, seconds, said)
    except Exception as error:  # noqa: BLE001 - what the function returned can be made there and not here
        text = f"what it returned cannot be unpickled: {type(error).__name__}: {error}"
        return Outcome("raised", RuntimeError(text), seconds, text)
