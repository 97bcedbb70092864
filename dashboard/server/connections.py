"""Registry of open connections with limits per address and deadlines."""

import asyncio
from collections import Counter
from time import monotonic
from typing import Protocol

import structlog

from dashboard.concurrency.log_sampler import LogSampler
from dashboard.server.limits import MAX_PROBE_CONNECTIONS, ConnectionLimits, connection_network

log = structlog.get_logger()

# How often the clocks of all connections are looked at.
SWEEP_INTERVAL_SECONDS = 0.5


class ClientConnection(Protocol):
    """The registry's interface to a connection."""

    silent: bool

    def check(self, now: float) -> None:
        """Drop the connection if a deadline has passed."""

    def drop(self) -> None:
        """Drop the connection."""


class ConnectionRegistry:
    """The connections of a server, bound to the event loop."""

    def __init__(self, bounds: ConnectionLimits) -> None:
        self.bounds = bounds
        self._admitted: dict[ClientConnection, str] = {}
        self._by_address: Counter[str] = Counter()
        # Past the bounds: the newest last.
        self._reserved: dict[ClientConnection, None] = {}
        self._floods = LogSampler()

    def admit(self, connection: ClientConnection, peer: str) -> bool:
        """Add a connection; return whether it is within the limits. Otherwise it may only be used for health checks."""
        address = connection_network(peer)
        reason = self._full(address)
        if not reason:
            self._admitted[connection] = address
            self._by_address[address] += 1
            return True
        self.note("connection_refused", reason, address)
        if len(self._reserved) >= MAX_PROBE_CONNECTIONS:
            self._make_room()
        self._reserved[connection] = None
        return False

    def remove(self, connection: ClientConnection) -> None:
        """Remove a closed connection."""
        self._reserved.pop(connection, None)
        address = self._admitted.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def note(self, event: str, reason: str, address: str) -> None:
        """Log that a client was rejected or dropped, once per minute, address and reason."""
        left_out = self._floods.sample((event, reason, address))
        if left_out is not None:
            count = len(self._admitted)
            log.warning(event, reason=reason, address=address, connections=count, left_out=left_out)

    async def watch(self, pause: float = SWEEP_INTERVAL_SECONDS) -> None:
        """Check the deadlines of all connections while the server runs."""
        while True:
            await asyncio.sleep(pause)
            now = monotonic()
            for connection in [*self._admitted, *self._reserved]:
                self._check(connection, now)

    def _check(self, connection: ClientConnection, now: float) -> None:
        try:
            connection.check(now)
        except Exception:
            address = self._admitted.get(connection, "")
            if self._floods.sample(("connection_check_failed", address)) is not None:
                log.exception("connection_check_failed", address=address)

    def _full(self, address: str) -> str:
        """Return the limit that a new connection from this address would exceed, if any."""
        if len(self._admitted) >= self.bounds.connections:
            return "too many in all"
        # All that comes through a proxy comes from one address.
        if not self.bounds.proxies and self._by_address[address] >= self.bounds.connections_per_address:
            return "too many from this address"
        return ""

    def _make_room(self) -> None:
        """Drop the oldest connection without a request."""
        oldest = next((each for each in self._reserved if each.silent), next(iter(self._reserved)))
        oldest.drop()
        self._reserved.pop(oldest, None)
