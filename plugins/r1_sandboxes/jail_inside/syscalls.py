"""Seccomp filters: the system calls that a program in the jail may make. Every other call is refused.

Allowed is what CPython and common compiled modules need: files (the jail decides which), memory, clocks, threads. Refused are,
among others: fork, exec, sockets, signals to other processes, changes of owners, modes and times of files, mounts, namespaces,
tracing, keys, BPF, io_uring, fallocate (no limit on file sizes covers it), and every call that a later kernel adds. Programs of
other languages begin with an exec, and compilers and shells start processes; none may leave the process group, because the jail
ends them by their group.

Opening a file is allowed only as reading, writing or both, and emptying one only together with writing. Landlock before Linux 6.2
does not see a truncation, and for the access mode 3 it asks for no right at all: `open(path, O_RDONLY | O_TRUNC)` would empty
every file that the program may read, and `open(path, 3 | O_TRUNC)` every file of the user.

Threads share their open files. In a table of its own a thread could hold files without names that nobody sees from outside.
"""

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["one", "exec", "family"]  # one process; one that may exec; one that may also start processes
KINDS: tuple[Kind, ...] = ("one", "exec", "family")

GATE_AT = 300  # a descriptor that no program can have: its limit on descriptors is lower
EPERM, EACCES, ENOSYS, ENOTTY = 1, 13, 38, 25
_LOAD, _AND, _EQUAL, _AT_LEAST, _JUMP, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x05, 0x06  # of classic BPF
_ALLOW, _ASK, _ERROR, _KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000  # answers of a filter
_NUMBER, _MACHINE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD, _CLONE_FILES, _UNSHARE = 0x10000, 0x400, 2  # of clone; of close_range
_CLONE_APART = 0x7E020000 | 0x8000 | 0x2000 | 0x800000  # namespaces; another's child; traced; not to be traced
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5
_TERMINAL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # ioctl: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIO(N)CLEX
_READ_ONLY, _WRITE_ONLY, _READ_WRITE, _TRUNCATE = 0, 1, 2, 0o1000  # open: access modes, and O_TRUNC
_OPENED = (_READ_ONLY, _WRITE_ONLY, _READ_WRITE, _WRITE_ONLY | _TRUNCATE, _READ_WRITE | _TRUNCATE)
# fcntl: duplicate, flags and locks; nothing that names an owner to signal
_DESCRIPTORS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)


@dataclass(frozen=True)
class Machine:
    """The system call numbers of one kind of processor."""

    audit: int
    opens: tuple[tuple[int, int], ...]  # open, openat: number, and which argument holds the flags
    allowed: tuple[int, ...]
    clone: int
    socketpair: int
    sendto: int
    sendmsg: int
    ioctl: int
    fcntl: int
    prlimit: int
    kill: tuple[int, ...]  # kill and tgkill: their first argument is a process
    execute: tuple[int, ...]  # execve, execveat
    fork: tuple[int, ...]  # fork, vfork
    newest: int = 451  # calls from here on answer ENOSYS: libraries then take the kernel for an older one
    clone3: int = 435
    close_range: int = 436


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        opens=((2, 1), (257, 2)),
        clone=56,
        socketpair=53,
        sendto=44,
        sendmsg=46,
        ioctl=16,
        fcntl=72,
        prlimit=302,
        kill=(62, 234),
        execute=(59, 322),
        fork=(57, 58),
        allowed=_numbers(
            """
            0 1 3 4 5 6 7 8 9 10 11 12 13 14 15 17 18 19 20 21 22 23 24 25 26 27 28 32 33 34 35 36 37 38 39 40 45
            48 60 61 63 74 75 77 78 79 80 81 82 83 84 85 87 88 89 95 96 98 99 100 102 104 107 108 110 111 115 118
            120 121 124 127 128 130 131 137 138 140 143 145 146 147 158 186 201 202 204 213 217 218 219 221 228 229
            230 231 232 233 239 247 258 262 263 264 266 267 269 270 271 273 274 275 281 283 284 286 287 290
            291 292 293 295 296 309 316 318 326 332 334 439
            """
        ),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        opens=((56, 2),),
        clone=220,
        socketpair=199,
        sendto=206,
        sendmsg=211,
        ioctl=29,
        fcntl=25,
        prlimit=261,
        kill=(129, 131),
        execute=(221, 281),
        fork=(),
        allowed=_numbers(
            """
            17 19 20 21 22 23 24 34 35 36 38 43 44 46 48 49 50 57 59 61 62 63 64 65 66 67 68 69 70 71 72 73 76
            78 79 80 82 83 85 86 87 93 94 95 96 98 99 100 101 102 103 113 114 115 120 121 123 124 125 126 128 132
            133 134 135 136 137 139 141 148 150 153 155 156 158 160 165 166 168 169 172 173 174 175 176 177 178 179
            207 210 214 215 216 222 223 226 227 232 233 236 260 276 278 285 291 293 439
            """
        ),
    ),
}


