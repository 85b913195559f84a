"""One solution as a cell of code for a sandbox on E2B. The answer is read as hostile."""

import base64
import inspect
import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import r1sdk

from . import case_runner

SLACK_S = 15.0
_SOURCE = inspect.getsource(case_runner)


class Garbled(Exception):
    """The answer cannot be read: a program has disturbed the sandbox."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One request: the code to send, and how to read the answer."""

    code: str
    mark: str  # in front of the answer, drawn anew
    cases: int
    limits: r1sdk.ExecutionLimits
    language: str

    @property
    def most_s(self) -> float:
        """Return a time that a sandbox in order never needs."""
        build = case_runner.BUILD_S if case_runner.LANGUAGES[self.language][1] else 0.0
        return self.cases * (self.limits.timeout_s + 0.5) + build + SLACK_S

    def read(self, printed: str) -> list[r1sdk.Execution]:
        """Return the executions from the output of the cell. Raises: Garbled; R1Error where the language is missing."""
        line = next((line for line in reversed(printed.split("\n")) if line.startswith(self.mark)), None)
        if line is None:
            raise Garbled("no answer was printed")
        most = self.cases * (2 * 6 * self.limits.output_bytes + 1000) + (2 << 20)  # as JSON, at its longest
        try:
            unpacked = zlib.decompressobj()
            told = json.loads(unpacked.decompress(base64.b64decode(line[len(self.mark) :]), most))
            if missing := told.get("missing"):
                raise r1sdk.R1Error(f"{self.language} needs {str(missing)!r:.40}, which the template does not have")
            if built := told.get("build"):
                return [self._execution(built)] * self.cases
            found = [self._execution(case) for case in told["cases"]]
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error, RecursionError) as error:
            raise Garbled(f"its answer cannot be read: {type(error).__name__}") from None
        if len(found) != self.cases:
            raise Garbled(f"{len(found)} of {self.cases} cases came back")
        return found

    def _execution(self, case: dict[str, Any]) -> r1sdk.Execution:
        code = None if case["code"] is None else int(case["code"])
        stdout, stderr = (str(case[name])[: self.limits.output_bytes] for name in ("stdout", "stderr"))
        status: r1sdk.ExecutionStatus = "ok" if code == 0 else "failed"
        if code is None:
            status = "timeout"
        elif case["too_much"]:
            status = "output"
        elif code == -9 or (code and "MemoryError" in stderr[-200:]):
            status = "memory"
        return r1sdk.Execution(status, stdout, stderr, code, float(case["seconds"]))


def make_cell(code: str, stdins: Sequence[str], limits: r1sdk.ExecutionLimits, language: str) -> Cell:
    """Make the cell for one solution: its inputs, without the expected outputs."""
    mark = f"r1-{secrets.token_hex(8)} "
    asked = {
        "mark": mark,
        "code": code,
        "stdins": list(stdins),
        "language": language,
        "timeout_s": limits.timeout_s,
        "memory_bytes": limits.memory_bytes,
        "output_bytes": limits.output_bytes,
    }
    text = f"{_SOURCE}\n\nrun_cases(json.loads({json.dumps(asked)!r}))\n"
    return Cell(text, mark, len(stdins), limits, language)
