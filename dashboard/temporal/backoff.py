"""Exponential backoff per key for calls that timed out."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from cachetools import LRUCache

INITIAL_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0
MAX_BACKOFF_KEYS = 2_000


@dataclass(slots=True)
class _Failed:
    pause: float
    until: float


class Backoff:
    """Tracks failures by key. After the pause, one caller retries and the others wait for its result.

    Each pause is twice as long as the one before, up to `longest` seconds.
    """

    def __init__(
        self,
        *,
        first: float = INITIAL_BACKOFF_SECONDS,
        longest: float = MAX_BACKOFF_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._failed: LRUCache[Hashable, _Failed] = LRUCache(MAX_BACKOFF_KEYS)

    def closed(self, key: Hashable) -> bool:
        """Return whether to skip this key now. If false, the caller must try."""
        failed = self._failed.get(key)
        if failed is None:
            return False
        now = self._clock()
        if now < failed.until:
            return True
        failed.until = now + failed.pause
        return False

    def failed(self, key: Hashable) -> None:
        """Record a timeout."""
        before = self._failed.get(key)
        pause = min(before.pause * 2, self._longest) if before else self._first
        self._failed[key] = _Failed(pause, self._clock() + pause)

    def answered(self, key: Hashable) -> None:
        """Record a success."""
        self._failed.pop(key, None)
