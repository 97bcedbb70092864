"""Cache of rendered pages: a version of a page is rendered once, not per viewer."""

from collections.abc import Callable, Hashable, Sized
from typing import Any, TypeVar

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.concurrency.single_flight import SingleFlight
from dashboard.concurrency.weight import weight_of

S = TypeVar("S", bound=Sized)

# Bytes kept at most. A tree of 1,000 entities takes 0.5 MB as HTML and 0.4 MB as JSON.
RENDER_CACHE_BYTES = 64 * 1024 * 1024

# What each of them takes besides its text and its key.
ENTRY_OVERHEAD_BYTES = 300

RenderKey = tuple[Hashable, Hashable]


class RenderCache:
    """Texts by key (a frozen value) and form; the least recently used are evicted first.

    `len` of a text is its size in bytes. A form always has the same type. Thread-safe.
    """

    def __init__(self, keep: int = RENDER_CACHE_BYTES) -> None:
        self._kept: BoundedCache[RenderKey, Any] = BoundedCache(
            keep, lambda key, text: len(text) + weight_of(key) + ENTRY_OVERHEAD_BYTES
        )
        self._flights: SingleFlight[RenderKey, Any] = SingleFlight()

    @property
    def weight(self) -> int:
        """Return the size of the cache in bytes."""
        return self._kept.weight

    def kept(self, of: Hashable, form: Hashable) -> Any | None:  # noqa: ANN401 - of the form's type
        """Return the cached text, or None."""
        return self._kept.get((of, form))

    def get(self, of: Hashable, form: Hashable, render: Callable[[], S]) -> S:
        """Return the cached text, rendering it if needed."""
        kept: S | None = self.kept(of, form)
        if kept is not None:
            return kept
        made: S = self._flights.get((of, form), lambda: self._keep((of, form), render()))
        return made

    def _keep(self, key: RenderKey, text: S) -> S:
        self._kept.keep(key, text)
        return text
