"""The bounded cache of everything that several threads share."""

import threading
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from time import monotonic
from typing import Generic, TypeVar

from cachetools import LRUCache, TTLCache

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Mapping[K, V], Generic[K, V]):
    """Keeps entries up to a number or, if weighed, a total weight, and at most for `ttl` seconds. Thread-safe.

    The least recently used entry is evicted first. Iteration starts with the entry that was stored first.
    """

    def __init__(
        self,
        limit: int,
        weigh: Callable[[K, V], int] = lambda _key, _value: 1,
        *,
        ttl: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._weigh = weigh
        self._lock = threading.Lock()
        # Weighed before they are stored, as a weight includes that of the key.
        weight = itemgetter(1)
        self._entries: LRUCache[K, tuple[V, int]] | TTLCache[K, tuple[V, int]] = (
            LRUCache(limit, weight) if ttl is None else TTLCache(limit, ttl, clock, weight)
        )

    @property
    def weight(self) -> int:
        """Return the weight of all entries."""
        with self._lock:
            return int(self._entries.currsize)

    def keep(self, key: K, value: V) -> None:
        """Add a value as the newest entry. A value above the weight limit is not stored."""
        weight = self._weigh(key, value)
        with self._lock:
            self._entries.pop(key, None)
            if weight <= self._entries.maxsize:
                self._entries[key] = (value, weight)

    def forget(self, key: K) -> None:
        """Remove an entry, if there is one."""
        with self._lock:
            self._entries.pop(key, None)

    def __getitem__(self, key: K) -> V:
        with self._lock:
            return self._entries[key][0]

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)
