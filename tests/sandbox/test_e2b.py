"""The sandbox `e2b` through E2B's own client, against a server on this machine that speaks its protocol (see `e2b_server`)."""

import asyncio
import base64
import json
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

import r1sdk

pytest.importorskip("e2b_code_interpreter")

from r1_sandboxes import E2BSandbox
from r1_sandboxes import e2b as package
from r1_sandboxes.e2b import cell, fleet, patience
from r1_sandboxes.e2b.cell import Garbled, make_cell
from r1_sandboxes.e2b.e2b_loop import close_fleets
from r1_verifiers.code.run_tests import check_program
from r1sdk.plugins.loading import load_plugins

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from e2b_server import KEY, E2BServer

ECHO = "print(input())"
SHORT = r1sdk.ExecutionLimits(timeout_s=0.3, memory_bytes=128 << 20, output_bytes=10_000)
LEAVES_ITS_SANDBOX = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"


@pytest.fixture
def server(monkeypatch):
    running = E2BServer()
    monkeypatch.setenv("E2B_API_KEY", KEY)
    monkeypatch.setattr(patience, "FIRST_S", 0.02)
    package._check.cache_clear()
    yield running
    close_fleets()
    assert not running.sandboxes, "sandboxes are left"
    running.close()


def sandbox_at(server, **options):
    return E2BSandbox(api_url=server.url, sandbox_url=server.url, **{"patience_s": 5.0, **options})


def execute(sandbox, code, *stdins, limits=SHORT, language="python"):
    return asyncio.run(sandbox.run(code, stdins or [""], limits=limits, language=language))


def test_a_solution_is_one_request_that_carries_inputs_and_nothing_that_is_expected(server):
    tests = {"tests": [{"input": f"{n}\n", "output": f"{n * 7919}\n"} for n in range(2, 12)]}
    reply = "```python\nprint(int(input()) * 7919)\n```"
    verdict = asyncio.run(check_program(reply, tests, sandbox_at(server), timeout_s=5.0))
    assert verdict.value == 1.0, verdict
    assert len(server.cells) == 1 and not any(str(n * 7919) in server.cells[0] for n in range(2, 12))


def test_each_case_is_a_process_with_limits_of_its_own(server):
    code = (
        "import os, sys\nkind = input()\nprint(os.listdir('.'))\nopen('left', 'w').close()\n"
        "if kind == 'loop':\n    while True: pass\nif kind == 'raise': raise ValueError('no')\n"
        "if kind == 'memory': bytearray(1 << 30)\nif kind == 'print': print('x' * 20000)\n"
        "if kind == 'daemon' and os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n"
        "    import time\n    time.sleep(0.6)\n    open('/tmp/r1-e2b-late', 'w')\nprint(kind)"
    )
    done = execute(sandbox_at(server), code, "ok", "loop", "raise", "memory", "print", "daemon", "ok")
    assert [case.status for case in done] == ["ok", "timeout", "failed", "memory", "output", "ok", "ok"], done
    assert all(case.stdout.startswith("['main.py']\n") for case in done if case.status not in ("timeout", "output"))
    assert len(server.cells) == 1 and len(done[4].stdout) == 10_000
    time.sleep(0.7)
    assert not Path("/tmp/r1-e2b-late").exists(), "a daemon outlived its case"


def test_sandboxes_are_used_again_up_to_a_number_of_solutions(server):
    for _ in range(3):
        assert execute(sandbox_at(server), ECHO, "1")[0].stdout == "1\n"
    assert len(server.created) == 1 and server.created[0]["allow_internet_access"] is False
    for _ in range(4):
        execute(sandbox_at(server, solutions=2), ECHO, "1")
    assert len(server.created) == 3 and len(server.deleted) == 2


