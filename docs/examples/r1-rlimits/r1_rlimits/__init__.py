"""The sandbox `rlimits`: a process with limits. Files and the network are as open to it as they are to you."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import r1sdk

INSIDE = Path(__file__).with_name("inside.py")
INTERPRETER_BYTES = 64 << 20  # what Python itself takes


@dataclass(frozen=True)
class Rlimits:
    """A process with limits on time, memory and output, on any Unix; files and network are open to it."""

    workers: int = 2  # programs at a time, of one call of `run`

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")

    async def run(
        self,
        code: str,
        stdins: Sequence[str],
        *,
        limits: r1sdk.ExecutionLimits = r1sdk.ExecutionLimits(),
        language: str = "python",
    ) -> Sequence[r1sdk.Execution]:
        """The execution of `code` on each of `stdins`. Raises: R1Error."""
        self._refuse(language)
        turns = asyncio.Semaphore(self.workers)

        async def one(stdin: str) -> r1sdk.Execution:
            async with turns:
                return await asyncio.to_thread(_execute, code, stdin, limits)

        return await asyncio.gather(*map(one, stdins))

    def check(self, language: str = "python") -> Sequence[r1sdk.Guarantee]:
        """What holds on this machine, by trying. Raises: R1Error."""
        self._refuse(language)
        short = r1sdk.ExecutionLimits(timeout_s=0.5)
        small = r1sdk.ExecutionLimits(memory_bytes=64 << 20, output_bytes=64 << 10)
        tried = {
            "time": ("while True: pass", short, "timeout"),
            "memory": ("x = bytearray(256 << 20)", small, "memory"),
            "output": ("print('x' * (1 << 20))", small, "output"),
        }
        found = []
        for name, (code, limits, wanted) in tried.items():
            status = _execute(code, "", limits).status
            found.append(r1sdk.Guarantee(name, status == wanted, f"a program that wants too much ends with {status}"))
        open_to_all = [r1sdk.Guarantee(name, False, "as open as to you") for name in ("files", "network")]
        return [*found, *open_to_all]

    def _refuse(self, language: str) -> None:
        if language != "python":
            raise r1sdk.R1Error(f"sandbox 'rlimits' runs python, not {language!r}")
        if sys.platform == "win32":
            raise r1sdk.R1Error("sandbox 'rlimits' needs a Unix: resource limits are set with setrlimit")


def _execute(code: str, stdin: str, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        asked = {
            "code": code,
            "cpu_s": int(limits.timeout_s) + 2,
            "data_bytes": INTERPRETER_BYTES + limits.memory_bytes,
            "file_bytes": limits.output_bytes + 1,
        }
        read, write = os.pipe()
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", str(INSIDE), str(read)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=folder,
            pass_fds=[read],
            start_new_session=True,
        )
        os.close(read)
        ended: int | None
        try:
            with os.fdopen(write, "wb") as pipe, contextlib.suppress(BrokenPipeError):
                pipe.write(json.dumps(asked).encode())
            process.communicate(stdin.encode("utf-8", "replace"), limits.timeout_s)
            ended = process.returncode
        except subprocess.TimeoutExpired:
            ended = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it, and what it has started
            process.wait()
        seconds = time.monotonic() - started
        too_much = max(out.seek(0, 2), err.seek(0, 2)) > limits.output_bytes
        stdout, stderr = (_text(file, limits.output_bytes) for file in (out, err))
    status: r1sdk.ExecutionStatus = "ok" if ended == 0 else "failed"
    if ended is None:
        status = "timeout"
    elif too_much:
        status = "output"
    elif ended and stderr.rstrip().endswith("MemoryError"):
        status = "memory"
    return r1sdk.Execution(status, stdout, stderr, ended, seconds)


def _text(file: IO[bytes], most: int) -> str:
    file.seek(0)
    return file.read(most).decode("utf-8", "replace")


@r1sdk.hookimpl
def r1_register_sandboxes(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("rlimits", Rlimits)
