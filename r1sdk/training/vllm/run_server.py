"""The vLLM server of a run: start it, wait for it, watch it, end it. It receives the trainer's weights at each step."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from ...errors import R1Error
from ...recipe.key_groups import VllmSettings
from ...storage.run_folder import RunFolder

LOG = "vllm.log"
SERVER_URL = "R1_VLLM_URL"  # set by a cluster job that has started the server
_OF_A_RANK = re.compile(
    r"(^|_)(RANK|WORLD_SIZE)$|^MASTER_|^ACCELERATE_|^TORCHELASTIC_"
)  # the server must not inherit these
_POLL_S = 0.5
_ASK_S = 10.0  # to answer a request that takes no work
_END_S = 20.0  # to end by itself after SIGTERM


class VllmServer:
    """A server at `url`, with its process if this run started it."""

    def __init__(self, url: str, settings: VllmSettings, log: Path, process: "subprocess.Popen[bytes] | None") -> None:
        self.url = url
        self.settings = settings
        self.log = log
        self.process = process
        self._over = threading.Event()

    @classmethod
    def start(cls, folder: RunFolder, where: str, settings: VllmSettings, visible: str | None) -> "VllmServer":
        """Start a server for the model at `where` on this machine. `visible`: the GPUs that it sees; None: all."""
        port, log = free_port(), folder.path / LOG
        arguments = [str(folder.path), "--port", str(port), "--model", where, "--parent", str(os.getpid())]
        own = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        around = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        os.environ["no_proxy"] = f"{around},127.0.0.1" if around else "127.0.0.1"
        outside = {key: value for key, value in os.environ.items() if not _OF_A_RANK.search(key)}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "r1sdk.training.vllm.serve_node", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to the run, which ends the server
                env={**outside, **own},
            )
        return cls(f"http://127.0.0.1:{port}", settings, log, process)

    def wait(self) -> None:
        """Wait until the server answers. Raises: R1Error if it ends or does not answer in time."""
        deadline = time.monotonic() + self.settings.start_timeout_s
        while not self.healthy():
            if (ended := self._ended()) is not None:
                raise R1Error(f"the vLLM server {ended} before it was ready{self._tail()}")
            if time.monotonic() > deadline:
                raise R1Error(
                    f"the vLLM server at {self.url} did not answer within {self.settings.start_timeout_s:g} s "
                    f"(generation.vllm.start_timeout_s){self._tail()}"
                )
            time.sleep(_POLL_S)

    def healthy(self) -> bool:
        """True if the server answers its health check."""
        try:
            return _get(f"{self.url}/health", _ASK_S)[0] == 200
        except (OSError, HTTPException):
            return False

    def check(self, cuda: bool) -> None:
        """Raises: R1Error if the server accepts no weights, or reports log-probabilities other than those it sampled from."""
        try:
            status, body = _get(f"{self.url}/server_info?config_format=json", 12 * _ASK_S)
            if status == 404:
                raise R1Error(f"the vLLM server at {self.url} accepts no weights: start it with VLLM_SERVER_DEV_MODE=1")
            config = json.loads(body)["vllm_config"]
            logprobs, transfer = config["model_config"]["logprobs_mode"], config["weight_transfer_config"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise R1Error(
                f"the vLLM server at {self.url} does not report its settings: {type(error).__name__}: {error}"
            ) from error
        if logprobs != "processed_logprobs":
            raise R1Error(f"the vLLM server at {self.url}: start it with --logprobs-mode processed_logprobs")
        if cuda and transfer is None:
            raise R1Error(
                f"""the vLLM server at {self.url}: start it with --weight-transfer-config '{{"backend": "nccl"}}'"""
            )

    def guard(self, client: Any) -> None:
        """Bound the waits of TRL's `client` by the settings, and explain its errors."""
        from requests.adapters import HTTPAdapter

        for scheme in ("http://", "https://"):
            client.session.mount(
                scheme, HTTPAdapter(pool_maxsize=64)
            )  # no silent minutes of retries against a dead server
        timeout = (_ASK_S, self.settings.request_timeout_s)

        def guarded(ask: Callable[..., Any]) -> Callable[..., Any]:
            def asked(url: str, **more: Any) -> Any:
                try:
                    return ask(url, timeout=timeout, **more)
                except Exception as error:  # TRL raises a bare Exception for a status that is not 200
                    raise self.lost(f"{type(error).__name__}: {str(error)[:300]}") from error

            return asked

        client._post, client._get = guarded(client._post), guarded(client._get)

    def lost(self, what: str) -> R1Error:
        """Return the error of a run whose server failed."""
        time.sleep(_POLL_S)  # so that a server that is ending has ended
        ended = self._ended()
        return R1Error(
            f"the vLLM server at {self.url} " + (f"{ended}" if ended else f"failed: {what}") + self._tail() + "\n"
            "  --resume continues from the last checkpoint, with a working server"
        )

    def watch(self, fail: Callable[[str], None]) -> None:
        """Watch the server from a thread, and call `fail` with the reason if it is dead or silent for `lost_after_s`.

        The trainer may then wait where no exception reaches it: in a broadcast of weights to a process that is gone.
        """

        def look() -> None:
            well = time.monotonic()
            while not self._over.wait(4 * _POLL_S):
                if self.healthy():
                    well = time.monotonic()
                elif time.monotonic() - well > self.settings.lost_after_s and not self._over.is_set():
                    fail(str(self.lost(f"it has not answered for {self.settings.lost_after_s:g} s")))
                    return

        threading.Thread(target=look, name="vllm-watch", daemon=True).start()

    def stop(self) -> None:
        """End the server's process and its children, if this run started it."""
        self._over.set()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads its own process group
        except ProcessLookupError:
            pass
        self.process.wait()

    def _ended(self) -> str | None:
        code = None if self.process is None else self.process.poll()
        if code is None:
            return None
        return f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def _tail(self, lines: int = 12) -> str:
        if self.process is None:
            return ""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        return "\n  ".join([f"; the end of {self.log}:", *said])


def _get(url: str, timeout_s: float) -> tuple[int, bytes]:
    """Return the status and the body of a reply. Raises: OSError, HTTPException."""
    try:
        with urlopen(url, timeout=timeout_s) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        return error.code, b""


def free_port() -> int:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return int(there.getsockname()[1])
