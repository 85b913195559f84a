"""What a program in a sandbox can reach, found out by trying from inside. A sandbox is asked before it is trusted."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import r1sdk

from .language_probes import PROBES

Run = Callable[[str, str, r1sdk.ExecutionLimits], r1sdk.Execution]
_LIMITS = r1sdk.ExecutionLimits(timeout_s=5.0, memory_bytes=64 << 20, output_bytes=64 << 10, disk_bytes=1 << 20)

# Each tries several ways and prints the ones that got through. HOST: a file that is there, outside; SECRET: in our environment.
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
    """A program that wants more than it may, and the status that it must end with."""

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

# Seen only from outside, where the disk is no file system of its own.
_UNNAMED = _Hungry(
    "files without names",
    "import mmap, os, time\nkept = []\ntry:\n    while True:\n        f = open('x', 'wb+')\n        f.write(bytes(60000))\n"
    "        f.flush()\n        kept.append(mmap.mmap(f.fileno(), 4096))\n        f.close()\n        os.unlink('x')\n"
    "except OSError: time.sleep(60)",
    r1sdk.ExecutionLimits(timeout_s=5.0, memory_bytes=64 << 20, output_bytes=64 << 10, disk_bytes=1 << 20),
    "output",
)


def probe(run: Run, own_disk: bool) -> tuple[r1sdk.Guarantee, ...]:
    """Every guarantee, tried by `run(code, stdin, limits)`; `own_disk`: a file system of its own. Raises: whatever `run` raises."""
    found = []
    with _host_file() as stdin:
        for name, code, kept in (
            ("files", _FILES, "files of the host cannot be read"),
            ("environment", _ENVIRONMENT, "environment variables cannot be read, nor through /proc"),
            ("writing", _WRITING, "nothing outside its own disk can be written"),
            ("network", _NETWORK, "no sockets, not even to this machine"),
            ("processes", _PROCESSES, "no new processes, no signals to others"),
        ):
            reached = _reached(run(_HEAD + code + "\nprint('tried')", stdin, _LIMITS))
            found.append(r1sdk.Guarantee(name, not reached, kept if not reached else "reached " + ", ".join(reached)))
    for hungry in _HUNGRY if own_disk else (*_HUNGRY, _UNNAMED):
        execution = run(hungry.code, "", hungry.limits)
        holds = execution.status == hungry.wanted
        how = f"a program that wants too much ends with status {execution.status}"
        found.append(r1sdk.Guarantee(hungry.name, holds, how))
    after = run("import os\nprint(os.listdir('.'), int(input()) + 1)", "41", _LIMITS)
    holds = after.status == "ok" and after.stdout.split() == ["[]", "42"]
    found.append(
        r1sdk.Guarantee("next program", holds, f"the program after these finds nothing of them: {after.status}")
    )
    return tuple(found)


def probe_language(language: str, run: Run) -> tuple[r1sdk.Guarantee, ...]:
    """That programs of another language than Python run, and reach nothing. Raises: whatever `run` raises."""
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
    """What a program is told to look for: a file of the host, its folder, a value of the environment."""
    with tempfile.TemporaryDirectory(prefix="r1-probe-") as folder:
        host = os.path.join(folder, "host.txt")
        with open(host, "w", encoding="utf-8") as file:
            file.write("of the host")
        secret = next(
            (value for name, value in os.environ.items() if len(value) > 7 and name != "PWD"), "no secret here"
        )
        yield "\t".join((host, folder, secret.replace("\t", " ").replace("\n", " ")))


def _reached(execution: r1sdk.Execution) -> list[str]:
    *reached, last = execution.stdout.split("\n")[:-1] or [""]
    if last != "tried":
        reached.append(f"could not be tried: {execution.status} {execution.stderr[-200:]}")
    return reached
