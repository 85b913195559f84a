"""Which system calls a program in the jail may make, as a seccomp filter. Everything that is not allowed is refused.

Allowed is what CPython and common compiled modules need: files (which only the jail bounds), memory, clocks, threads. Not
allowed, among the rest: fork, exec, sockets, signals to others, changing owners, modes and times of files, mounts,
namespaces, tracing, keys, BPF, io_uring, fallocate (which no limit on files bounds), and whatever later kernels add. Programs of other languages begin with an exec, and
compilers and shells start others; none may leave the process group by which all of them are ended.
"""

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["one", "exec", "family"]  # one process that runs no other program; that may; that starts others, too
KINDS: tuple[Kind, ...] = ("one", "exec", "family")

EPERM, ENOSYS, ENOTTY = 1, 38, 25
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # of classic BPF
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000  # what the filter answers
_NUMBER, _MACHINE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD = 0x10000
_CLONE_APART = 0x7E020000 | 0x8000 | 0x2000 | 0x800000  # namespaces; another's child; traced; not to be traced
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5
_TERMINAL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # ioctl: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIO(N)CLEX
# fcntl: duplicate, flags and locks; nothing that names an owner to signal
_DESCRIPTORS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)


@dataclass(frozen=True)
class Machine:
    """The numbers of one kind of processor."""

    audit: int
    allowed: tuple[int, ...]
    clone: int
    socketpair: int
    ioctl: int
    fcntl: int
    prlimit: int
    kill: tuple[int, ...]  # kill and tgkill: their first argument is a process
    execute: tuple[int, ...]  # execve, execveat
    fork: tuple[int, ...]  # fork, vfork
    newest: int = 451  # from here on: unknown to the lists below, which libraries take for an older kernel
    clone3: int = 435


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        clone=56,
        socketpair=53,
        ioctl=16,
        fcntl=72,
        prlimit=302,
        kill=(62, 234),
        execute=(59, 322),
        fork=(57, 58),
        allowed=_numbers(
            """
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17 18 19 20 21 22 23 24 25 26 27 28 32 33 34 35 36 37 38 39 40 44
            45 48 60 61 63 74 75 77 78 79 80 81 82 83 84 85 87 88 89 95 96 98 99 100 102 104 107 108 110 111 115 118
            120 121 124 127 128 130 131 137 138 140 143 145 146 147 158 186 201 202 204 213 217 218 219 221 228 229
            230 231 232 233 239 247 257 258 262 263 264 266 267 269 270 271 273 274 275 281 283 284 286 287 290
            291 292 293 295 296 309 316 318 326 332 334 436 439
            """
        ),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        clone=220,
        socketpair=199,
        ioctl=29,
        fcntl=25,
        prlimit=261,
        kill=(129, 131),
        execute=(221, 281),
        fork=(),
        allowed=_numbers(
            """
            17 19 20 21 22 23 24 34 35 36 38 43 44 46 48 49 50 56 57 59 61 62 63 64 65 66 67 68 69 70 71 72 73 76
            78 79 80 82 83 85 86 87 93 94 95 96 98 99 100 101 102 103 113 114 115 120 121 123 124 125 126 128 132
            133 134 135 136 137 139 141 148 150 153 155 156 158 160 165 166 168 169 172 173 174 175 176 177 178 179
            206 207 210 214 215 216 222 223 226 227 232 233 236 260 276 278 285 291 293 436 439
            """
        ),
    ),
}


def make_filter(machine: Machine, pid: int, kind: Kind = "one") -> bytes:
    """The filter for process `pid`, as BPF instructions. It may signal itself (a family: its group) and start threads."""
    program: list[bytes] = []

    def add(code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        program.append(struct.pack("HBBI", code, if_true, if_false, value))

    def add_case(number: int, rules: list[tuple[int, int, int, int]], otherwise: int) -> None:
        """For call `number`: what its rules say, and `otherwise` where they say nothing."""
        add(_EQUAL, number, 0, len(rules) + 1)
        for code, value, if_true, if_false in rules:
            add(code, value, if_true, if_false)
        add(_RETURN, otherwise)

    add(_LOAD, _MACHINE)
    add(_EQUAL, machine.audit, 1, 0)
    add(_RETURN, _KILL)
    add(_LOAD, _NUMBER)
    more = () if kind == "one" else machine.execute if kind == "exec" else machine.execute + machine.fork
    for number in machine.allowed + more:
        add(_EQUAL, number, 0, 1)
        add(_RETURN, _ALLOW)
    refuse = _ERROR | EPERM

    def one_of(values: tuple[int, ...], argument: int = 0, mask: int = 0) -> list[tuple[int, int, int, int]]:
        """Allow if the argument, masked, is one of `values`; fall through to what comes after otherwise."""
        rules = [(_LOAD, _ARGUMENT + 8 * argument, 0, 0)]
        if mask:
            rules.append((_AND, mask, 0, 0))
        for value in values:
            rules += [(_EQUAL, value, 0, 1), (_RETURN, _ALLOW, 0, 0)]
        return rules

    cloned = one_of((0,), mask=_CLONE_APART) if kind == "family" else one_of((_CLONE_THREAD,), mask=_CLONE_THREAD)
    add_case(machine.clone, cloned, refuse)
    add_case(machine.clone3, [], _ERROR | ENOSYS)  # its flags lie in memory, where a filter cannot read them
    add_case(machine.ioctl, one_of(_TERMINAL, argument=1), _ERROR | ENOTTY)
    add_case(machine.fcntl, one_of(_DESCRIPTORS, argument=1), refuse)
    add_case(machine.prlimit, one_of((0, pid)), refuse)
    for number in machine.kill:
        add_case(number, one_of((0, pid) if kind == "family" else (pid,)), refuse)
    # A pair that is connected for ever, which event loops wake themselves with, reaches nobody else.
    stream = one_of((_SOCK_STREAM, _SOCK_SEQPACKET), argument=1, mask=0xF)
    add_case(
        machine.socketpair,
        [(_LOAD, _ARGUMENT, 0, 0), (_EQUAL, _AF_UNIX, 0, len(stream)), *stream],
        refuse,
    )
    add(_AT_LEAST, machine.newest, 0, 1)
    add(_RETURN, _ERROR | ENOSYS)
    add(_RETURN, refuse)
    return b"".join(program)
