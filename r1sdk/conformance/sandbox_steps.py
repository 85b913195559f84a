"""The steps for a sandbox: the contract of `run`, and attacks from inside on each guarantee that it claims."""

import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from ..contracts import Execution, ExecutionLimits, Guarantee, Sandbox
from ..errors import R1Error, Unavailable
from .findings import ContractFinding, failed, passed, skipped
from .steps import NotTried, TrialCandidate, TrialStep, build_step, list_first, pickle_step, run_async

START_S = 30.0  # added to a program's limit, because a container may have to start
_LIMITS = ExecutionLimits(timeout_s=10.0)
_SHORT = ExecutionLimits(timeout_s=0.5)


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """Return all steps for one sandbox."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        pickle_step(candidate),
        TrialStep("check()", trial.returns_guarantees, gate=True),
        TrialStep("runs", trial.runs),
        TrialStep("fresh", trial.starts_in_fresh_state),
        TrialStep("ends", trial.stops_endless_programs, START_S + 10 * _SHORT.timeout_s),
        TrialStep("anywhere", trial.runs_in_threads_and_loops),
        TrialStep("claims", trial.keeps_its_claims),
        TrialStep("languages", trial.refuses_other_languages),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate

    @cached_property
    def sandbox(self) -> Sandbox:
        sandbox: Sandbox = self.candidate.built
        return sandbox

    @cached_property
    def guarantees(self) -> Sequence[Guarantee]:
        try:
            return self.sandbox.check()
        except Unavailable as error:  # this machine lacks a key, a daemon or a server
            raise NotTried(str(error)) from None

    def _run(self, code: str, *stdins: str, limits: ExecutionLimits = _LIMITS) -> list[Execution]:
        assert self.guarantees is not None  # run nothing in a sandbox that is not available
        return list(run_async(self.sandbox.run(code, list(stdins), limits=limits)))

    def returns_guarantees(self) -> ContractFinding:
        if not all(isinstance(guarantee, Guarantee) for guarantee in self.guarantees) or not self.guarantees:
            return failed("check()", f"must return r1sdk.Guarantee records, got {self.guarantees!r:.100}")
        holds = [guarantee.name for guarantee in self.guarantees if guarantee.holds]
        others = [guarantee.name for guarantee in self.guarantees if not guarantee.holds]
        unsafe = f"; does not claim: {', '.join(others)}" if others else ""
        return passed("check()", f"holds: {', '.join(holds) or 'nothing'}{unsafe}")

    def runs(self) -> ContractFinding:
        """Check that `run` returns one execution per stdin, in order, with its output and status."""
        faults = []
        doubled = self._run("print(int(input()) * 2)", "1", "2", "3")
        if [(e.status, e.stdout.strip()) for e in doubled] != [("ok", "2"), ("ok", "4"), ("ok", "6")]:
            faults.append(f"int(input()) * 2 for 1, 2, 3: {doubled!r:.200}")
        if self._run("print(1)") != []:
            faults.append("without a stdin there must be no execution")
        for code, what in (("1 / 0", "an exception"), ("raise SystemExit(3)", "exit code 3"), ("(", "a syntax error")):
            (execution,) = self._run(code, "")
            if execution.status != "failed":
                faults.append(f"{what} must be 'failed', got {execution.status!r}")
        (execution,) = self._run("1 / 0", "")
        if "ZeroDivisionError" not in execution.stderr:
            faults.append(f"stderr must contain ZeroDivisionError, got {execution.stderr[-80:]!r}")
        (execution,) = self._run("print(len(input()))", "\u00e9\U0001f600" * 1000)
        if (execution.status, execution.stdout.strip()) != ("ok", "2000"):
            faults.append(f"2000 non-ASCII characters on stdin: {execution!r:.120}")
        return failed("runs", list_first(faults)) if faults else passed("runs", "in order, with output and exit code")

    def starts_in_fresh_state(self) -> ContractFinding:
        """Check that an execution leaves nothing behind for the next one."""
        file = f"r1-check-{secrets.token_hex(8)}"
        code = (
            f"import builtins, os\nseen = [hasattr(builtins, 'left'), os.path.exists({file!r})]\nprint(seen)\n"
            f"builtins.left = 1\ntry:\n    open({file!r}, 'w').close()\nexcept OSError:\n    pass"
        )
        if self._run("import builtins, os\nopen", "")[0].status != "ok":  # a subset of Python without files
            code = "try:\n    left\n    print('[True]')\nexcept NameError:\n    print('[False, False]')\nleft = 1"
        try:
            printed = [execution.stdout.strip() for execution in (*self._run(code, "", ""), *self._run(code, ""))]
        finally:
            Path(file).unlink(missing_ok=True)  # a sandbox without a file system of its own wrote it into this folder
        if printed != ["[False, False]"] * 3:
            return failed("fresh", f"[names, files] of an earlier execution are still there: {', '.join(printed)}")
        return passed("fresh", "names and files of one execution are gone in the next")

    def stops_endless_programs(self) -> ContractFinding:
        """Check that a program without end is stopped."""
        faults, slowest = [], 0.0
        for code in (
            "while True: pass",
            "import time\ntime.sleep(1e6)",
            "try:\n    while True: pass\nfinally:\n    pass",
        ):
            started = time.monotonic()
            (execution,) = self._run(code, "", limits=_SHORT)
            took = time.monotonic() - started
            slowest = max(slowest, took)
            if execution.status != "timeout" and ("while" in code or execution.seconds > _SHORT.timeout_s):
                faults.append(f"{code!r} must be 'timeout', got {execution.status!r}")
        if faults:
            return failed("ends", list_first(faults))
        return passed(
            "ends", f"endless programs are stopped, after {slowest:.1f} s at a limit of {_SHORT.timeout_s:g} s"
        )

    def runs_in_threads_and_loops(self) -> ContractFinding:
        """Check that it runs in several threads and event loops: each batch uses a new loop, and training several threads."""
        printed: list[str] = []
        assert self.guarantees is not None

        def run() -> None:
            try:
                printed.append(self._run("print(6 * 7)", "")[0].stdout.strip())
            except Exception as error:  # noqa: BLE001 - someone else's code
                printed.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run()
        if printed != ["42"] * 4:
            return failed("anywhere", f"from three threads, then in another event loop: {', '.join(printed)}")
        return passed("anywhere", "from three threads, then in another event loop")

    def keeps_its_claims(self) -> ContractFinding:
        """Attack the sandbox from inside: each guarantee that `check()` claims and that we can test must hold."""
        claimed = {guarantee.name for guarantee in self.guarantees if guarantee.holds}
        tried = [name for name in _ATTACKS if name in claimed]
        if broken := [f"{name}: {reached}" for name in tried if (reached := _ATTACKS[name](self))]:
            return failed("claims", f"check() claims that these hold, but:\n{list_first(broken)}")
        if not tried:
            return skipped("claims", f"it claims none of {', '.join(_ATTACKS)}")
        return passed("claims", f"attacked from inside: {', '.join(tried)}")

    def refuses_other_languages(self) -> ContractFinding:
        try:
            self.sandbox.check("no such language")
        except R1Error as error:
            return passed("languages", str(error).splitlines()[0])
        return failed("languages", "check('no such language') must raise r1sdk.R1Error")

    def reads_a_file(self) -> str:
        token = secrets.token_hex(8)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(token)
            file.flush()
            (execution,) = self._run(f"print(open({file.name!r}).read())", "")
        return "read a file of the host" if token in execution.stdout else ""

    def reads_the_environment(self) -> str:
        token = secrets.token_hex(8)
        os.environ["R1_CHECK_SECRET"] = token
        try:
            (execution,) = self._run("import os\nprint(dict(os.environ))", "")
        finally:
            del os.environ["R1_CHECK_SECRET"]
        return "read an environment variable" if token in execution.stdout else ""

    def reaches_the_network(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.2)
            self._run(f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 1)", "")
            try:
                server.accept()[0].close()
            except TimeoutError:
                return ""
        return "connected to a port of this machine"

    def takes_memory(self) -> str:
        limits = ExecutionLimits(timeout_s=10.0, memory_bytes=64 << 20)
        (execution,) = self._run("x = bytearray(256 << 20)\nprint(len(x))", "", limits=limits)
        return "" if execution.status == "memory" else f"256 MiB at a limit of 64 MiB: {execution.status}"

    def prints_without_end(self) -> str:
        limits = ExecutionLimits(timeout_s=5.0, output_bytes=64 << 10)
        (execution,) = self._run("print('x' * (1 << 20))", "", limits=limits)
        if execution.status == "output" and len(execution.stdout.encode()) <= limits.output_bytes:
            return ""
        return f"1 MiB at a limit of 64 KiB: {execution.status}, {len(execution.stdout)} characters"


_ATTACKS: dict[str, Callable[[_Trial], str]] = {  # a guarantee's name -> the breach, "" if the guarantee held
    "files": _Trial.reads_a_file,
    "environment": _Trial.reads_the_environment,
    "network": _Trial.reaches_the_network,
    "memory": _Trial.takes_memory,
    "output": _Trial.prints_without_end,
}
