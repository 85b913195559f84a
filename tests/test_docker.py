"""The sandbox `docker`: its command line, its errors, and how it reads what a container does.

There is no docker daemon where the tests run. The far side is a script that takes the place of the command `docker` and runs what
should run in the container; nothing here shows that a container holds.
"""

import asyncio
import os
import sys
import time

import pytest

import r1sdk
from r1_sandboxes import DockerSandbox
from r1_sandboxes import docker as module
from r1sdk.plugins import load_plugins

SHORT = r1sdk.ExecutionLimits(timeout_s=1.0, output_bytes=10_000, disk_bytes=1 << 20)
STAND_IN = """#!{python}
import os, subprocess, sys
log = open({log!r}, "a")
print(*sys.argv[1:3], file=log, flush=True)
if sys.argv[1] == "rm":
    os.kill(int(open({log!r} + ".pid").read()), 9)
    sys.exit(0)
at = sys.argv.index("python:3.11-slim")
inside = [part.replace("/tmp/main.py", {program!r}) for part in sys.argv[at + 1:]]
inside[inside.index("python")] = sys.executable
process = subprocess.Popen(inside)
open({log!r} + ".pid", "w").write(str(process.pid))
code = process.wait()
sys.exit(code if code >= 0 else 128 - code)
"""


@pytest.fixture
def log(tmp_path, monkeypatch):
    script = tmp_path / "bin" / "docker"
    script.parent.mkdir()
    log = tmp_path / "log"
    script.write_text(STAND_IN.format(python=sys.executable, log=str(log), program=str(tmp_path / "main.py")))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    module._check.cache_clear()
    return log


def execute(code, *stdins, limits=SHORT):
    return asyncio.run(DockerSandbox(workers=1).run(code, stdins or [""], limits=limits))


def test_the_container_gets_nothing_that_it_does_not_need():
    command = DockerSandbox(image="i").command("r1-x", 5, r1sdk.ExecutionLimits(timeout_s=2.0, memory_bytes=1 << 20))
    line = " ".join(command)
    for part in (
        *("--network none", "--cap-drop ALL", "--security-opt no-new-privileges", "--user 65534:65534", "--read-only"),
        *("--pids-limit 64", f"--memory {(1 << 20) + (64 << 20)}", f"--memory-swap {(1 << 20) + (64 << 20)}", "--rm"),
        *("--pull never", "--log-driver none", "timeout -s KILL 2.000 python -I -c"),
    ):
        assert part in line
    assert not {"--privileged", "--volume", "-v", "--mount"} & set(command) and command[-2:] == ["5", "r1-x"]


def test_programs_and_their_inputs_arrive_to_the_byte(log):
    done = execute(
        "import sys\nprint(sys.stdin.buffer.read())", "", "a b\nc", "é" * 70_000, limits=r1sdk.ExecutionLimits()
    )
    assert [e.stdout for e in done] == [f"{text.encode()!r}\n" for text in ("", "a b\nc", "é" * 70_000)]
    assert execute("import os\nprint(os.read(0, 9))", "xyz")[0].stdout == "b'xyz'\n"


def test_how_a_program_ends_is_its_status(log):
    assert execute("raise ValueError('no')")[0].status == "failed"
    assert execute("while True: pass")[0].status == "timeout"
    assert execute("import os\nos.kill(os.getpid(), 9)")[0].status in ("memory", "failed")
    error = execute("import sys\nprint('docker: error', file=sys.stderr)\nsys.exit(125)")[0]
    assert (error.status, error.stderr) == ("failed", "docker: error\n"), "a program cannot say that docker has failed"
    flood = execute("while True: print('x' * 1000)")[0]
    assert flood.status == "output" and len(flood.stdout) == 10_000
    assert "rm --force" in log.read_text(), "a container that prints too much is removed"


def test_a_container_that_does_not_end_is_removed_and_no_verdict(log, monkeypatch):
    monkeypatch.setattr(module, "START_S", 0.3)
    limits = r1sdk.ExecutionLimits(timeout_s=0.2)
    hangs = ["docker", "run", "python:3.11-slim", "python", "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(DockerSandbox, "command", lambda *_: hangs)
    started = time.monotonic()
    with pytest.raises(r1sdk.Unavailable, match="no end after"):
        execute("pass", limits=limits)
    assert time.monotonic() - started < 20 and "rm --force" in log.read_text()


def test_what_cannot_be_had_is_said_before_training(log, monkeypatch, tmp_path):
    assert all(guarantee.holds for guarantee in load_plugins().build("sandbox", "docker").check())
    with pytest.raises(r1sdk.R1Error, match="needs the command nosuchdocker"):
        DockerSandbox(program="nosuchdocker").check()
    with pytest.raises(r1sdk.R1Error, match="runs python, not 'rust'"):
        DockerSandbox().check("rust")
    away = tmp_path / "away"
    away.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 125\n")
    away.chmod(0o755)
    with pytest.raises(
        r1sdk.R1Error, match=r"Cannot connect to the Docker daemon\n  it needs its daemon, and the image: .* pull"
    ):
        DockerSandbox(program=str(away)).check()
    with pytest.raises(r1sdk.Unavailable, match="Cannot connect"):
        asyncio.run(DockerSandbox(program=str(away)).run("pass", [""]))
