"""Normalize client addresses for rate limits, to a prefix that a client cannot vary."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Everybody has a whole network of this size to take addresses from.
CLIENT_PREFIX_BITS = 64
# Many have as many of those as there are below this one.
SITE_PREFIX_BITS = 48


def client_network(address: str) -> str:
    """Return an IPv4 address, the /64 of an IPv6 address, or an empty string for invalid input."""
    found = _parse_address(address)
    return _network(found, CLIENT_PREFIX_BITS) if isinstance(found, IPv6Address) else str(found or "")


def site_network(address: str) -> str:
    """Return the /48 of an IPv6 address, or an empty string."""
    found = _parse_address(address)
    return f"{_network(found, SITE_PREFIX_BITS)}/{SITE_PREFIX_BITS}" if isinstance(found, IPv6Address) else ""


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address as reported by a server or proxy, which may add a port, brackets or an interface name."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    for candidate in (text, text.rpartition(":")[0]):
        try:
            found = ip_address(candidate.partition("%")[0])
        except ValueError:
            continue
        return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
    return None


def _network(address: IPv6Address, prefix: int) -> str:
    return str(IPv6Network((int(address), prefix), strict=False).network_address)
