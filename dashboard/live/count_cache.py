"""Cache of counts, refreshed less often than pages because their cost grows with the number of releases."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cachetools import TTLCache

from dashboard.domain.entities import Status
from dashboard.domain.filters import ReleaseFilter


@dataclass(frozen=True, slots=True)
class CachedCount:
    """Counts by status for a filter without its phases, and the time of the count (UTC)."""

    counts: Mapping[Status, int]
    at: datetime


class CountCache:
    """Counts of the last `max_age` seconds for at most `keep` filters. Filters share them across phases."""

    def __init__(self, *, max_age: float, keep: int) -> None:
        self._lock = threading.Lock()
        self._recent: TTLCache[ReleaseFilter, CachedCount] = TTLCache(keep, max_age)

    def get(self, wanted: ReleaseFilter) -> CachedCount | None:
        """Return the cached counts of this filter, or None if there are none or they are too old."""
        with self._lock:
            return self._recent.get(replace(wanted, phases=()))

    def keep(self, wanted: ReleaseFilter, counted: CachedCount) -> None:
        """Cache new counts."""
        with self._lock:
            self._recent[replace(wanted, phases=())] = counted
