"""The steps for a sandbox: the contract of `run`, and what it says that programs cannot do, tried from inside."""

import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property

from ..contracts import Execution, ExecutionLimits, Guarantee, Sandbox
from ..errors import R1Error, Unavailable
from .findings import ContractFinding, failed, passed, skipped
from .steps import NotTried, TrialCandidate, TrialStep, build_step, listed, pickle_step, run_async

START_S = 30.0  # beyond a program's own limit: a container may have to start
_LIMITS = ExecutionLimits(timeout_s=10.0)
_SHORT = ExecutionLimits(timeout_s=0.5)


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """All steps for one sandbox."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        pickle_step(candidate),
        TrialStep("check()", trial.says_what_holds, gate=True),
        TrialStep("runs", trial.runs),
        TrialStep("fresh", trial.begins_in_fresh_state),
        TrialStep("ends", trial.ends, START_S + 10 * _SHORT.timeout_s),
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
        except Unavailable as error:  # a key, a daemon or a server that this machine does not have
            raise NotTried(str(error)) from None

    def _run(self, code: str, *stdins: str, limits: ExecutionLimits = _LIMITS) -> list[Execution]:
        assert self.guarantees is not None  # nothing is run in one that cannot be had
        return list(run_async(self.sandbox.run(code, list(stdins), limits=limits)))

    def says_what_holds(self) -> ContractFinding:
        if not all(isinstance(guarantee, Guarantee) for guarantee in self.guarantees) or not self.guarantees:
            return failed("check()", f"must return r1sdk.Guarantee records, got {self.guarantees!r:.100}")
        holds = [guarantee.name for guarantee in self.guarantees if guarantee.holds]
        others = [guarantee.name for guarantee in self.guarantees if not guarantee.holds]
        unsafe = f"; says itself that these do not: {', '.join(others)}" if others else ""
        return passed("check()", f"holds: {', '.join(holds) or 'nothing'}{unsafe}")

    def runs(self) -> ContractFinding:
        """One execution for each stdin, in their order, with what it printed and how it ended."""
        faults = []
        doubled = self._run("print(int(input()) * 2)", "1", "2", "3")
        if [(e.status, e.stdout.strip()) for e in doubled] != [("ok", "2"), ("ok", "4"), ("ok", "6")]:
            faults.append(f"int(input()) * 2 for 1, 2, 3: {doubled!r:.200}")
        if self._run("print(1)") != []:
            faults.append("no stdin is no execution")
        for code, what in (("1 / 0", "an exception"), ("raise SystemExit(3)", "exit code 3"), ("(", "a syntax error")):
            (execution,) = self._run(code, "")
            if execution.status != "failed":
                faults.append(f"{what} must be 'failed', got {execution.status!r}")
        (execution,) = self._run("1 / 0", "")
        if "ZeroDivisionError" not in execution.stderr:
            faults.append(f"stderr must say ZeroDivisionError, got {execution.stderr[-80:]!r}")
        (execution,) = self._run("print(len(input()))", "\u00e9\U0001f600" * 1000)
        if (execution.status, execution.stdout.strip()) != ("ok", "2000"):
            faults.append(f"2000 characters beyond ASCII on stdin: {execution!r:.120}")
        return failed("runs", listed(faults)) if faults else passed("runs", "in order, with output and exit code")

    def begins_in_fresh_state(self) -> ContractFinding:
        """Nothing of one execution is there for the next."""
        code = (
            "import builtins, os\nseen = [hasattr(builtins, 'left'), os.path.exists('left')]\nprint(seen)\n"
            "builtins.left = 1\ntry:\n    open('left', 'w').close()\nexcept OSError:\n    pass"
        )
        if self._run("import builtins, os\nopen", "")[0].status != "ok":  # a part of Python, without files
            code = "try:\n    left\n    print('[True]')\nexcept NameError:\n    print('[False, False]')\nleft = 1"
        said = [execution.stdout.strip() for execution in (*self._run(code, "", ""), *self._run(code, ""))]
        if said != ["[False, False]"] * 3:
            return failed("fresh", f"[names, files] of the execution before are there: {', '.join(said)}")
        return passed("fresh", "names and files of one execution are not there in the next")

    def ends(self) -> ContractFinding:
        """A program that does not end is ended, and so is one whose stdout is full."""
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
            return failed("ends", listed(faults))
        return passed("ends", f"programs without end, {slowest:.1f} s at a limit of {_SHORT.timeout_s:g} s")

    def runs_in_threads_and_loops(self) -> ContractFinding:
        """A batch is judged in an event loop of its own, and training may judge from several threads."""
        said: list[str] = []
        assert self.guarantees is not None

        def run() -> None:
            try:
                said.append(self._run("print(6 * 7)", "")[0].stdout.strip())
            except Exception as error:  # noqa: BLE001 - someone else's code
                said.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run()
        if said != ["42"] * 4:
            return failed("anywhere", f"from three threads and one event loop after another: {', '.join(said)}")
        return passed("anywhere", "from three threads, and in one event loop after another")

    def keeps_its_claims(self) -> ContractFinding:
        """Of what it says that holds, what can be tried from inside here is."""
        claimed = {guarantee.name for guarantee in self.guarantees if guarantee.holds}
        tried = [name for name in _ATTACKS if name in claimed]
        if broken := [f"{name}: {said}" for name in tried if (said := _ATTACKS[name](self))]:
            return failed("claims", f"check() says that these hold:\n{listed(broken)}")
        if not tried:
            return skipped("claims", f"it claims none of {', '.join(_ATTACKS)}")
        return passed("claims", f"tried from inside: {', '.join(tried)}")

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


_ATTACKS: dict[str, Callable[[_Trial], str]] = {  # a guarantee's name -> what a program reached, "" for nothing
    "files": _Trial.reads_a_file,
    "environment": _Trial.reads_the_environment,
    "network": _Trial.reaches_the_network,
    "memory": _Trial.takes_memory,
    "output": _Trial.prints_without_end,
}
