"""Track how much of a response a client has received."""

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import Any

from dashboard.server.limits import MIN_PROGRESS_BYTES

# Bytes that the system keeps of what was sent to a client, before it waits here. The system doubles it.
SEND_BUFFER_BYTES = 128 * 1024
# Closing then throws away what was not sent.
_NO_LINGER = struct.pack("ii", 1, 0)


class ProgressTransport:
    """A transport that detects clients that do not read for `seconds`."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._written = 0
        # When it was seen last that the client came on, and how far it had come.
        self._seen: tuple[float, int] | None = None
        self._socket: socket.socket | None = transport.get_extra_info("socket")
        self._set(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        # What is left when the connection is closed is the system's to send, which must not wait without end either.
        self._set(socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None), int(2 * seconds * 1000))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the transport's
        return getattr(self._transport, name)

    def write(self, content: bytes) -> None:
        """Send and count data."""
        self._written += len(content)
        self._transport.write(content)

    def stalled(self, now: float) -> bool:
        """Return whether the client reads too slowly."""
        left = self._left() if self._written else 0
        if not left:
            self._seen, self._written = None, 0
            return False
        taken = self._written - left
        if self._seen is None or taken - self._seen[1] >= MIN_PROGRESS_BYTES:
            self._seen = now, taken
        return now - self._seen[0] > self._seconds

    def reset(self) -> None:
        """Reset the connection, discarding unsent data, which a stalled client would hold."""
        self._set(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def _set(self, level: int, name: int | None, value: int | bytes) -> None:
        # A client may have gone already.
        with suppress(OSError):
            if self._socket is not None and name is not None:
                self._socket.setsockopt(level, name, value)

    def _left(self) -> int:
        """Return the number of unacknowledged bytes, buffered here or in the kernel."""
        waiting = self._transport.get_write_buffer_size()
        try:
            told = fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4) if self._socket else b"\0" * 4
        except (OSError, ValueError):
            return waiting
        return waiting + int(struct.unpack("i", told)[0])
