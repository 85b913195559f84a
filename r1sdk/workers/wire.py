"""Frames over a local socket: a length, then that many bytes. Reading has a deadline and a size limit."""

import select
import socket
import struct
import time

_LENGTH = struct.Struct("!Q")
_LONGEST_POLL_MS = 2**31 - 1  # 25 days
MAX_FRAME_BYTES = 1 << 30  # limit of a request; results: `MAX_RESULT_BYTES`
MAX_RESULT_BYTES = 16 << 20  # a worker must not be able to fill the trainer's memory


class Closed(Exception):
    """The other side has closed the connection or has ended."""


class Late(Exception):
    """The deadline passed."""


def send(connection: socket.socket, payload: bytes) -> None:
    """Write one frame. Raises: Closed."""
    try:
        connection.sendall(_LENGTH.pack(len(payload)) + payload)
    except OSError as error:
        raise Closed(str(error)) from None


def receive(connection: socket.socket, deadline: float | None = None, limit: int = MAX_FRAME_BYTES) -> bytes:
    """Read one frame; `deadline` is on `time.monotonic`. Raises: Closed, Late."""
    (length,) = _LENGTH.unpack(_receive_exactly(connection, _LENGTH.size, deadline))
    if length > limit:
        raise Closed(f"sent a frame of {length} bytes, more than {limit}")
    return _receive_exactly(connection, length, deadline)


def _receive_exactly(connection: socket.socket, length: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < length:
        # Bytes that have arrived are read even after the deadline: the reader may have been late, not the writer.
        if deadline is not None and not _is_readable(connection, deadline - time.monotonic()):
            raise Late
        try:
            part = connection.recv(min(length - len(data), 1 << 20))
        except OSError as error:
            raise Closed(str(error)) from None
        if not part:
            raise Closed("ended")
        data += part
    return bytes(data)


def _is_readable(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()  # not select(): a trainer may hold more than 1024 descriptors
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(min(max(0.0, seconds * 1000), _LONGEST_POLL_MS)))
