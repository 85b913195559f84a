"""Run the checker that comes with a task on outputs, in the sandbox, in separate executions without the program."""

import ast
import json
from collections.abc import Sequence

import r1sdk

from .harness import harness

_CHECK = """
value = names["check"](asked["given"], asked["expected"], asked["printed"])
said = "passed" if float(value) >= 1 else "wrong"
"""


def check_checker(source: str) -> None:
    """Raises: R1Error where `source` is no Python that defines `check` with three arguments."""
    if "#include" in source:
        raise r1sdk.R1Error("the checker is C++, and only one in Python can be run")
    try:
        defined = [
            node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "check"
        ]
    except (SyntaxError, ValueError, RecursionError) as error:
        raise r1sdk.R1Error(f"the checker is no Python: {error}") from None
    if not defined or len(defined[-1].args.args) != 3:
        raise r1sdk.R1Error("the checker must define check(given, expected, printed)")


async def run_checker(
    source: str, cases: Sequence[tuple[str, str, str]], sandbox: r1sdk.Sandbox, limits: r1sdk.ExecutionLimits
) -> list[str]:
    """For each `(given, expected, printed)` "" where the checker returns 1 or True, else why not. Raises: Unavailable.

    A checker that fails, or does not end, on what a program printed has not accepted it.
    """
    stdins = [json.dumps({"given": g, "expected": e, "printed": p}) for g, e, p in cases]
    executions = await sandbox.run(harness(source, "checker", _CHECK), stdins, limits=limits, language="python")
    if len(executions) != len(stdins):
        raise r1sdk.Unavailable(f"the sandbox ran {len(executions)} of {len(stdins)} checks")
    return [_complaint(execution) for execution in executions]


def _complaint(execution: r1sdk.Execution) -> str:
    if execution.status != "ok":
        last = execution.stderr.strip().rpartition("\n")[2][:120]
        return f"checker: {execution.status}" + (f": {last}" if last else "")
    return "" if execution.stdout == "passed" else "checker: not accepted"
