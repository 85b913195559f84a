"""The code that runs the cases of a solution in a sandbox on E2B, each in a process with its own limits. It is sent as text.

Inputs come in and outputs go out; the expected outputs are not here. It uses nothing but the standard library of Python 3.8.
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
import threading
import time
import zlib
from typing import Any

# The file of the program, how it is built, how it is run, and whether its address space may be limited.
LANGUAGES: "dict[str, tuple[str, list[str], list[str], bool]]" = {
    "python": ("main.py", [], [sys.executable, "-I", "main.py"], True),
    "javascript": ("main.js", [], ["node", "main.js"], False),
    "bash": ("main.sh", [], ["bash", "main.sh"], False),
    "cpp": ("main.cpp", ["g++", "-std=gnu++20", "-O2", "-DONLINE_JUDGE", "-o", "main", "main.cpp"], ["./main"], True),
    "rust": ("main.rs", ["rustc", "--edition=2021", "-O", "-o", "main", "main.rs"], ["./main"], True),
}
BUILD_S = 60.0


def run_cases(asked: "dict[str, Any]") -> None:
    """Run all cases. Print the mark, and then how each case ended."""
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
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(stdin.encode("utf-8", "replace"))
        given.seek(0)
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=out,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
            preexec_fn=limit,  # noqa: PLW1509 - it sets limits and nothing else
            start_new_session=True,
        )
        noise: list[bytes] = []
        reader = threading.Thread(target=_keep, args=(process.stderr, output, noise), daemon=True)
        reader.start()
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout_s)
        seconds = time.monotonic() - started
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _end_children(keep)
        reader.join(1.0)
        too_much = out.seek(0, 2) > output
        out.seek(0)
        stdout, stderr = (part.decode("utf-8", "replace") for part in (out.read(output), b"".join(noise)))
    return {"code": code, "seconds": seconds, "stdout": stdout, "stderr": stderr, "too_much": too_much}


def _keep(pipe: Any, most: int, kept: "list[bytes]") -> None:
    """Read stderr to its end and keep the first `most` bytes: noise must not fail a program."""
    while True:
        part = os.read(pipe.fileno(), 65536)
        if not part:
            pipe.close()
            return
        if most > 0:
            kept.append(part[:most])
            most -= len(part)


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
    """End the processes that a case has left, a hundred generations deep at most."""
    for _ in range(100):
        left = [child for child in _children() if child not in keep]
        for child in left:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        if not left:
            return