class _Filter:
    """BPF instructions, one after the other."""

    def __init__(self) -> None:
        self.code: list[bytes] = []

    def add(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code.append(struct.pack("HBBI", code, if_true, if_false, value))

    def add_case(self, number: int, rules: list[tuple[int, int, int, int]], otherwise: int) -> None:
        """Apply `rules` to call `number`, and answer `otherwise` where they decide nothing."""
        self.add(_EQUAL, number, 0, len(rules) + 1)
        for code, value, if_true, if_false in rules:
            self.add(code, value, if_true, if_false)
        self.add(_RETURN, otherwise)


def _one_of(
    values: tuple[int, ...], argument: int = 0, mask: int = 0, answer: int = _ALLOW
) -> list[tuple[int, int, int, int]]:
    """Give `answer` if the masked argument is one of `values`; decide nothing otherwise."""
    rules = [(_LOAD, _ARGUMENT + 8 * argument, 0, 0)]
    if mask:
        rules.append((_AND, mask, 0, 0))
    for value in values:
        rules += [(_EQUAL, value, 0, 1), (_RETURN, answer, 0, 0)]
    return rules


def _search(allowed: tuple[int, ...]) -> list[bytes]:
    """Allow these calls, and go on behind the last instruction for all others.

    It is a binary search: the kernel runs a new filter for every call that there is, which for a list takes as long as all the
    rest of starting a program.
    """
    segments = [(0, 0 in allowed)]  # first number, and whether the calls from there on are allowed
    for number in range(1, max(allowed) + 2):
        if (number in allowed) != segments[-1][1]:
            segments.append((number, number in allowed))

    def tree(part: list[tuple[int, bool]]) -> list[tuple[int, int, int] | None]:
        if len(part) == 1:
            return [(_RETURN, _ALLOW, 0)] if part[0][1] else [None]
        low, high = part[: len(part) // 2], part[len(part) // 2 :]
        below = tree(low)
        return [(_AT_LEAST, high[0][0], len(below)), *below, *tree(high)]

    found = tree(segments)
    return [
        struct.pack("HBBI", _JUMP, 0, 0, len(found) - at - 1)
        if step is None
        else struct.pack("HBBI", step[0], step[2], 0, step[1])
        for at, step in enumerate(found)
    ]


def make_filter(machine: Machine, pid: int, kind: Kind, is_gated: bool) -> bytes:
    """Return the filter for process `pid`: it may signal itself (a family: its group) and start threads.

    `is_gated`: the interpreter of the jail is asked before a thread or process starts, and before a process of a family
    signals another (see `gate`). The filter then lets the gate be handed over through descriptor GATE_AT.
    """
    made = _Filter()
    made.add(_LOAD, _MACHINE)
    made.add(_EQUAL, machine.audit, 1, 0)
    made.add(_RETURN, _KILL)
    made.add(_LOAD, _NUMBER)
    made.code += _search(machine.allowed + (() if kind == "one" else machine.execute))
    refuse, start = _ERROR | EPERM, _ASK if is_gated else _ALLOW
    for number, argument in machine.opens:
        made.add_case(number, _one_of(_OPENED, argument, mask=3 | _TRUNCATE), _ERROR | EACCES)
    thread = _CLONE_THREAD | _CLONE_FILES
    flags = (thread, 0, _CLONE_FILES) if kind == "family" else (thread,)
    made.add_case(machine.clone, _one_of(flags, mask=thread | _CLONE_APART, answer=start), refuse)
    made.add_case(machine.clone3, [], _ERROR | ENOSYS)  # its flags lie in memory, where a filter cannot read them
    if kind == "family":
        for number in machine.fork:
            made.add_case(number, [], start)
    made.add_case(machine.close_range, _one_of((0,), argument=2, mask=_UNSHARE), refuse)
    made.add_case(machine.ioctl, _one_of(_TERMINAL, argument=1), _ERROR | ENOTTY)
    made.add_case(machine.fcntl, _one_of(_DESCRIPTORS, argument=1), refuse)
    made.add_case(machine.prlimit, _one_of((0, pid)), refuse)
    for number in machine.kill:
        own = _one_of((0, pid) if kind == "family" else (pid,))
        made.add_case(number, own, _ASK if kind == "family" and is_gated else refuse)
    if is_gated:
        made.add_case(machine.sendmsg, _one_of((GATE_AT,)), refuse)
    # Event loops wake themselves through a pair of sockets. A pair that stays connected reaches nobody else.
    stream = _one_of((_SOCK_STREAM, _SOCK_SEQPACKET), argument=1, mask=0xF)
    made.add_case(
        machine.socketpair,
        [(_LOAD, _ARGUMENT, 0, 0), (_EQUAL, _AF_UNIX, 0, len(stream)), *stream],
        refuse,
    )
    made.add_case(machine.sendto, _one_of((0,), argument=5), refuse)  # without an address
    made.add(_AT_LEAST, machine.newest, 0, 1)
    made.add(_RETURN, _ERROR | ENOSYS)
    made.add(_RETURN, refuse)
    return b"".join(made.code)
