"""Sample log events that may occur thousands of times."""

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic

from cachetools import TTLCache

SAMPLE_INTERVAL_SECONDS = 60.0
# The maximum number of logged events in this time, of any kind.
MAX_SAMPLES_PER_INTERVAL = 100


class LogSampler:
    """Samples events: each key once per minute, with a total limit. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic, most: int = MAX_SAMPLES_PER_INTERVAL) -> None:
        self._told: TTLCache[Hashable, None] = TTLCache(most, SAMPLE_INTERVAL_SECONDS, clock)
        self._most = most
        self._left_out = 0
        self._lock = Lock()

    def sample(self, key: Hashable) -> int | None:
        """Return None if the event is to be skipped, otherwise the number of events skipped since the last one."""
        with self._lock:
            self._told.expire()
            if key in self._told or len(self._told) >= self._most:
                self._left_out += 1
                return None
            self._told[key] = None
            left_out, self._left_out = self._left_out, 0
            return left_out
