"""The tool `python`: runs a program of the model in a sandbox and returns its output."""

from __future__ import annotations

from dataclasses import dataclass

import r1sdk

MAX_CHARS = 20_000  # characters per program
SHOWN = 1000  # characters of an error message


@dataclass(frozen=True)
class Python:
    """The sandbox for programs, and the limits of each."""

    sandbox: r1sdk.Sandbox | None
    timeout_s: float
    memory_mb: int

    async def python(self, code: str) -> str:
        """Run a Python program and return what it prints. Each program starts from nothing.

        Args:
            code: the program; print what you want to know
        """
        if self.sandbox is None:
            raise r1sdk.R1Error("the tool python needs a sandbox: leave the option sandbox out, or name one")
        if len(code) > MAX_CHARS:
            return f"error: a program has at most {MAX_CHARS} characters"
        limits = r1sdk.ExecutionLimits(self.timeout_s, self.memory_mb << 20, output_bytes=1 << 16)
        (execution,) = await self.sandbox.run(code, [""], limits=limits)
        return _told(execution)


def _told(execution: r1sdk.Execution) -> str:
    """Return a program's output, and its error if it failed."""
    printed = execution.stdout.rstrip()
    match execution.status:
        case "ok":
            return printed or "(nothing was printed)"
        case "failed":
            said = execution.stderr.strip()[-SHOWN:] or f"exit code {execution.exit_code}"
            return f"{printed}\nerror: {said}".lstrip()
        case _:
            return f"{printed[:SHOWN]}\nerror: ended at its limit of {_LIMITS[execution.status]}".lstrip()


_LIMITS = {"timeout": "time", "memory": "memory", "output": "output"}
