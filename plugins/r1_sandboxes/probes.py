"""Attacks on a sandbox from inside, tried before it is used: each guarantee states its outcome on this machine."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import r1sdk

from .language_probes import PROBES

Run = Callable[[str, str, r1sdk.ExecutionLimits], r1sdk.Execution]
_LIMITS = r1sdk.ExecutionLimits(timeout_s=5.0, memory_bytes=64 << 20, output_bytes=64 << 10, disk_bytes=1 << 20)

# Each program tries several ways and prints those that got through. It is given a file of the host, its folder, and a value of
# the environment.
_HEAD = """
import os, sys
host, folder, secret = input().split("\\t")
def reached(what, attempt):
    try:
        if attempt() is not False:
            print(what)
    except BaseException:
        pass
"""

_FILES = """
reached("a file of the host", lambda: open(host).read())
reached("the folders of the host", lambda: os.listdir(folder))
reached("/etc/passwd", lambda: open("/etc/passwd").read())
reached("home folders", lambda: [name for name in os.listdir("/home")] + [open("/root/.bashrc").read()])
reached("/proc", lambda: os.listdir("/proc"))
"""

_ENVIRONMENT = """
reached("the environment", lambda: secret in str(dict(os.environ)))
for pid in ("self", os.getppid(), 1):
    reached(f"/proc/{pid}/environ", lambda: open(f"/proc/{pid}/environ", "rb").read())
"""

_WRITING = """
for path in (host, folder + "/written", "/written", "/usr/lib/written", "/dev/shm/written", os.path.expanduser("~root/written")):
    reached(path, lambda: open(path, "a").write("x"))
# Before Linux 6.2, Landlock does not see a file being emptied: neither one that may be read, nor any for the access mode 3.
for path in (host, os.path.join(sys.path[0], "empty_for_probes")):
    for mode in (os.O_RDONLY, 3):
        reached("emptying " + path, lambda: os.open(path, mode | os.O_TRUNC))
reached("modes of files", lambda: os.chmod(host, 0o777))
reached("removing", lambda: os.unlink(host))
"""

_NETWORK = """
import socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
    reached(family.name, lambda: socket.socket(family))
"""

_PROCESSES = """
def fork():
    if os.fork() == 0:
        os._exit(0)
reached("fork", fork)
reached("posix_spawn", lambda: os.posix_spawn(sys.executable or "/bin/sh", ["x"], {}))
reached("exec", lambda: os.execv("/proc/self/exe", ["x", "-c", "print('exec')"]))
for pid in (os.getppid(), 1, -1):
    if pid > -2 and pid != os.getpid():
        reached(f"a signal to {pid}", lambda: os.kill(pid, 0))
"""


@dataclass(frozen=True, slots=True)
class _Hungry:
    """A program that takes more than it may, and the status that it must end with."""

    name: str
    code: str
    limits: r1sdk.ExecutionLimits
    wanted: str


_HUNGRY = (
    _Hungry("memory", "x = bytearray(256 << 20)", _LIMITS, "memory"),
    _Hungry("time", "while True: pass", r1sdk.ExecutionLimits(timeout_s=0.25), "timeout"),
    _Hungry("output", "import sys\nwhile True: sys.stdout.write('x' * 65536)", _LIMITS, "output"),
    _Hungry(
        "disk",
        "for i in range(10 ** 6):\n    with open(str(i), 'w') as f: f.write('x' * 60000)",
        _LIMITS,
        "output",
    ),
)

_HIDDEN = (
    _Hungry(
        "hidden files",
        "import os\nos.mkdir('d', 0o300)\nfor i in range(10 ** 5):\n    with open(f'd/{i}', 'w') as f: f.write('x' * 60000)",
        _LIMITS,
        "output",
    ),
    _Hungry(
        "hidden files",
        "import os\nfor _ in range(20):\n    os.mkdir('x' * 250)\n    os.chdir('x' * 250)\n"
        "for i in range(10 ** 5):\n    with open(str(i), 'w') as f: f.write('x' * 60000)",
        _LIMITS,
        "output",
    ),
    _Hungry(
        "hidden files",
        "import mmap, os, time\nkept = []\ntry:\n    while True:\n        f = open('x', 'wb+')\n        f.write(bytes(60000))\n"
        "        f.flush()\n        kept.append(mmap.mmap(f.fileno(), 4096))\n        f.close()\n        os.unlink('x')\n"
        "except OSError: time.sleep(60)",
        _LIMITS,
        "output",
    ),
)

_MANY = 600  # threads, more than a program may have
_THREADS = f"""
import _thread, os, time
_thread.stack_size(32768)
started = 0
try:
    while started < {_MANY}:
        _thread.start_new_thread(time.sleep, (60,))
        started += 1
