"""Calls of the Linux kernel through ctypes, by which the jail restricts itself: Landlock, seccomp, capabilities, rlimits."""

import ctypes
import os
import platform
import resource
import socket
import struct
from collections.abc import Iterable

from syscalls import GATE_AT, KINDS, MACHINES, Kind, make_filter

_SET_PDEATHSIG, _SET_DUMPABLE, _CAPBSET_DROP, _SET_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same on every machine
_CAPSET = {"x86_64": 126, "aarch64": 91}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5  # flags of seccomp
_STACK_BYTES = 64 << 20

_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
_LIST = 1 << 3
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14  # the rights that a rule on a file may name
_WRITE = _READ | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 14  # no devices, sockets, pipes

# Making a filter takes as long as running a program, so they are made beforehand, with this in place of the process.
_ANY_PID = b"PID?"
_MACHINE, _PLACE = MACHINES[platform.machine()], struct.unpack("I", _ANY_PID)[0]
_FILTERS = {(kind, gated): make_filter(_MACHINE, _PLACE, kind, gated) for kind in KINDS for gated in (False, True)}

_gate_end: socket.socket
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if _libc.prctl(option, *padded):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def die_with_parent(signal: int = 9) -> None:
    """Have `signal` sent to this process when the thread that made it ends; 9 kills it."""
    _prctl(_SET_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has ended."""
    _prctl(_SET_SUBREAPER, 1)


def hide_memory(hidden: bool = True) -> None:
    """Keep other processes of the same user from tracing this one, reading its memory or its open files; or let them again."""
    _prctl(_SET_DUMPABLE, not hidden)


def landlock_version() -> int:
    """Return the version of Landlock that this kernel has; 0: none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1)))


def restrict_files(version: int, read: Iterable[str], listed: Iterable[str], write: Iterable[str]) -> None:
    """Let this process read `read`, list `listed`, read and write `write`, and open no other file, for ever, by Landlock.

    `version` of Landlock decides what the kernel is asked to handle; a kernel may have a later one.
    """
    handled = (1 << 13) - 1 | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    attributes = struct.pack("QQQ", handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, size, 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for paths, rights in ((read, _READ), (listed, _LIST), (write, _WRITE)):
        for path in paths:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            granted = rights & handled if os.path.isdir(path) else rights & handled & _OF_FILES
            if _libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", granted, opened), 0):
                raise OSError(ctypes.get_errno(), f"landlock_add_rule {path}")
            os.close(opened)
    _prctl(_SET_NO_NEW_PRIVS, 1)
    if _libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def drop_capabilities() -> None:
    """Give up root's powers; the user id stays."""
    for capability in range(64):
        try:
            _prctl(_CAPBSET_DROP, capability)
        except OSError:  # beyond the last one, or never held
            break
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
    if _libc.syscall(_CAPSET[platform.machine()], header, none):
        raise OSError(ctypes.get_errno(), "capset")


def gate_pair() -> socket.socket:
    """Make the pair of sockets through which programs hand over their gate, and return this process's end.

    Programs inherit the other end at GATE_AT, where the filter of `restrict_calls` lets one descriptor through.
    """
    global _gate_end
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= GATE_AT:
        resource.setrlimit(resource.RLIMIT_NOFILE, (GATE_AT + 1, hard))
    with theirs:
        os.dup2(theirs.fileno(), GATE_AT, inheritable=False)
    _gate_end = socket.socket(fileno=GATE_AT)
    ours.setblocking(False)
    return ours


def restrict_calls(kind: Kind) -> None:
    """Restrict the system calls of this process by seccomp, for ever, and send the gate that the parent answers (see `gate`).

    There can be one gate in a process tree: where the container around us has taken it, the parent gets none, and threads and
    processes are counted from outside alone.
    """
    _prctl(_SET_NO_NEW_PRIVS, 1)
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        gate = _install(_FILTERS[kind, True], flags)
        if gate >= 0:
            _gate_end.sendmsg([b"gate"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", gate))])
            os.close(gate)
            return
    if _install(_FILTERS[kind, False], 0) < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    os.write(GATE_AT, b"no gate")


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _install(code: bytes, flags: int) -> int:
    """Install one filter. Return 0, a descriptor where `flags` asks for one, or -1."""
    code = code.replace(_ANY_PID, struct.pack("I", os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    return int(_libc.syscall(_SECCOMP[platform.machine()], 1, flags, ctypes.byref(program)))


def restrict_resources(
    cpu_s: int, memory_bytes: int, file_bytes: int, claims_memory: bool = False, reserve_bytes: int = 0
) -> None:
    """Set the most that this process may use.

    `claims_memory`: it claims far more address space than it uses, as V8 does; then only memory that it can write counts.
    `reserve_bytes`: address space that it may add by raising its own limit, for the stacks of threads; what is used of it is
    watched from outside.
    """
    memory = resource.RLIMIT_DATA if claims_memory else resource.RLIMIT_AS
    hard_stack = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = min(_STACK_BYTES, hard_stack & (1 << 62) - 1)
    for limit, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s),
        (memory, memory_bytes, memory_bytes + reserve_bytes),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        # Programs raise it before they recurse deeply. It gives them no memory beyond the limit above.
        (resource.RLIMIT_STACK, stack, hard_stack if reserve_bytes else stack),
        (resource.RLIMIT_NOFILE, *((256, 256) if claims_memory else (64, 64))),
        (resource.RLIMIT_CORE, 1, 1),  # not 0: then a program of the host could still be told to take the core
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
    ):
        resource.setrlimit(limit, (soft, hard))
