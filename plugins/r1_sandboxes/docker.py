"""The sandbox `docker`: a container per case, made by the command docker (or podman) of this machine."""

import asyncio
import contextlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import r1sdk

START_S = 30.0  # for a container to begin
_BESIDE = 64 << 20  # memory of the interpreter
# Says that the container has begun, takes the program off the front of stdin, to the byte, and leaves the rest to it.
_BEGIN = (
    "import os, sys\nos.write(2, sys.argv[2].encode() + b'\\n')\nleft = int(sys.argv[1])\nwith open('/tmp/main.py', 'wb') as file:\n"
    "    while left:\n        part = os.read(0, min(left, 65536))\n        left -= len(part)\n        file.write(part)\n"
    "os.execv(sys.executable, [sys.executable, '-I', '/tmp/main.py'])"
)


@dataclass(frozen=True)
class DockerSandbox:
    """A container per case, by the command `docker` or `podman`: no network, no powers, a read-only image, a small /tmp.

    Starting one takes far longer than a small program. The kernel is this machine's; containers see their own /proc.
    """

    image: str = "python:3.11-slim"  # has to be there (docker pull); it holds what programs can read
    program: str = "docker"
    workers: int = 2  # containers at a time, of this call

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
        """The execution of `code` on each of `stdins`. Raises: Unavailable, R1Error."""
        _check_language(language)
        slots = asyncio.Semaphore(self.workers)

        async def one(stdin: str) -> r1sdk.Execution:
            async with slots:
                return await self._case(code.encode("utf-8", "replace"), stdin.encode("utf-8", "replace"), limits)

        return await asyncio.gather(*map(one, stdins))

    def check(self, language: str = "python") -> Sequence[r1sdk.Guarantee]:
        """That a container runs a program. Raises: R1Error that says what is missing: the command, its daemon, the image."""
        _check_language(language)
        return _check(self)

    def command(self, name: str, length: int, limits: r1sdk.ExecutionLimits) -> list[str]:
        """What is run for one case, for a program of `length` bytes."""
        memory = str(limits.memory_bytes + _BESIDE)
        contained = (
            *("--rm", "--interactive", "--name", name, "--pull", "never", "--log-driver", "none"),
            *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534"),
            *("--memory", memory, "--memory-swap", memory, "--pids-limit", "64", "--cpus", "1"),
            *("--read-only", "--tmpfs", f"/tmp:rw,nosuid,nodev,size={limits.disk_bytes},mode=1777"),
            *(
                "--ulimit",
                "core=0",
                "--ulimit",
                f"fsize={limits.disk_bytes}",
                "--workdir",
                "/tmp",
                "--env",
                "HOME=/tmp",
            ),
        )
        inside = ("timeout", "-s", "KILL", f"{limits.timeout_s:.3f}", "python", "-I", "-c", _BEGIN, str(length), name)
        return [self.program, "run", *contained, self.image, *inside]

    async def _case(self, code: bytes, stdin: bytes, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
        name, started = f"r1-{secrets.token_hex(8)}", time.monotonic()
        begun = f"{name}\n".encode()
        command = self.command(name, len(code), limits)
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, stderr=-1)
        except OSError as error:
            raise r1sdk.Unavailable(f"sandbox docker: {error}") from None
        assert process.stdin and process.stdout and process.stderr
        try:
            async with asyncio.timeout(limits.timeout_s + START_S):
                _, out, err = await asyncio.gather(
                    _give(process.stdin, code + stdin),
                    _read(process.stdout, limits.output_bytes),
                    _read(process.stderr, limits.output_bytes + len(begun)),
                )
                too_much = len(out) > limits.output_bytes or len(err) > limits.output_bytes + len(begun)
                code_of_end = None if too_much else await process.wait()
        except TimeoutError:
            raise r1sdk.Unavailable(f"sandbox docker: no end after {limits.timeout_s + START_S:.0f} s") from None
        finally:
            if process.returncode is None:
                await asyncio.shield(self._remove(name, process))
        seconds = time.monotonic() - started
        if not err.startswith(begun):  # no program can keep that back
            raise r1sdk.Unavailable(f"sandbox docker: {err.decode('utf-8', 'replace').strip()[-300:]}")
        err = err.removeprefix(begun)
        stdout, stderr = (part[: limits.output_bytes].decode("utf-8", "replace") for part in (out, err))
        status: r1sdk.ExecutionStatus = "ok" if code_of_end == 0 else "failed"
        if too_much:
            status = "output"
        elif code_of_end == 137:  # killed: by the clock, or for its memory
            status = "timeout" if seconds >= limits.timeout_s else "memory"
        elif code_of_end and "MemoryError" in stderr[-200:]:
            status = "memory"
        return r1sdk.Execution(status, stdout, stderr, code_of_end, seconds)

    async def _remove(self, name: str, process: asyncio.subprocess.Process) -> None:
        """The container is gone, and the command that waits for it."""
        remover = await asyncio.create_subprocess_exec(self.program, "rm", "--force", name, stdout=-3, stderr=-3)
        await remover.wait()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # what is left in the pipes, or they are never closed


async def _give(pipe: asyncio.StreamWriter, text: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it ends without reading all
        pipe.write(text)
        await pipe.drain()
    pipe.close()


async def _read(pipe: asyncio.StreamReader, most: int) -> bytes:
    """Up to one byte more than `most`: then there was too much."""
    parts, length = [], 0
    while length <= most and (part := await pipe.read(min(65536, most + 1 - length))):
        parts.append(part)
        length += len(part)
    return b"".join(parts)


def _check_language(language: str) -> None:
    if language != "python":
        raise r1sdk.R1Error(f"sandbox 'docker' runs python, not {language!r}")


@cache
def _check(sandbox: DockerSandbox) -> tuple[r1sdk.Guarantee, ...]:
    if shutil.which(sandbox.program) is None:
        raise r1sdk.Unavailable(f"sandbox 'docker' needs the command {sandbox.program}, which is not installed here")
    limits = r1sdk.ExecutionLimits(timeout_s=10.0)
    length = len(b"print(input())")
    try:
        done = subprocess.run(
            sandbox.command(f"r1-{secrets.token_hex(8)}", length, limits),
            input=b"print(input())answered\n",
            capture_output=True,
            timeout=START_S + limits.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise r1sdk.Unavailable(f"sandbox 'docker': {sandbox.program} does not answer") from None
    if done.stdout != b"answered\n":
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise r1sdk.Unavailable(
            f"sandbox 'docker' does not run programs here: {said or done.returncode}\n"
            f"  it needs its daemon, and the image: {sandbox.program} pull {sandbox.image}"
        )
    return (
        r1sdk.Guarantee("jail", True, f"a container of {sandbox.image} per case; a program ran in one just now"),
        r1sdk.Guarantee("network", True, "asked for: --network none; not tried from inside"),
    )
