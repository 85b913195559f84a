"""A warm interpreter inside the jail: forks for each program, ends it at its limits, and clears up after it.

Started as `python -s -S -P -B warm.py SOCKET_FD SETTINGS`. A request is one packet: JSON limits, with the descriptors of the
program, its stdin, its stdout and its stderr; for a compiler, of the file for what it builds, too. The answer is one packet: how
it ended. A packet `memory` or `output` while a program runs ends it: it holds too much. What programs say never passes through this
process, so a fork of it holds nothing of other programs.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import command
import kernel
import program

WATCH_S = 0.02  # between two looks at the disk
MOST_FILES, MOST_DEPTH = 1000, 64
STOPS = (b"memory", b"output")
_running = 0  # the program that runs now
COMMON = (
    "array,base64,bisect,cmath,collections,contextlib,copy,csv,dataclasses,datetime,decimal,enum,fractions,functools,hashlib,"
    "heapq,inspect,io,itertools,json,linecache,math,numbers,operator,queue,random,re,statistics,string,struct,textwrap,"
    "threading,time,traceback,typing,unicodedata,zlib"
)


def main() -> None:
    """Set up the jail as far as it is made from inside, then serve until the other end closes."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel.hide_memory()
    sys.path += settings["search"]
    for name in (*COMMON.split(","), *settings["preload"]):
        importlib.import_module(name)
    if settings["landlock"]:
        # Not killed at once: what a compiler or a shell has started would be left.
        signal.signal(signal.SIGTERM, _end)
        kernel.die_with_parent(signal.SIGTERM)
        kernel.adopt_orphans()
        kernel.drop_capabilities()
        kernel.restrict_files(settings["read"], settings["listed"], [".", *settings["devices"]])
    sys.path_importer_cache.clear()  # it lists modules that were in sight until now
    gc.collect()
    gc.freeze()
    connection.send(b'{"ready": true}')
    while True:
        packet, files, _, _ = socket.recv_fds(connection, 65536, 5)
        if packet in STOPS:  # for a program that has ended meanwhile
            continue
        if len(files) < 4:
            os._exit(0)
        connection.send(json.dumps(_serve(connection, files, json.loads(packet))).encode())
        if os.listdir("."):
            _clear()


def _serve(connection: socket.socket, files: list[int], limits: dict[str, Any]) -> dict[str, Any]:
    """Run one program to its end: `ended` (exit, timeout, output, memory), `code` of the process, `seconds`; `broken`, `unkept`: why not."""
    global _running
    started = time.monotonic()
    report, told = os.pipe()
    _running = child = os.fork()
    if not child:
        program.run(files, limits, told)
    for file in (*files[:4], told):
        os.close(file)
    ended = _wait(connection, child, started + limits["timeout_s"], limits["disk_bytes"])
    seconds = time.monotonic() - started
    code = _reap(child, limits.get("family", False))
    if ended == "exit" and _written(limits["disk_bytes"]) > limits["disk_bytes"]:
        ended = "output"
    broken = os.read(report, 500).decode("utf-8", "replace")  # at its end: no process has the other side open
    os.close(report)
    unkept = ""
    if len(files) > 4:
        if ended == "exit" and code == 0 and not broken:
            unkept = command.keep(limits["built"], files[4], limits["file_bytes"])
        os.close(files[4])
    return {"ended": ended, "code": code, "seconds": seconds, "broken": broken, "unkept": unkept}


def _wait(connection: socket.socket, child: int, deadline: float, disk_bytes: int) -> str:
    """Until the program ends, its time is up or it has written too much."""
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(connection, select.POLLIN)
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            for ready, _ in poll.poll(min(left, WATCH_S) * 1000):
                if ready == handle:
                    return "exit"
                if (told := connection.recv(16)) in STOPS:
                    return told.decode()
                _end()  # the other end has closed
            if _written(disk_bytes) > disk_bytes:
                return "output"
    finally:
        os.close(handle)


def _reap(child: int, is_family: bool) -> int:
    """End `child`, if it has not ended, and what it has started; its exit code."""
    global _running
    _running = 0
    if is_family:
        ended: int = command.end_family(child)
        return ended
    os.kill(child, signal.SIGKILL)  # not waited for yet: the number is still its own
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _end(*_: object) -> None:
    """Leave nothing behind."""
    if _running:
        command.end_family(_running)
    _clear()
    os._exit(0)


def _written(enough: int) -> int:
    """Bytes in the scratch folder, as far as they matter; too many files, or too deep, count as too many bytes."""
    total = files = 0
    folders = ["."]
    while folders and total <= enough:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    files += 1
                    state = entry.stat(follow_symlinks=False)
                    total += state.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if files > MOST_FILES or entry.path.count("/") > MOST_DEPTH:
                        return enough + 1
        except OSError:  # removed meanwhile, or made unreadable: then it is cleared up afterwards
            files += 1
    return total


def _clear() -> None:
    """Empty the scratch folder. Folders are emptied upwards, one level at a time: depth and length of paths do not matter."""
    moved, prefix = 0, os.urandom(8).hex()  # a name that no program can have taken
    while entries := list(os.scandir(".")):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name)
                continue
            os.chmod(entry.name, 0o700)
            for inner in list(os.scandir(entry.name)):
                moved += 1
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # a folder that cannot be written cannot be moved
                os.rename(inner.path, f"{prefix} {moved}")
            os.rmdir(entry.name)


main()