except RuntimeError:
    pass
if started == {_MANY}:  # it must be ended for that
    time.sleep(60)
print(started, flush=True)
os._exit(0)
"""


def probe(run: Run) -> tuple[r1sdk.Guarantee, ...]:
    """Try every guarantee by `run(code, stdin, limits)`. Raises: whatever `run` raises."""
    found = []
    with _host_file() as stdin:
        for name, code, kept in (
            ("files", _FILES, "files of the host cannot be read"),
            ("environment", _ENVIRONMENT, "environment variables cannot be read, nor through /proc"),
            ("writing", _WRITING, "nothing outside its own disk can be written, emptied or removed"),
            ("network", _NETWORK, "no sockets, not even to this machine"),
            ("processes", _PROCESSES, "no new processes, no signals to others"),
        ):
            reached = _reached(run(_HEAD + code + "\nprint('tried')", stdin, _LIMITS))
            found.append(r1sdk.Guarantee(name, not reached, kept if not reached else "reached " + ", ".join(reached)))
    found.append(_probe_threads(run))
    for hungry in _HUNGRY:
        found.append(_probe_hunger(run, (hungry,)))
    found.append(_probe_hunger(run, _HIDDEN))
    after = run("import os\nprint(os.listdir('.'), int(input()) + 1)", "41", _LIMITS)
    holds = after.status == "ok" and after.stdout.split() == ["[]", "42"]
    found.append(
        r1sdk.Guarantee("next program", holds, f"the program after these finds nothing of them: {after.status}")
    )
    return tuple(found)


def _probe_threads(run: Run) -> r1sdk.Guarantee:
    done = run(_THREADS, "", _LIMITS)
    if done.status == "memory":
        return r1sdk.Guarantee("threads", True, f"a program that starts {_MANY} threads is ended")
    holds = done.status == "ok" and done.stdout.strip().isdecimal()
    how = (
        f"a program may start {done.stdout.strip()}, and no more" if holds else f"{done.status}, {done.stderr[-80:]!r}"
    )
    return r1sdk.Guarantee("threads", holds, how)


def _probe_hunger(run: Run, programs: Sequence[_Hungry]) -> r1sdk.Guarantee:
    statuses = [run(hungry.code, "", hungry.limits).status for hungry in programs]
    holds = statuses == [hungry.wanted for hungry in programs]
    how = f"a program that wants too much ends with status {', '.join(dict.fromkeys(statuses))}"
    return r1sdk.Guarantee(programs[0].name, holds, how)


def probe_language(language: str, run: Run) -> tuple[r1sdk.Guarantee, ...]:
    """Try that programs of another language than Python run, and reach nothing. Raises: whatever `run` raises."""
    limits = r1sdk.ExecutionLimits(timeout_s=20.0, memory_bytes=256 << 20)
    with _host_file() as stdin:
        reached = _reached(run(PROBES[language], stdin, limits))
    how = (
        "reached " + ", ".join(reached)
        if reached
        else "its programs run, and reach no files, network, processes of others"
    )
    return (r1sdk.Guarantee(language, not reached, how),)


@contextlib.contextmanager
def _host_file() -> Iterator[str]:
    """Make the input of the attacks: a file of the host, its folder, a value of the environment."""
    with tempfile.TemporaryDirectory(prefix="r1-probe-") as folder:
        host = os.path.join(folder, "host.txt")
        with open(host, "w", encoding="utf-8") as file:
            file.write("of the host")
        # Not a path: the jail sets some itself, and its folder may lie below one.
        values = (value for value in os.environ.values() if len(value) > 7 and "/" not in value)
        secret = next(values, "no secret here")
        yield "\t".join((host, folder, secret.replace("\t", " ").replace("\n", " ")))


def _reached(execution: r1sdk.Execution) -> list[str]:
    *reached, last = execution.stdout.split("\n")[:-1] or [""]
    if last != "tried":
        reached.append(f"could not be tried: {execution.status} {execution.stderr[-200:]}")
    return reached
