"""The far side of the sandbox `e2b`: a server on this machine that speaks the protocol of E2B's API and code interpreter.

The real one cannot run here. Contexts are real Python processes that keep their names and run one cell after another, as
E2B's kernels do; a cell that is too slow goes on after its client has left, and one that ends the process ends it alone.
What it was asked is kept for the tests to look at, and faults can be ordered.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "e2b_0123456789abcdef"
_KERNEL = """
import contextlib, io, json, os, sys
answers = os.fdopen(os.dup(1), "w")
names = {"__name__": "__main__"}
for line in sys.stdin:
    out = io.StringIO()
    error = None
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(json.loads(line), "cell", "exec"), names)
        except Exception as raised:
            error = [type(raised).__name__, str(raised)]
    answers.write(json.dumps([out.getvalue(), error]) + "\\n")
    answers.flush()
"""


class Kernel:
    """One context."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process = None
        self.restart()

    def restart(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _KERNEL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def execute(self, code: str) -> list[dict]:
        """The messages of one cell."""
        with self.lock:
            try:
                self.process.stdin.write(json.dumps(code) + "\n")
                self.process.stdin.flush()
                line = self.process.stdout.readline()
            except OSError:
                line = ""
            if not line:
                self.close()
                self.restart()
                return [{"type": "error", "name": "UnexpectedEndOfExecution", "value": "closed", "traceback": ""}]
        out, error = json.loads(line)
        half = len(out) // 2
        messages = [{"type": "stdout", "text": text, "timestamp": 1} for text in (out[:half], out[half:]) if text]
        if error:
            messages.append({"type": "error", "name": error[0], "value": error[1], "traceback": ""})
        return [*messages, {"type": "number_of_executions", "execution_count": 1}]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()


class E2BServer:
    """Runs until it is closed. `faults`: (what, status, headers) to answer instead, each once, first to last."""

    def __init__(self, port: int = 0) -> None:
        self.sandboxes: dict[str, dict] = {}  # that live, by id
        self.contexts: dict[str, Kernel] = {}
        self.created: list[dict] = []
        self.deleted: list[str] = []
        self.cells: list[str] = []
        self.most_at_once = 0
        self.faults: list[tuple[str, int, dict]] = []
        self.hang_s = 0.0  # every cell waits so long
        self._running = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.answer(self, "GET")

            def do_POST(self) -> None:
                server.answer(self, "POST")

            def do_DELETE(self) -> None:
                server.answer(self, "DELETE")

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """No answers from now on, and no processes."""
        self._http.shutdown()
        self._http.server_close()
        for kernel in self.contexts.values():
            kernel.close()

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        """One request."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        given = json.loads(body) if body else {}
        parts = request.path.strip("/").split("/")
        with self._lock:
            fault = next((fault for fault in self.faults if fault[0] == parts[-1 if method == "POST" else 0]), None)
            if fault:
                self.faults.remove(fault)
        if fault:
            return self._send(request, fault[1], {"code": fault[1], "message": "ordered"}, fault[2])
        if "sandboxes" in parts and request.headers.get("X-API-KEY") != KEY:
            return self._send(request, 401, {"code": 401, "message": "wrong key"})
        match method, parts:
            case "POST", ["v2", "sandboxes"]:
                name = uuid.uuid4().hex[:12]
                self.created.append(given)
                self.sandboxes[name] = given
                told = {
                    "templateID": "t",
                    "sandboxID": name,
                    "clientID": "c",
                    "envdVersion": "0.4.0",
                    "envdAccessToken": "a",
                }
                return self._send(request, 201, told)
            case "DELETE", ["sandboxes", name]:
                self.deleted.append(name)
                return self._send(request, 204 if self.sandboxes.pop(name, None) is not None else 404, None)
            case "GET", ["health"]:
                return self._send(request, 204, None)
            case "POST", ["contexts"]:
                name = uuid.uuid4().hex
                self.contexts[name] = Kernel()
                return self._send(request, 200, {"id": name, "language": "python", "cwd": "/home/user"})
            case "DELETE", ["contexts", name]:
                self.contexts.pop(name).close()
                return self._send(request, 200, None)
            case "POST", ["execute"]:
                return self._execute(request, given)
        return self._send(request, 404, {"code": 404, "message": f"no {method} {request.path}"})

    def _execute(self, request: BaseHTTPRequestHandler, given: dict) -> None:
        if request.headers["E2b-Sandbox-Id"] not in (*self.sandboxes, "debug_sandbox_id"):
            return self._send(request, 502, {"message": "The sandbox was not found"})
        self.cells.append(given["code"])
        with self._lock:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            time.sleep(self.hang_s)
            messages = self.contexts[given["context_id"]].execute(given["code"])
        finally:
            with self._lock:
                self._running -= 1
        text = "".join(json.dumps(message) + "\n" for message in [*messages, {"type": "end_of_execution"}])
        with contextlib.suppress(OSError):  # the client has left
            self._write(request, 200, text.encode(), {})

    def _send(self, request: BaseHTTPRequestHandler, status: int, told: object, headers: dict | None = None) -> None:
        self._write(request, status, b"" if told is None else json.dumps(told).encode(), headers or {})

    @staticmethod
    def _write(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict) -> None:
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
