"""Bulkhead for requests that wait for Temporal: some server threads stay free for requests that do not wait."""

import threading
import time
from collections.abc import Callable

# Fewer than the server has threads (see serve.py).
BULKHEAD_SIZE = 24
# Seconds to wait before the bulkhead counts as full, and for which further requests then fail immediately.
ACQUIRE_TIMEOUT_SECONDS = 0.4
FULL_PAUSE_SECONDS = 1.0


class Bulkhead:
    """A limited number of seats. If all are taken, further requests fail immediately instead of queueing."""

    def __init__(
        self,
        count: int = BULKHEAD_SIZE,
        patience: float = ACQUIRE_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = threading.Semaphore(count)
        self._patience = patience
        self._clock = clock
        self._full_until = 0.0

    def take(self) -> bool:
        """Take a seat, if there is one; the caller must release it."""
        if self._free.acquire(blocking=False):
            return True
        if self._clock() < self._full_until:
            return False
        if self._free.acquire(timeout=self._patience):
            return True
        self._full_until = self._clock() + FULL_PAUSE_SECONDS
        return False

    def give(self) -> None:
        """Release a seat."""
        self._free.release()
