"""The sandbox `local`, attacked: in bubblewrap and in Landlock mode, as this user and as an ordinary one."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import r1sdk
from r1_sandboxes import LocalSandbox, UnsafeSandbox, close_pools
from r1_sandboxes.jails import JailDied, start_jail
from r1sdk.plugins import load_plugins

sys.path.insert(0, str(Path(__file__).parent))
from attacks import ENDED, GETS_NOTHING

ROOT = Path(__file__).parents[1]
TOKEN = "hf_0123456789abcdefTOKEN"
SMALL = r1sdk.ExecutionLimits(timeout_s=3.0, memory_bytes=128 << 20, output_bytes=1 << 20, disk_bytes=8 << 20)
SHORT = r1sdk.ExecutionLimits(timeout_s=1.0, memory_bytes=32 << 20, output_bytes=1 << 20, disk_bytes=8 << 20)
AFTER = "import os\nprint(int(input()) + 1, os.listdir('.'))"


def can_start(mode: str) -> bool:
    try:
        start_jail(mode).close()
    except (JailDied, r1sdk.R1Error):
        return False
    return True


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def sandbox(request):
    if not can_start(request.param):
        pytest.skip(f"{request.param} cannot be had on this machine")
    yield LocalSandbox(mode=request.param, workers=1)
    close_pools()


def execute(sandbox, code, *stdins, limits=SMALL):
    return asyncio.run(sandbox.run(code, stdins or [""], limits=limits))


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Puts a file of the host, its folder and a token into a program."""
    host = tmp_path / "host.txt"
    host.write_text("of the host")
    host.chmod(0o666)
    monkeypatch.setenv("HF_TOKEN", TOKEN)

    def place(code: str) -> str:
        return (
            code.replace("HOST", repr(str(host)))
            .replace("FOLDER", repr(str(tmp_path)))
            .replace("TOKEN", repr(TOKEN[2:]))
        )

    yield place
    assert host.read_text() == "of the host" and host.stat().st_mode & 0o777 == 0o666
    assert [path.name for path in tmp_path.iterdir()] == ["host.txt"]


@pytest.mark.parametrize("name", GETS_NOTHING)
def test_an_attack_gets_nothing_and_the_next_program_runs(sandbox, outside, name):
    execute(sandbox, "input()", "the other case, expected by nobody else")
    attack, after = execute(sandbox, outside(GETS_NOTHING[name])), execute(sandbox, AFTER, "41")
    assert "GOT" not in attack[0].stdout, attack[0]
    assert "SyntaxError" not in attack[0].stderr and "NameError" not in attack[0].stderr, "the attack itself is broken"
    assert after[0].stdout == "42 []\n", after


@pytest.mark.parametrize("name", ENDED)
def test_what_takes_too_much_is_ended_and_the_next_program_runs(sandbox, outside, name):
    code, allowed = ENDED[name]
    attack, after = execute(sandbox, outside(code), limits=SHORT)[0], execute(sandbox, AFTER, "41")[0]
    assert attack.status in allowed, attack
    assert attack.seconds < SHORT.timeout_s + 3.0, "a bound on hanging: the machine may be busy"
    assert len(attack.stdout) <= SHORT.output_bytes and len(attack.stderr) <= SHORT.output_bytes
    assert after.stdout == "42 []\n", after


def test_every_guarantee_holds(sandbox):
    assert {guarantee.name for guarantee in sandbox.check() if guarantee.holds} == {
        *("jail", "files", "environment", "writing", "network", "processes"),
        *("memory", "time", "output", "disk", "next program"),
    }


