"""Counts that are asked for less often than the pages they stand on: they cost more the more releases there are."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cachetools import TTLCache

from dashboard.domain.entities import Status
from dashboard.domain.filters import ReleaseFilter


@dataclass(frozen=True, slots=True)
class CachedCount:
    """How many runs of each status a filter finds without its phases, and when they were counted (UTC)."""

    counts: Mapping[Status, int]
    at: datetime


class CountCache:
    """What was counted in the last `max_age` seconds, for at most `keep` filters. Filters share it across phases."""

    def __init__(self, *, max_age: float, keep: int) -> None:
        self._lock = threading.Lock()
        self._recent: TTLCache[ReleaseFilter, CachedCount] = TTLCache(keep, max_age)

    def get(self, wanted: ReleaseFilter) -> CachedCount | None:
        """What was counted for this filter, if that is not too long ago."""
        with self._lock:
            return self._recent.get(replace(wanted, phases=()))

    def keep(self, wanted: ReleaseFilter, counted: CachedCount) -> None:
        """Share what has just been counted."""
        with self._lock:
            self._recent[replace(wanted, phases=())] = counted
