"""A vLLM server beside a run: started, waited for, watched, ended. It takes the trainer's weights at each step."""

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
SERVER_URL = "R1_VLLM_URL"  # where the job of a cluster has started the server
_OF_A_RANK = re.compile(r"(^|_)(RANK|WORLD_SIZE)$|^MASTER_|^ACCELERATE_|^TORCHELASTIC_")  # not for another program
_POLL_S = 0.5
_ASK_S = 10.0  # for an answer to a question that takes no work
_END_S = 20.0  # to end by itself


class VllmServer:
    """A server at `url`, and its process where it is ours."""

    def __init__(self, url: str, settings: VllmSettings, log: Path, process: "subprocess.Popen[bytes] | None") -> None:
        self.url = url
        self.settings = settings
        self.log = log
        self.process = process
        self._over = threading.Event()

    @classmethod
    def start(cls, folder: RunFolder, where: str, settings: VllmSettings, visible: str | None) -> "VllmServer":
        """A server of the model at `where` on this machine. `visible`: the GPUs it sees, None for all."""
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
                start_new_session=True,  # Ctrl-C is for the run, which ends it
                env={**outside, **own},
            )
        return cls(f"http://127.0.0.1:{port}", settings, log, process)

    def wait(self) -> None:
        """Until it answers. Raises: R1Error where it ends, or does not answer in time."""
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
        """Whether it answers, and says that it is well."""
        try:
            return _get(f"{self.url}/health", _ASK_S)[0] == 200
        except (OSError, HTTPException):
            return False

    def check(self, cuda: bool) -> None:
        """Raises: R1Error where it cannot take weights, or says other log-probabilities than those it sampled from."""
        try:
            status, body = _get(f"{self.url}/server_info?config_format=json", 12 * _ASK_S)
            if status == 404:
                raise R1Error(f"the vLLM server at {self.url} takes no weights: start it with VLLM_SERVER_DEV_MODE=1")
            config = json.loads(body)["vllm_config"]
            logprobs, transfer = config["model_config"]["logprobs_mode"], config["weight_transfer_config"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise R1Error(
                f"the vLLM server at {self.url} does not say how it is set: {type(error).__name__}: {error}"
            ) from error
        if logprobs != "processed_logprobs":
            raise R1Error(f"the vLLM server at {self.url}: start it with --logprobs-mode processed_logprobs")
        if cuda and transfer is None:
            raise R1Error(
                f"""the vLLM server at {self.url}: start it with --weight-transfer-config '{{"backend": "nccl"}}'"""
            )

    def guard(self, client: Any) -> None:
        """Have `client`, TRL's, wait no longer than the settings say, and explain what it meets."""
        from requests.adapters import HTTPAdapter

        for scheme in ("http://", "https://"):
            client.session.mount(scheme, HTTPAdapter(pool_maxsize=64))  # no silent minutes of attempts at a dead server
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
        """The error of a run whose server failed."""
        time.sleep(_POLL_S)  # one that is ending has ended then
        ended = self._ended()
        return R1Error(
            f"the vLLM server at {self.url} " + (f"{ended}" if ended else f"failed: {what}") + self._tail() + "\n"
            "  --resume goes on from the last checkpoint, with a server that is well"
        )

    def watch(self, fail: Callable[[str], None]) -> None:
        """Call `fail` with the reason, in a thread, once it has been dead or silent for `lost_after_s`.

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
        """End the process, if it is ours, and whatever it has started."""
        self._over.set()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads a group of its own
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
    """The status and the body of a reply. Raises: OSError, HTTPException."""
    try:
        with urlopen(url, timeout=timeout_s) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        return error.code, b""


def free_port() -> int:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return int(there.getsockname()[1])
