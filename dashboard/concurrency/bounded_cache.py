"""A bounded cache that many threads write and the event loop's thread reads."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Mapping[K, V], Generic[K, V]):
    """Keeps the newest entries up to a number or, if weighed, a total weight. The oldest entry is evicted first."""

    def __init__(self, limit: int, weigh: Callable[[K, V], int] = lambda _key, _value: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._lock = threading.Lock()
        self._entries: dict[K, tuple[V, int]] = {}
        self._weight = 0

    @property
    def weight(self) -> int:
        """Return the weight of all entries."""
        return self._weight

    def keep(self, key: K, value: V) -> None:
        """Add a value as the newest entry. A value above the weight limit is not stored."""
        weight = self._weigh(key, value)
        with self._lock:
            self._drop(key)
            if weight > self._limit:
                return
            self._entries[key] = (value, weight)
            self._weight += weight
            while self._weight > self._limit:
                self._drop(next(iter(self._entries)))

    def forget(self, key: K) -> None:
        """Remove an entry, if there is one."""
        with self._lock:
            self._drop(key)

    def __getitem__(self, key: K) -> V:
        with self._lock:
            return self._entries[key][0]

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, key: K) -> None:
        _, weight = self._entries.pop(key, (None, 0))
        self._weight -= weight