def test_no_more_than_so_many_run_at_a_time_whatever_thread_asks(server):
    sandbox, told = sandbox_at(server, concurrency=3), []
    server.hang_s = 0.05

    async def several(first):
        told.extend(await asyncio.gather(*(sandbox.run(ECHO, [str(n)], limits=SHORT) for n in range(first, first + 5))))

    threads = [threading.Thread(target=lambda first=first: asyncio.run(several(first))) for first in (0, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(done[0].stdout) for done in told) == list(range(10))
    assert server.most_at_once == 3 and len(server.created) == 3


@pytest.mark.parametrize("ranks", [1, 3, 8])
def test_the_processes_of_a_run_share_the_sandboxes(ranks, monkeypatch):
    monkeypatch.setenv("E2B_API_KEY", KEY)
    monkeypatch.setenv("WORLD_SIZE", str(ranks))
    shares = []
    for rank in range(ranks):
        monkeypatch.setenv("RANK", str(rank))
        shares.append(E2BSandbox(concurrency=8)._settings().concurrency)
    assert sum(shares) == 8 and min(shares) >= 1
    monkeypatch.setenv("WORLD_SIZE", "9")
    with pytest.raises(r1sdk.R1Error, match="concurrency 8 is less than the 9 processes"):
        E2BSandbox(concurrency=8)._settings()


def test_a_program_that_ends_its_sandbox_has_failed_and_the_next_one_runs(server):
    sandbox = sandbox_at(server)
    done = execute(sandbox, LEAVES_ITS_SANDBOX, "", "")
    assert [case.status for case in done] == ["failed", "failed"] and "disturbed its sandbox" in done[0].stderr
    assert len(server.created) == 2 and len(server.deleted) == 2
    assert execute(sandbox, ECHO, "1")[0].stdout == "1\n"


def test_a_server_that_hangs_is_unavailable_and_its_sandboxes_are_thrown_away(server, monkeypatch):
    monkeypatch.setattr(cell, "SLACK_S", 0.1)
    monkeypatch.setattr(fleet, "CANARY_S", 0.5)
    sandbox = sandbox_at(server)
    assert execute(sandbox, ECHO, "1", limits=r1sdk.ExecutionLimits(timeout_s=2.0))[0].stdout == "1\n"
    server.hang_s = 1.5
    started = time.monotonic()
    with pytest.raises(r1sdk.Unavailable, match="sandbox e2b"):
        execute(sandbox, ECHO, "1")
    assert time.monotonic() - started < 6.0 and not server.sandboxes
    server.hang_s = 0.0
    assert execute(sandbox, ECHO, "2", limits=r1sdk.ExecutionLimits(timeout_s=2.0))[0].stdout == "2\n"


@pytest.mark.parametrize("what", ["sandboxes", "contexts", "execute"])
def test_rate_limits_are_waited_out(server, what):
    server.faults = [(what, 429, {"Retry-After": "0"}) for _ in range(5)]
    assert execute(sandbox_at(server), ECHO, "1")[0].stdout == "1\n"
    assert not server.faults and len(server.cells) == 1 and len(server.created) == 1


@pytest.mark.parametrize("what", ["sandboxes", "execute"])
def test_rate_limits_without_end_are_unavailable_and_never_a_verdict_of_zero(server, what):
    server.faults = [(what, 429, {"Retry-After": "0"}) for _ in range(99)]
    verdict = None
    with pytest.raises(r1sdk.Unavailable, match="429"):
        verdict = asyncio.run(
            check_program(
                f"```python\n{ECHO}\n```",
                {"tests": [{"input": "1", "output": "1"}]},
                sandbox_at(server, patience_s=1.0),
            )
        )
    assert verdict is None


def test_a_sandbox_that_e2b_has_ended_is_replaced(server):
    sandbox = sandbox_at(server)
    execute(sandbox, ECHO, "1")
    server.sandboxes.clear()
    assert execute(sandbox, ECHO, "2")[0].stdout == "2\n"
    assert len(server.created) == 2


def test_what_is_missing_is_said_before_training(server, monkeypatch, r1):
    assert all(guarantee.holds for guarantee in sandbox_at(server).check())
    assert "up to 100 solutions share one" in sandbox_at(server).check()[0].how
    with pytest.raises(r1sdk.R1Error, match="runs python, javascript, bash, cpp, rust, not 'cobol'"):
        sandbox_at(server).check("cobol")
    monkeypatch.setenv("E2B_API_KEY", "e2b_wrong")
    package._check.cache_clear()
    close_fleets()
    with pytest.raises(r1sdk.R1Error, match="is not available: sandbox e2b: AuthenticationException: 401"):
        sandbox_at(server).check()
    with pytest.raises(r1sdk.R1Error, match="is not available"):
        E2BSandbox(api_url="http://127.0.0.1:9", sandbox_url="http://127.0.0.1:9").check()
    monkeypatch.delenv("E2B_API_KEY")
    said = r1("train", "--env", "code", "--rewards", "accuracy", "--set", "env.options.sandbox=e2b", "--dry-run")
    assert said.code == 1 and "needs a key in the environment variable E2B_API_KEY" in said.err
    with pytest.raises(r1sdk.R1Error, match="concurrency must be at least 1"):
        load_plugins().build("sandbox", "e2b", {"concurrency": 0})


@pytest.mark.parametrize("end", ["exception", "signal"])
def test_sandboxes_are_deleted_when_the_run_ends_by_an_exception_or_by_ctrl_c(server, end):
    program = (
        "import asyncio, sys\nfrom r1_sandboxes import E2BSandbox\nimport r1sdk\n"
        f"sandbox = E2BSandbox(api_url={server.url!r}, sandbox_url={server.url!r})\n"
        "async def main():\n    print(await sandbox.run('print(1)', ['']), flush=True)\n"
        "    await asyncio.gather(*(sandbox.run('import time; time.sleep(60)', [''], "
        "limits=r1sdk.ExecutionLimits(timeout_s=60)) for _ in range(3)), failing())\n"
        f"async def failing():\n    await asyncio.sleep(1.0)\n    if {end == 'exception'}: raise ValueError('a bug')\n"
        "asyncio.run(main())"
    )
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "stdout='1\\n'" in run.stdout.readline()
    if end == "signal":
        for _ in range(500):
            if len(server.cells) == 4:
                break
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert ("KeyboardInterrupt" if end == "signal" else "a bug") in said
    assert len(server.created) == 3 and not server.sandboxes


def test_answers_are_read_as_hostile():
    asked = make_cell(ECHO, ["1", "2"], SHORT, "python")

    def answer(told):
        return (
            asked.mark
            + base64.b64encode(zlib.compress(told if isinstance(told, bytes) else json.dumps(told).encode())).decode()
        )

    case = {"code": 0, "seconds": 0.1, "stdout": "x" * 50_000, "stderr": "", "too_much": False}
    good = asked.read("noise\n" + answer({"cases": [case, case]}))
    assert len(good) == 2 and len(good[0].stdout) == SHORT.output_bytes
    for hostile in (
        *(
            "",
            "r1-0000 x",
            asked.mark,
            asked.mark + "!!",
            answer({}),
            answer([]),
            answer({"cases": [case]}),
            answer("x"),
        ),
        *(answer({"cases": [{}, {}]}), answer({"cases": [case, {**case, "code": "x"}]}), answer({"build": 3})),
        *(answer(b"[" * 100_000), answer(b"[" * (1 << 26)), answer({"cases": [{**case, "seconds": "soon"}] * 2})),
    ):
        with pytest.raises(Garbled):
            asked.read(hostile)


def test_a_server_on_this_machine_without_keys_is_debug(monkeypatch):
    try:
        running = E2BServer(49999)
    except OSError:
        pytest.skip("port 49999 is in use on this machine")
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    try:
        assert execute(E2BSandbox(debug=True, solutions=1), ECHO, "1")[0].stdout == "1\n"
        close_fleets()
        assert not running.contexts and not running.created
    finally:
        running.close()


@pytest.mark.parametrize("language", ["bash", "javascript", "cpp"])
def test_other_languages_run_where_the_template_has_them(server, language):
    try:
        assert sandbox_at(server).check(language)[0].holds
    except r1sdk.R1Error as error:
        assert "which the template does not have" in str(error)
        pytest.skip(str(error))
