"""Track which rows viewers have recently expanded, per release."""

import threading
from collections.abc import Callable, Hashable, Iterable
from time import monotonic

from dashboard.concurrency.bounded_cache import BoundedCache


class ExpandedRows:
    """Expanded row IDs of the last `seconds`, limited in releases and in IDs per release; the latest are kept.

    The IDs of a release are also limited to `characters` in total.
    """

    def __init__(
        self,
        *,
        seconds: float,
        releases: int,
        ids: int,
        characters: int = 64_000,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        def new_rows() -> BoundedCache[str, None]:
            # Each ID counts as at least its share of the characters, which limits their number as well.
            return BoundedCache(
                characters, lambda entity_id, _: max(len(entity_id), characters // ids), ttl=seconds, clock=clock
            )

        self._new_rows = new_rows
        self._lock = threading.Lock()
        self._by_release: BoundedCache[Hashable, BoundedCache[str, None]] = BoundedCache(
            releases, ttl=seconds, clock=clock
        )

    def note(self, release: Hashable, ids: Iterable[str]) -> None:
        """Record expanded rows."""
        with self._lock:
            rows = self._by_release.get(release)
            if rows is None:
                rows = self._new_rows()
            for entity_id in ids:
                rows.keep(entity_id, None)
            # A release without expanded rows must not evict another.
            if rows:
                self._by_release.keep(release, rows)

    def of(self, release: Hashable) -> frozenset[str]:
        """Return the recently expanded rows of a release."""
        return frozenset(self._by_release.get(release, ()))
