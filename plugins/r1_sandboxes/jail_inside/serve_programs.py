"""The warm interpreter inside the jail: it forks for each program, ends it at its limits, and clears up after it.

Started as `python -s -S -P -B serve_programs.py SOCKET_FD SETTINGS`. A request is one packet: JSON limits, with the descriptors
of the program, its stdin, stdout and stderr, and for a compiler of the file for the program that it builds. The answer is one
packet that says how the program ended. While a program runs, packets `memory` and `output` end it because it holds too much, and
`{"asks": "tasks"}` is answered by `tasks N`, its threads and processes. Input and output of programs never pass through this
process, so a fork of it holds nothing of other programs.
"""

import contextlib
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
import kernel
import run_command
import run_python
from gate import Gate
from scratch_folder import ScratchFolder

WATCH_S = 0.02  # between two looks at the disk
GATE_S, FAMILY_GATE_S = 0.005, 0.001  # until the gate opens: most programs have ended by then without a thread
STOPS = (b"memory", b"output")
COUNTED = b"tasks "
_running = 0  # the program that runs now
_scratch: ScratchFolder
_gates: socket.socket  # where programs send their gates
COMMON = (
    "array,base64,bisect,cmath,collections,contextlib,copy,csv,dataclasses,datetime,decimal,enum,fractions,functools,hashlib,"
    "heapq,inspect,io,itertools,json,linecache,math,numbers,operator,queue,random,re,statistics,string,struct,textwrap,"
    "threading,time,traceback,typing,unicodedata,zlib"
)


def main() -> None:
    """Set up the jail as far as it is made from inside, then serve until the other end closes."""
    global _scratch, _gates
    connection = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel.hide_memory()
    _scratch = ScratchFolder(is_disk=settings["is_disk"])
    if not settings["is_disk"]:
        _leave_a_keeper(connection)
    sys.path += settings["search"]
    for name in (*COMMON.split(","), *settings["preload"]):
        importlib.import_module(name)
    landlock = _restrict(settings)
    _gates = kernel.gate_pair()
    run_python.prepare()
    sys.path_importer_cache.clear()  # it lists modules that were in sight until now
    gc.collect()
    gc.freeze()
    connection.send(json.dumps({"ready": True, "pid": os.getpid(), "landlock": landlock}).encode())
    while True:
        packet, files, _, _ = socket.recv_fds(connection, 65536, 5)
        if packet in STOPS or packet.startswith(COUNTED):  # about a program that has ended meanwhile
            continue
        if len(files) < 4:
            os._exit(0)
        connection.send(json.dumps(_serve(connection, files, json.loads(packet))).encode())
        if os.listdir("."):
            _scratch.clear()


def _leave_a_keeper(connection: socket.socket) -> None:
    """Go on as a child. The parent stays, and clears up after this process, however it ends.

    Where the jail is no process namespace, nothing else ends the processes of a shell when this process is killed.
    """
    kernel.adopt_orphans()
    keeper = os.getpid()
    child = os.fork()
    if not child:
        kernel.adopt_orphans()
        # Not killed at once: then only the keeper would be left to end what a program has started.
        signal.signal(signal.SIGTERM, _end)
        kernel.die_with_parent(signal.SIGTERM)
        if os.getppid() != keeper:
            os._exit(0)
        return
    connection.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    kernel.die_with_parent(signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run_command.end_children()
    with contextlib.suppress(OSError):
        _scratch.clear()
    os._exit(abs(code))


def _restrict(settings: dict[str, Any]) -> int:
    """Restrict this process and all programs by Landlock, as the settings ask for it. Return its version; 0: not restricted."""
    if settings["landlock_from"] is None:
        return 0
    version = min(kernel.landlock_version(), settings["landlock_at_most"])
    if version < settings["landlock_from"]:
        needed = f"Landlock {settings['landlock_from']} is needed"
        raise OSError(
            f"this kernel has Landlock {version}, {needed}" if version else f"this kernel has no Landlock, {needed}"
        )
    if not settings["is_disk"]:
        kernel.drop_capabilities()
    read = settings["read"]
    if read is None:  # all that the jail shows, without /proc
        read = [f"/{name}" for name in os.listdir("/") if name not in ("proc", os.path.basename(os.getcwd()))]
    kernel.restrict_files(version, read, settings["listed"], [".", *settings["devices"]])
    return int(version)


def _serve(connection: socket.socket, files: list[int], limits: dict[str, Any]) -> dict[str, Any]:
    """Run one program to its end.

    Return how it `ended` (exit, timeout, output, memory), the `code` of its process, its `seconds`; why it could not be run
    (`broken`), and why what it built could not be kept (`unkept`).
    """
    global _running
    started = time.monotonic()
    _running = child = os.fork()
    if not child:
        run_python.run(files, limits)
    for file in files[:4]:
        os.close(file)
    gate = Gate(_gates, child, limits["tasks"], lambda: connection.send(b'{"asks": "tasks"}'))
    ended = _wait(connection, child, gate, started, limits)
    seconds = time.monotonic() - started
    code = _reap(child, limits.get("family", False))
    if ended == "exit" and _scratch.is_over(limits["disk_bytes"]):
        ended = "output"
    broken = gate.close()
    unkept = ""
    if len(files) > 4:
        if ended == "exit" and code == 0 and not broken:
            unkept = run_command.keep(limits["built"], files[4], limits["file_bytes"])
        os.close(files[4])
    return {"ended": ended, "code": code, "seconds": seconds, "broken": broken, "unkept": unkept}


def _wait(connection: socket.socket, child: int, gate: Gate, started: float, limits: dict[str, Any]) -> str:
    """Wait until the program ends, its time is up or it has written too much, and answer its gate."""
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(connection, select.POLLIN)
    deadline, look = started + limits["timeout_s"], started + WATCH_S
    pause = FAMILY_GATE_S if limits.get("family") or limits.get("claims_memory") else GATE_S
    opening = started + pause
    try:
        while True:
            now = time.monotonic()
            if now >= deadline:
                return "timeout"
            if now >= opening:
                opening = now + pause
                if gate.open():
                    opening = deadline
                    if gate.fileno() >= 0:
                        poll.register(gate, select.POLLIN)
            if now >= look:
                if _scratch.is_over(limits["disk_bytes"]):
                    return "output"
                look = time.monotonic() + WATCH_S
            for ready, event in poll.poll(max(0.0, min(deadline, look, opening) - now) * 1000):
                if ready == handle:
                    return "exit"
                if ready == connection.fileno():
                    packet = connection.recv(64)
                    if packet in STOPS:
                        return packet.decode()
                    if not packet.startswith(COUNTED):
                        _end()  # the other end has closed
                    gate.counted(int(packet[len(COUNTED) :]))
                elif event & select.POLLIN:
                    gate.answer()
                else:  # nobody is left who could ask
                    poll.unregister(gate)
    finally:
        os.close(handle)


def _reap(child: int, is_family: bool) -> int:
    """End `child`, if it has not ended, and the processes that it has started. Return its exit code."""
    global _running
    _running = 0
    if is_family:
        ended: int = run_command.end_family(child)
        return ended
    os.kill(child, signal.SIGKILL)  # not waited for yet: the number is still its own
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _end(*_: object) -> None:
    """Leave nothing behind, and end this process."""
    if _running:
        run_command.end_family(_running)
    _scratch.clear()
    os._exit(0)


main()
