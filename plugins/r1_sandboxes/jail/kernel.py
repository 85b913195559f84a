"""What the jail asks of the Linux kernel through ctypes: Landlock, seccomp, dropped capabilities, rlimits."""

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Iterable

from syscalls import KINDS, MACHINES, Kind, make_filter

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _CAPBSET_DROP, _SET_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 22, 24, 36, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same on every machine
_CAPSET = {"x86_64": 126, "aarch64": 91}

_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
_LIST = 1 << 3
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14  # the rights that a rule on a file may name
_WRITE = _READ | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 14  # no devices, sockets, pipes

_ANY_PID = b"PID?"  # made beforehand with this in place of the process: making it takes as long as running a program
_FILTERS = {kind: make_filter(MACHINES[platform.machine()], struct.unpack("I", _ANY_PID)[0], kind) for kind in KINDS}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if _libc.prctl(option, *padded):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def die_with_parent(signal: int = 9) -> None:
    """This process gets `signal` when the thread that made it ends; 9 kills it."""
    _prctl(_SET_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Descendants whose parents end become children of this process."""
    _prctl(_SET_SUBREAPER, 1)


def hide_memory(hidden: bool = True) -> None:
    """No other process of the same user may trace this one, read its memory or see its files; or they may again."""
    _prctl(_SET_DUMPABLE, not hidden)


def landlock_version() -> int:
    """The version of Landlock that this kernel has; 0: none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1)))


def restrict_files(read: Iterable[str], listed: Iterable[str], write: Iterable[str]) -> None:
    """By Landlock, for ever: `read` can be read, `listed` listed, `write` read and written, and no other file opened."""
    version = landlock_version()
    if not version:
        raise OSError("this kernel has no Landlock")
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
    """Root keeps its user id, and none of root's powers."""
    for capability in range(64):
        try:
            _prctl(_CAPBSET_DROP, capability)
        except OSError:  # beyond the last one, or never held
            break
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
    if _libc.syscall(_CAPSET[platform.machine()], header, none):
        raise OSError(ctypes.get_errno(), "capset")


def restrict_calls(kind: Kind = "one") -> None:
    """By seccomp, for ever: see `syscalls`."""
    code = _FILTERS[kind].replace(_ANY_PID, struct.pack("I", os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(len(code) // 8, ctypes.addressof(buffer))
    _prctl(_SET_NO_NEW_PRIVS, 1)
    if _libc.prctl(_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), "seccomp")


def restrict_resources(cpu_s: int, memory_bytes: int, file_bytes: int, reserves: bool = False) -> None:
    """The most that this process may use; it cannot be raised again. Threads count through the memory of their stacks.

    `reserves`: it claims far more address space than it uses, as V8 does; then only memory that it can write counts.
    """
    stack = min(64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1] & (1 << 62) - 1)
    for limit, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_DATA if reserves else resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_STACK, stack),
        (resource.RLIMIT_NOFILE, 256 if reserves else 64),
        (resource.RLIMIT_CORE, 1),  # not 0: then a program of the host could still be told to take the core
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(limit, (most, most))
