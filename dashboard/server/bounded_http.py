"""HTTP/1.1 protocol of uvicorn with limits on sending, waiting and reading."""

import asyncio
from time import monotonic
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dashboard.server.connections import ConnectionRegistry
from dashboard.server.direct_responses import refusal_response, to_http11
from dashboard.server.limits import (
    MAX_HEAD_BYTES,
    MAX_HEADER_COUNT,
    MAX_PIPELINED_REQUESTS,
    MAX_TARGET_BYTES,
    PROBE_CONNECTION_SECONDS,
)
from dashboard.server.send_progress import ProgressTransport
from dashboard.web.health import PROBES

# A rejected client may still be sending: discard its data for this long, as a reset would discard the response.
LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024
# Before the name and after the value of a header.
_HEADER_OVERHEAD = len(b": \r\n")


class _RequestRefused(Exception):
    """Aborts parsing of a rejected request."""


class BoundedHttp(HttpToolsProtocol):
    """A connection. `ConnectionRegistry` checks its deadlines.

    A request's head must arrive within a time from its first byte, and its body within a time from the end of the head,
    without extension. The client must read some of the response in every such interval.
    """

    def __init__(self, connections: ConnectionRegistry, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**options)
        self._connections = connections
        self._bounds = connections.bounds
        self._admitted = True
        self._refused = 0
        # No request has said yet what it wants.
        self.silent = True
        # Until when what is in progress has to have come; None while it is the server's turn.
        self._due: float | None = None
        self._receiving = self._in_body = False
        self._head_size = self._head_count = self._unfinished = 0
        self._linger_left = LINGER_BYTES
        self._sending: ProgressTransport | None = None

    @property
    def address(self) -> str:
        """Return the peer's address."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection and wait for a request."""
        self._sending = ProgressTransport(transport, self._bounds.response_seconds)
        super().connection_made(cast(asyncio.Transport, self._sending))
        self._admitted = self._connections.admit(self, self.address)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data. The first byte of a request starts its deadline."""
        if self._refused:
            self._linger_left -= len(data)
            if self._linger_left < 0:
                self.drop()
            return
        if not self._receiving:
            self._unfinished = 0
            self._begin()
        self._unfinished += len(data)
        super().data_received(data)
        if self._head_size + self._unfinished > MAX_HEAD_BYTES and not self._refused:
            self._refuse(431)

    def on_message_begin(self) -> None:
        """Start counting for a request, which may be one of several in the same data."""
        super().on_message_begin()
        self._begin()
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            self._connections.note("client_dropped", "too many pipelined requests", self.address)
            self._stop(503)

    def on_url(self, url: bytes) -> None:
        """Reject addresses that are too long."""
        super().on_url(url)
        self._count(len(url))
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Reject oversized headers or trailers."""
        self._count(len(name) + len(value) + _HEADER_OVERHEAD)
        self._head_count += 1
        if self._head_count > MAX_HEADER_COUNT or self._head_size > MAX_HEAD_BYTES:
            self._stop(431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Handle the request.

        Above the connection limit, only health checks are handled and the connection is closed.
        """
        self._unfinished = 0
        self.silent, self._in_body = False, True
        if not self._admitted and self._path not in PROBES:
            self._stop(503)
        self._wait()
        super().on_headers_complete()
        if not self._admitted:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Receive part of the body."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request deadline."""
        self._receiving = self._in_body = False
        self._due, self._unfinished = None, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Send an error response with our headers, unless another response is in progress."""
        del msg
        self._refuse(self._refused or 400)

    def check(self, now: float) -> None:
        """Drop the connection if a deadline has passed."""
        if self._sending and self._sending.stalled(now):
            self._connections.note("client_dropped", "response not read", self.address)
            self.drop()
        elif self._due is not None and now > self._due:
            self._late()

    def drop(self) -> None:
        """Close the connection immediately without sending the rest."""
        if self._sending:
            self._sending.reset()

    def _late(self) -> None:
        if self.flow.read_paused:
            # It is not the client that is late.
            self._wait()
        elif self._refused or not self._receiving:
            self._due = None
            self.transport.close()
        else:
            self._connections.note("client_dropped", "request not received", self.address)
            self._refuse(408)

    def _begin(self) -> None:
        self._receiving, self._in_body = True, False
        self._head_size = self._head_count = 0
        self._wait()

    def _wait(self) -> None:
        self._due = monotonic() + (self._bounds.request_seconds if self._admitted else PROBE_CONNECTION_SECONDS)

    def _count(self, size: int) -> None:
        self._head_size += size
        # What follows it in the same piece is not read yet, however much that is.
        self._unfinished = max(self._unfinished - size, 0)

    def _stop(self, status: int) -> None:
        """Reject a request during parsing."""
        self._refused = status
        raise _RequestRefused

    def _refuse(self, status: int) -> None:
        self._refused = status
        if self.transport.is_closing():
            return
        if self._answering:
            # In the midst of another answer there is no place for this one.
            self.transport.close()
            return
        self._forget_cycle()
        self.transport.write(to_http11(refusal_response(status, self._path)))
        self._due = monotonic() + LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    @property
    def _answering(self) -> bool:
        """Return whether a response to an earlier request is in progress or due."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        return self.cycle.response_started or not self._in_body or bool(self.pipeline)

    def _forget_cycle(self) -> None:
        """Notify the app that the rest of the body will not arrive."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    @property
    def _path(self) -> str:
        url: bytes = getattr(self, "url", b"")
        return url.partition(b"?")[0].decode("latin1")
