"""The gate: calls that the interpreter of the jail answers while a program waits in them.

A seccomp filter sends them here (`syscalls.make_filter`). A thread or a process may start while there are fewer than the limit.
Each program has its own limit, whoever else runs processes under the same user. The count comes from outside, through
`ask_count`; it is asked for again only after as many calls as it left room for. A shell may signal the processes that it started:
the gate sends the signal itself, to a process that it has pinned, because the number may belong to another one by then.
"""

import contextlib
import errno
import fcntl
import os
import platform
import signal
import socket
import struct
import time
from collections.abc import Callable

from syscalls import MACHINES

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # ioctl: SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND
_CALL, _ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")  # seccomp_notif, seccomp_notif_resp
_CONTINUE = 1
_DESCRIPTOR_SPACE = socket.CMSG_SPACE(4)
_PAUSE_S = 0.02  # after a refusal, until the count is asked for again
_KILL, _KILL_THREAD = MACHINES[platform.machine()].kill


class Gate:
    """The gate of one program, whose first process is `leader`. At most `most` threads and processes run at a time.

    Programs hand their gates over through `sender`, and the reason why one could not be run.
    """

    def __init__(self, sender: socket.socket, leader: int, most: int, ask_count: Callable[[], object]) -> None:
        self._sender = sender
        self._descriptor = -1
        self._broken = b""
        self._leader = leader
        self._most = most
        self._ask_count = ask_count
        self._left = most - 1
        self._waiting: list[int] = []
        self._refuse_until = 0.0

    def fileno(self) -> int:
        return self._descriptor

    def open(self) -> bool:
        """Take what the program has sent, without waiting for it. Return True if no more is to come before it runs."""
        is_sent = False
        while True:
            try:
                sent, ancillary, _, _ = self._sender.recvmsg(500, _DESCRIPTOR_SPACE)
            except BlockingIOError:
                return is_sent
            is_sent = True
            for _, _, descriptor in ancillary:
                self._descriptor = struct.unpack("i", descriptor[:4])[0]
            if not sent.endswith(b"gate"):
                self._broken = sent

    def close(self) -> str:
        """Close the gate when the program has ended. Return why it could not be run, or nothing."""
        self.open()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        return self._broken.decode("utf-8", "replace")

    def answer(self) -> None:
        """Answer the call that waits, or ask for the count first."""
        call = bytearray(_CALL.size)
        try:
            fcntl.ioctl(self._descriptor, _RECEIVE, call)
        except OSError:  # the caller has been killed meanwhile
            return
        key, _, _, number, _, _, first, second, third, *_ = _CALL.unpack(call)
        if number in (_KILL, _KILL_THREAD):
            self._reply(key, self._signal(first & 0xFFFFFFFF, second if number == _KILL else third))
        elif self._left > 0:
            self._left -= 1
            self._reply(key)
        elif time.monotonic() < self._refuse_until:
            self._reply(key, errno.EAGAIN)
        else:
            if not self._waiting:
                self._ask_count()
            self._waiting.append(key)

    def counted(self, running: int) -> None:
        """Answer the calls that waited for the count."""
        self._left = self._most - running
        for key in self._waiting:
            if self._left > 0:
                self._left -= 1
                self._reply(key)
            else:
                self._refuse_until = time.monotonic() + _PAUSE_S
                self._reply(key, errno.EAGAIN)
        self._waiting.clear()

    def _signal(self, target: int, number: int) -> int:
        """Signal a process of this program, or all of its group, for the caller. Return the error that the call ends with."""
        target -= (target & 0x80000000) << 1  # pid_t has a sign
        if number > signal.NSIG:
            return errno.EINVAL
        try:
            if target == -self._leader:
                os.killpg(self._leader, number)
                return 0
            if target <= 0:
                return errno.EPERM
            handle = os.pidfd_open(target)
            try:
                if os.getpgid(target) != self._leader:
                    return errno.EPERM
                signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)
        except OSError as error:
            return error.errno or errno.EPERM
        return 0

    def _reply(self, key: int, failed: int | None = None) -> None:
        """End a call: None lets it go on, 0 makes it succeed without doing anything, another number is its error."""
        answer = _ANSWER.pack(key, 0, -(failed or 0), _CONTINUE if failed is None else 0)
        with contextlib.suppress(OSError):  # the caller has been killed meanwhile
            fcntl.ioctl(self._descriptor, _SEND, answer)
