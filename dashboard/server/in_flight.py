"""Limit concurrent requests per client behind proxies."""

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from dashboard.server.limits import client_address

MAX_REQUESTS_PER_CLIENT = 500


class RequestCounter:
    """Counts requests by client address from trusted proxies, bound to the event loop.

    Without proxies, connections are counted instead.
    """

    def __init__(self, proxies: int, most: int) -> None:
        self._proxies = proxies
        self._most = most
        self._open: Counter[str] = Counter()

    def address(self, scope: MutableMapping[str, Any]) -> str:
        """Return the client address of a request."""
        return client_address(scope["headers"], (scope.get("client") or ("", 0))[0], self._proxies)

    @contextmanager
    def of(self, scope: MutableMapping[str, Any]) -> Iterator[bool]:
        """Count a request while it is in progress; yield whether its client is within the limit."""
        if not self._proxies:
            yield True
            return
        address = self.address(scope)
        self._open[address] += 1
        try:
            yield self._open[address] <= self._most
        finally:
            # Subtracting counters would iterate over all addresses.
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
