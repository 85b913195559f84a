"""The sandbox `unsafe`: no protection at all, for programs that you trust. It is chosen only by its name."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

import r1sdk


@dataclass(frozen=True)
class UnsafeSandbox:
    """No protection: programs run as you, with your files, network and tokens. Only the time is limited."""

    async def run(
        self,
        code: str,
        stdins: Sequence[str],
        *,
        limits: r1sdk.ExecutionLimits = r1sdk.ExecutionLimits(),
        language: str = "python",
    ) -> Sequence[r1sdk.Execution]:
        """Run `code` on each of `stdins`. Raises: R1Error."""
        import asyncio

        self.check(language)
        return [await asyncio.to_thread(_execute, code, stdin, limits) for stdin in stdins]

    def check(self, language: str = "python") -> Sequence[r1sdk.Guarantee]:
        """Say that nothing is guaranteed. Raises: R1Error."""
        if language != "python":
            raise r1sdk.R1Error(f"sandbox 'unsafe' runs python, not {language!r}")
        return (
            r1sdk.Guarantee("time", True, "a program is ended at its limit"),
            r1sdk.Guarantee("everything else", False, "programs run as you, unprotected"),
        )


def _execute(code: str, stdin: str, limits: r1sdk.ExecutionLimits) -> r1sdk.Execution:
    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryDirectory() as folder:
        ended: int | None
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-c", code],
                input=stdin.encode("utf-8", "replace"),
                stdout=out,
                stderr=err,
                cwd=folder,
                timeout=limits.timeout_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            ended = None
        seconds = time.monotonic() - started
        too_much = out.seek(0, 2) > limits.output_bytes
        out.seek(0)
        err.seek(0)
        stdout, stderr = (file.read(limits.output_bytes).decode("utf-8", "replace") for file in (out, err))
    status: r1sdk.ExecutionStatus = "ok" if ended == 0 else "failed"
    status = "timeout" if ended is None else "output" if too_much else status
    return r1sdk.Execution(status, stdout, stderr, ended, seconds)
