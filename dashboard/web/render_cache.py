"""Cache of rendered pages: a version of a page is rendered once, not per viewer."""

import threading
from collections.abc import Callable, Hashable, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

from cachetools import LRUCache

from dashboard.concurrency.single_flight import SingleFlight
from dashboard.concurrency.weight import weight_of

S = TypeVar("S", bound=Sized)

# Bytes kept at most. A tree of 1,000 entities takes 0.5 MB as HTML and 0.4 MB as JSON.
RENDER_CACHE_BYTES = 64 * 1024 * 1024

# What each of them takes besides its text and its key.
ENTRY_OVERHEAD_BYTES = 300

RenderKey = tuple[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class _CachedText:
    """A cached text and its size with its key in bytes."""

    text: Any
    size: int


class RenderCache:
    """Texts by key (a frozen value) and form; the least recently used are evicted first.

    `len` of a text is its size in bytes. A form always has the same type. Thread-safe.
    """

    def __init__(self, keep: int = RENDER_CACHE_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[RenderKey, _CachedText] = LRUCache(keep, getsizeof=lambda kept: kept.size)
        self._flights: SingleFlight[RenderKey, Any] = SingleFlight()

    @property
    def weight(self) -> int:
        """Return the size of the cache in bytes."""
        return int(self._kept.currsize)

    def kept(self, of: Hashable, form: Hashable) -> Any | None:  # noqa: ANN401 - of the form's type
        """Return the cached text, or None."""
        with self._lock:
            kept = self._kept.get((of, form))
        return kept.text if kept else None

    def get(self, of: Hashable, form: Hashable, render: Callable[[], S]) -> S:
        """Return the cached text, rendering it if needed."""
        kept: S | None = self.kept(of, form)
        if kept is not None:
            return kept
        made: S = self._flights.get((of, form), lambda: self._keep((of, form), render()))
        return made

    def _keep(self, key: RenderKey, text: S) -> S:
        kept = _CachedText(text, len(text) + weight_of(key) + ENTRY_OVERHEAD_BYTES)
        with self._lock:
            if kept.size <= self._kept.maxsize:
                self._kept[key] = kept
        return text
