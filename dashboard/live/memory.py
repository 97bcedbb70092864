"""A bounded memory that many threads write and the event loop's thread reads."""

import threading
from collections.abc import Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Mapping[K, V]):
    """Keeps the newest entries; the one kept longest ago goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: dict[K, V] = {}

    def keep(self, key: K, value: V) -> None:
        """Remember a value; it becomes the newest."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = value
            while len(self._entries) > self._limit:
                del self._entries[next(iter(self._entries))]

    def __getitem__(self, key: K) -> V:
        with self._lock:
            return self._entries[key]

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
