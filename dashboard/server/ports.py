"""Check and find ports."""

import errno
import http.client
import random
import socket

# Below those that systems give to outgoing connections, so that none of these can take one that was found free.
CANDIDATE_PORTS = range(20000, 32000)


class PortUnavailable(Exception):
    """The port cannot be used. The message says where and why."""


class PortInUse(PortUnavailable):
    """The port is in use."""


def check_port(host: str, port: int) -> str:
    """Return the host's address if its port can be used, otherwise raise PortUnavailable.

    Servers that share a port among workers would not notice a conflict.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # "localhost" has two addresses; what people type and what tools try is IPv4.
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: connections that are only just over do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortInUse(f"Port {port} on {host} is busy") from exc
        raise PortUnavailable(f"Cannot listen on {host}, port {port}: {exc.strerror or exc}") from exc
    return str(address[0])


def find_free_port() -> int:
    """Return a free port on 127.0.0.1."""
    while True:
        port = random.choice(CANDIDATE_PORTS)  # noqa: S311 - not a secret
        try:
            check_port("127.0.0.1", port)
        except PortUnavailable:
            continue
        return port


def http_answers(port: int, path: str) -> bool:
    """Return whether an HTTP server on 127.0.0.1 answers this path with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
