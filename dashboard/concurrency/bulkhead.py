"""Seats for those who wait for Temporal: some of a server's threads always stay free for what needs no waiting."""

import threading
import time
from collections.abc import Callable

# Fewer than the server has threads (see serve.py).
BULKHEAD_SIZE = 24
# Seconds that somebody stands before it counts as full, and for which all others are then sent on at once.
ACQUIRE_TIMEOUT_SECONDS = 0.4
FULL_PAUSE_SECONDS = 1.0


class Bulkhead:
    """Given to so many at once. Where all stay taken, the next ones hear so at once, instead of queueing up as well."""

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
        """Whether there is a seat; whoever gets one has to give it back."""
        if self._free.acquire(blocking=False):
            return True
        if self._clock() < self._full_until:
            return False
        if self._free.acquire(timeout=self._patience):
            return True
        self._full_until = self._clock() + FULL_PAUSE_SECONDS
        return False

    def give(self) -> None:
        """Give a seat back."""
        self._free.release()
