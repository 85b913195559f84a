"""What is sent to a sandbox on E2B as text, and runs there: each case in a process with limits of its own.

Inputs come in, and what was printed goes out; what is expected is not here. The standard library of Python 3.8 and no more.
"""

import base64
import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from typing import Any

# The file of the program, how it is built, how it is run, and whether its address space may be limited.
LANGUAGES: "dict[str, tuple[str, list[str], list[str], bool]]" = {
    "python": ("main.py", [], [sys.executable, "-I", "main.py"], True),
    "javascript": ("main.js", [], ["node", "main.js"], False),
    "bash": ("main.sh", [], ["bash", "main.sh"], False),
    "cpp": ("main.cpp", ["g++", "-std=c++17", "-O2", "-o", "main", "main.cpp"], ["./main"], True),
    "rust": ("main.rs", ["rustc", "--edition=2021", "-O", "-o", "main", "main.rs"], ["./main"], True),
}
BUILD_S = 60.0


def run_cases(asked: "dict[str, Any]") -> None:
    """Print, after the mark, how each case ended."""
    told = base64.b64encode(zlib.compress(json.dumps(_told(asked)).encode())).decode()
    print(f"\n{asked['mark']}{told}", flush=True)


def _told(asked: "dict[str, Any]") -> "dict[str, Any]":
    name, build, run, bounded = LANGUAGES[asked["language"]]
    for program in build[:1] or run[:1]:
        if not shutil.which(program):
            return {"missing": program}
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans become our children, so that they can be found and ended
    keep = set(_children())
    memory = asked["memory_bytes"] + (64 << 20) if bounded else 0
    cases = []
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, name), "w", encoding="utf-8", errors="replace") as file:
            file.write(asked["code"])
        if build:
            built = _execute(build, home, "", BUILD_S, 0, 64 << 20, keep)
            if built["code"] != 0:
                return {"build": built}
        for stdin in asked["stdins"]:
            with tempfile.TemporaryDirectory() as scratch:
                folder = os.path.join(scratch, "case")
                shutil.copytree(home, folder)
                cases.append(_execute(run, folder, stdin, asked["timeout_s"], memory, asked["output_bytes"], keep))
    return {"cases": cases}


def _execute(
    command: "list[str]", folder: str, stdin: str, timeout_s: float, memory: int, output: int, keep: "set[int]"
) -> "dict[str, Any]":
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (output + 1, output + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode("utf-8", "replace"))
        given.seek(0)
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=environment,
            preexec_fn=limit,  # noqa: PLW1509 - it sets limits and nothing else
            start_new_session=True,
        )
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout_s)
        seconds = time.monotonic() - started
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _end_children(keep)
        texts, sizes = [], []
        for file in (out, err):
            sizes.append(file.seek(0, 2))
            file.seek(0)
            texts.append(file.read(output).decode("utf-8", "replace"))
    return {"code": code, "seconds": seconds, "stdout": texts[0], "stderr": texts[1], "too_much": max(sizes) > output}


def _children() -> "list[int]":
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/stat", encoding="utf-8", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
        except (ValueError, OSError):  # no process, or ended meanwhile
            continue
    return found


def _end_children(keep: "set[int]") -> None:
    """End what a case has left, a hundred generations deep at most."""
    for _ in range(100):
        left = [child for child in _children() if child not in keep]
        for child in left:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        if not left:
            return
