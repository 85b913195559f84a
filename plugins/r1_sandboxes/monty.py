"""The sandbox `monty`: pydantic-monty, an interpreter for a part of Python that has no way to reach the machine."""

import asyncio
import atexit
import contextlib
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import r1sdk


@dataclass(frozen=True)
class MontySandbox:
    """A part of Python in an interpreter of its own, on any system, macOS among them: for where `local` cannot be had.

    Programs read by `input()` and print. There is no `sys.stdin`, few modules (no heapq, bisect, random), little recursion, no
    `exit`: a right program that uses them fails. Tests that call functions cannot be run. It is never chosen unless it is named.
    """

    workers: int = 2  # programs at a time

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
                return await asyncio.to_thread(_execute, code, stdin, limits)

        return await asyncio.gather(*map(one, stdins))

    def check(self, language: str = "python") -> Sequence[r1sdk.Guarantee]:
        """That a program runs, and that another reaches nothing. Raises: R1Error."""
        _check_language(language)
        return _check()


def _check_language(language: str) -> None:
    if language != "python":
        raise r1sdk.R1Error(f"sandbox 'monty' runs python, not {language!r}")


def _execute(code: str, stdin: str, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
    from pydantic_monty import CollectStreams, MontyCrashedError, MontyError, MontyRuntimeError

    lines = iter(stdin.removesuffix("\n").split("\n") if stdin else ())

    def give(_prompt: object = "") -> str:
        line = next(lines, None)
        if line is None:
            raise EOFError("EOF when reading a line")
        return line

    printed = CollectStreams(max_bytes=2 * limits.output_bytes)
    bounds: Any = {"max_feed_duration_secs": limits.timeout_s, "max_memory": limits.memory_bytes}
    started = time.monotonic()
    status: r1sdk.ExecutionStatus = "ok"
    said = ""
    try:
        with _pool().checkout(limits=bounds) as session:
            started = time.monotonic()
            session.feed_run(code, print_callback=printed, external_lookup={"input": give})
            if time.monotonic() - started > limits.timeout_s:
                status = "timeout"  # its time.sleep is not interrupted: it lasts up to 10 s
    except MontyCrashedError as error:  # a program can do that, and its worker is replaced
        status, said = "failed", str(error)
    except MontyRuntimeError as error:
        inner, said = error.exception(), str(error)
        status = "failed"
        if isinstance(inner, TimeoutError) and "time limit exceeded" in str(inner):
            status = "timeout"
        elif isinstance(inner, MemoryError):
            status = "memory"
    except MontyError as error:
        status, said = "failed", str(error)
    except OSError as error:
        raise r1sdk.Unavailable(f"sandbox monty: {error}") from None
    stdout = "".join(text for stream, text in printed.output if stream == "stdout")
    if len(stdout) > limits.output_bytes or (status == "memory" and str(2 * limits.output_bytes) in said):
        status = "output"
    exit_code = None if status in ("timeout", "memory", "output") else int(status != "ok")
    cut = limits.output_bytes
    return r1sdk.Execution(status, stdout[:cut], said[:cut], exit_code, time.monotonic() - started)


_TRIED = """
print(int(input()) + 1)
for path in ("/etc/passwd", "/proc/self/environ", "."):
    try:
        open(path).read()
        print("reached", path)
    except Exception:
        pass
"""


@cache
def _check() -> tuple[r1sdk.Guarantee, ...]:
    try:
        import pydantic_monty
    except ImportError:
        raise r1sdk.R1Error("sandbox 'monty' needs: pip install 'r1sdk[monty]'") from None
    done = _execute(_TRIED, "41", r1sdk.ExecutionLimits(timeout_s=5.0))
    if done.stdout != "42\n":
        raise r1sdk.R1Error(f"sandbox 'monty' does not hold on this machine: {done.status} {done.stdout} {done.stderr}")
    loops = _execute("while True: pass", "", r1sdk.ExecutionLimits(timeout_s=0.25))
    return (
        r1sdk.Guarantee("jail", True, f"pydantic-monty {pydantic_monty.__version__}: a part of Python"),
        r1sdk.Guarantee("files", True, "no files can be opened"),
        r1sdk.Guarantee("network", True, "it has no sockets"),
        r1sdk.Guarantee("time", loops.status == "timeout", f"a program that loops ends with status {loops.status}"),
    )


_open: list[Any] = []
_lock = threading.Lock()


def _pool() -> Any:
    """This process's pool of workers."""
    with _lock:
        if not _open:
            from pydantic_monty import Monty

            _open.append(Monty().__enter__())
        return _open[0]


def close_monty() -> None:
    """End its workers; the next program starts new ones."""
    with _lock:
        while _open:
            with contextlib.suppress(Exception):
                _open.pop().__exit__(None, None, None)


def _forget() -> None:
    """In a forked process: the workers belong to its parent."""
    global _lock
    _lock = threading.Lock()
    _open.clear()


atexit.register(close_monty)
os.register_at_fork(after_in_child=_forget)
