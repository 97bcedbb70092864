"""Server limits per client: request size, duration, and connections."""

import resource
from dataclasses import dataclass, replace

from dashboard.auth.client_addresses import client_network
from dashboard.settings.model import Settings

# Bytes of a request's target, its path and query as they are sent.
MAX_TARGET_BYTES = 4 * 1024
# A request's head: how many headers (the trailers of a body in chunks count as well), and bytes in all.
MAX_HEADER_COUNT = 100
MAX_HEAD_BYTES = 64 * 1024
# Requests that may wait on one connection while another is answered: each takes some KB, and a piece has thousands.
MAX_PIPELINED_REQUESTS = 16
# Bytes that a client has to take of an answer in RESPONSE_TIMEOUT seconds, where that many are left.
MIN_PROGRESS_BYTES = 16 * 1024
# Connections past the bounds, on which only a probe is answered.
MAX_PROBE_CONNECTIONS = 32
# How long one of those may take to say what it wants.
PROBE_CONNECTION_SECONDS = 5.0
# File descriptors for everything that is no connection of a client: the database, files, Temporal.
RESERVED_FILE_DESCRIPTORS = 128
# Each open page and each silent client takes one.
MAX_FILE_DESCRIPTORS = 65_536


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The configured limits. With `proxies`, connections come from them, with client addresses in headers."""

    request_seconds: float = 20
    response_seconds: float = 20
    connections: int = 8_000
    connections_per_address: int = 500
    proxies: int = 0

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionLimits":
        """Read them from the settings."""
        return cls(
            settings.request_timeout,
            settings.response_timeout,
            settings.max_connections,
            settings.max_connections_per_address,
            settings.trusted_proxies,
        )


def raise_file_limit() -> int:
    """Raise the limit of open files; return how many connections it allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MAX_FILE_DESCRIPTORS if most == resource.RLIM_INFINITY else min(MAX_FILE_DESCRIPTORS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(1, max(files - RESERVED_FILE_DESCRIPTORS, files // 2) - MAX_PROBE_CONNECTIONS)


def limit_connections(bounds: ConnectionLimits, room: int) -> ConnectionLimits:
    """Return the limits, reduced to the possible number of connections."""
    return replace(bounds, connections=min(bounds.connections, room))


def connection_network(address: str) -> str:
    """Return the key for counting connections: the IPv4 address or the IPv6 /64."""
    return client_network(address) or address[:64]


def client_address(headers: list[tuple[bytes, bytes]], peer: str, proxies: int) -> str:
    """Return the client address of a request as reported by trusted proxies."""
    if not proxies:
        return connection_network(peer)
    told = b",".join(value for name, value in headers if name == b"x-forwarded-for").split(b",")
    return (
        connection_network(told[-proxies].strip().decode("latin1")) if len(told) >= proxies and told[-proxies] else peer
    )