@pytest.mark.parametrize("mode", ["bubblewrap", "landlock"])
def test_the_guarantees_hold_for_an_ordinary_user_too(mode, tmp_path):
    if os.getuid() != 0:
        pytest.skip("the tests already run as an ordinary user")
    program = (
        "import json\nfrom r1_sandboxes import LocalSandbox\n"
        f"print(json.dumps([[g.name, g.holds] for g in LocalSandbox(mode={mode!r}, workers=1).check()]))"
    )
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    path = os.pathsep.join(map(str, (ROOT, ROOT / "plugins", packages)))
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        done = None
        try:
            done = subprocess.run(
                [python, "-c", program],
                user=65534,
                group=65534,
                extra_groups=[],
                env={"PYTHONPATH": path, "PATH": os.environ["PATH"], "HF_TOKEN": TOKEN},
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        except PermissionError:
            continue
        if "ModuleNotFoundError" not in done.stderr and "Permission" not in done.stderr:
            break
    else:
        pytest.skip("an ordinary user cannot run any Python with these packages here")
    assert done.returncode == 0, done.stderr
    assert all(holds for _, holds in json.loads(done.stdout)), done.stdout


def test_ordinary_programs_run(sandbox):
    programs = {
        "print(sum(map(int, input().split())))": ("1 2 3", "6\n"),
        "import sys\nprint(len(sys.stdin.read().split()))": ("a b\nc", "3\n"),
        "if __name__ == '__main__':\n    print('main')": ("", "main\n"),
        "print('hello'); exit()": ("", "hello\n"),
        "import sys\nprint(1)\nsys.exit(0)": ("", "1\n"),
        "from collections import *\nfrom heapq import *\nprint(Counter('aab').most_common(1))": ("", "[('a', 2)]\n"),
        "import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(n): return n and 1 + f(n - 1)\nprint(f(20000))": (
            "",
            "20000\n",
        ),
        "import threading\nt = threading.Thread(target=print, args=('thread',))\nt.start()": ("", "thread\n"),
        "import asyncio\nasync def f(): print('async')\nasyncio.run(f())": ("", "async\n"),
        "import tempfile\nwith tempfile.TemporaryFile('w+') as f:\n    f.write('x')\n    f.seek(0)\n    print(f.read())": (
            "",
            "x\n",
        ),
        "import sqlite3\nprint(sqlite3.connect(':memory:').execute('select 1').fetchone())": ("", "(1,)\n"),
        "import dataclasses, pickle\n@dataclasses.dataclass\nclass A: x: int\nprint(pickle.loads(pickle.dumps(A(1))))": (
            "",
            "A(x=1)\n",
        ),
        "print(input())": ("héé ✓", "héé ✓\n"),
        "import sys\nsys.stdout.buffer.write(b'raw')": ("", "raw"),
        "import random, time\nrandom.random(); time.sleep(0.01); print(time.time() > 0)": ("", "True\n"),
        "open('a', 'w').write('kept')\nimport os, shutil\nos.mkdir('d')\nos.rename('a', 'd/a')\nprint(open('d/a').read())": (
            "",
            "kept\n",
        ),
        "import decimal, fractions, math\nprint(math.gcd(12, 18), fractions.Fraction(1, 3))": ("", "6 1/3\n"),
    }
    for code, (stdin, stdout) in programs.items():
        done = execute(sandbox, code, stdin)[0]
        assert (done.status, done.stdout) == ("ok", stdout), (code, done)


def test_each_case_begins_afresh_and_ends_by_itself(sandbox):
    code = (
        "import os, sys\nkind = input()\nprint(os.listdir('.'), 'seen' in vars(sys))\nsys.seen = open('left', 'w')\n"
        "if kind == 'loop':\n    while True: pass\nif kind == 'raise': raise ValueError('no')\nprint(kind)"
    )
    done = execute(sandbox, code, "good", "loop", "raise", "good", limits=SHORT)
    assert [case.status for case in done] == ["ok", "timeout", "failed", "ok"]
    assert all(case.stdout.startswith("[] False") for case in done if case.status != "timeout")
    assert done[2].stderr.endswith("ValueError: no\n") and "warm.py" not in done[2].stderr


def test_ten_thousand_runs_would_leave_nothing_because_two_hundred_do_not(sandbox):
    execute(sandbox, "pass")
    before = resources()
    for start in range(0, 200, 50):
        assert all(e.stdout == "1\n" for e in execute(sandbox, "print(1)", *[""] * 50)), start
    execute(sandbox, "while True: pass", limits=r1sdk.ExecutionLimits(timeout_s=0.05))
    after = resources()
    assert after[0] <= before[0] and after[1] <= before[1] and after[2] - before[2] < 2 << 20, (before, after)


def resources():
    """Open files and children of this process, and bytes that its jails hold."""
    from r1_sandboxes import pool

    jails = [jail for p in pool._pools.values() for jail in p.jails]
    held = sum(int(Path(f"/proc/{jail.pid}/statm").read_text().split()[1]) for jail in jails) * 4096
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return len(os.listdir("/proc/self/fd")), len(children), held


def test_a_broken_jail_is_replaced(sandbox):
    from r1_sandboxes import pool

    execute(sandbox, "pass")
    jails = [jail for p in pool._pools.values() for jail in p.jails]
    for jail in jails:
        os.kill(jail.pid, 9)
    assert execute(sandbox, "print(1)")[0].stdout == "1\n"


def test_it_may_be_called_from_several_threads_and_loops(sandbox):
    told = []

    def work(number):
        told.append(execute(sandbox, "print(input())", *map(str, range(number, number + 3))))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(e.stdout for done in told for e in done) == sorted(f"{n + k}\n" for n in range(4) for k in range(3))


def test_nothing_is_left_when_the_trainer_is_killed(sandbox):
    program = (
        "import asyncio, os, sys, threading\nfrom r1_sandboxes import LocalSandbox, pool\n"
        f"s = LocalSandbox(mode={sandbox.mode!r}, workers=1)\nasyncio.run(s.run('pass', ['']))\n"
        "print(*[j.pid for p in pool._pools.values() for j in p.jails], flush=True)\n"
        "asyncio.run(s.run('while True: pass', [''], limits=__import__('r1sdk').ExecutionLimits(timeout_s=60)))"
    )
    trainer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    jail = int(trainer.stdout.readline())
    trainer.kill()
    trainer.wait()
    trainer.stdout.close()
    for _ in range(200):
        if not Path(f"/proc/{jail}").exists():
            return
        threading.Event().wait(0.02)
    raise AssertionError("the jail is still there")


def test_folders_that_killed_processes_left_are_removed_and_others_are_not(tmp_path, monkeypatch):
    import tempfile

    from r1_sandboxes.scratch import Scratch

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, used = tmp_path / "r1-sandbox-left", Scratch()
    (left / "deep").mkdir(parents=True)
    for folder in (left, used.path):
        os.utime(folder, (1, 1))
    other = Scratch()
    assert not left.exists() and used.path.exists()
    used.remove()
    other.remove()
    assert not list(tmp_path.iterdir())


def test_modules_loaded_beforehand_can_be_used_and_others_cannot():
    pytest.importorskip("numpy")
    for mode in filter(can_start, ("bubblewrap", "landlock")):
        numeric = LocalSandbox(mode=mode, workers=1, preload=("numpy",))
        done = execute(numeric, "import numpy\nprint(numpy.arange(4).sum())\nimport pydantic")[0]
        assert done.stdout == "6\n" and "No module named 'pydantic'" in done.stderr, done
    close_pools()


def test_what_cannot_be_had_is_said_before_training():
    with pytest.raises(r1sdk.R1Error, match="no module 'nosuch' is installed"):
        LocalSandbox(preload=("nosuch",)).check()
    with pytest.raises(r1sdk.R1Error, match="runs python, not 'rust'"):
        LocalSandbox().check("rust")
    registry = load_plugins()
    with pytest.raises(r1sdk.R1Error, match="workers must be at least 1"):
        registry.build("sandbox", "local", {"workers": 0})


def test_unsafe_is_only_had_by_name_and_says_what_it_is():
    sandbox = load_plugins().build("sandbox", "unsafe")
    assert isinstance(sandbox, UnsafeSandbox)
    assert not all(guarantee.holds for guarantee in sandbox.check())
    done = execute(sandbox, "print(input())", "1", "2")
    assert [e.stdout for e in done] == ["1\n", "2\n"]
    assert execute(sandbox, "while True: pass", limits=r1sdk.ExecutionLimits(timeout_s=0.3))[0].status == "timeout"


def test_without_user_namespaces_landlock_takes_over(monkeypatch):
    from r1_sandboxes import bubblewrap, jails, local

    if not can_start("landlock"):
        pytest.skip("landlock cannot be had on this machine")
    # The far side: a bwrap that fails as it does where user namespaces are forbidden.
    assert bubblewrap
    monkeypatch.setattr(jails, "find_bwrap", lambda: "/bin/false")
    local._choose.cache_clear()
    try:
        assert local._choose("auto", ()) == "landlock"
        with pytest.raises(r1sdk.R1Error, match=r"cannot be had on this machine\n  bubblewrap: "):
            local._choose("bubblewrap", ())
    finally:
        local._choose.cache_clear()


def test_the_command_says_what_holds_and_fails_where_it_does_not(r1):
    said = r1("sandbox", "local", "--option", "workers=1")
    assert said.code == 0 and "holds  network" in said.out and "NO" not in said.out
    assert json.loads(r1("sandbox", "--json").out)["sandbox"] == "local"
    unsafe = r1("sandbox", "unsafe")
    assert unsafe.code == 1 and "NO     everything else" in unsafe.out
    wrong = r1("sandbox", "local", "--option", "mode=docker")
    assert wrong.code == 1 and "option 'mode'" in wrong.err
