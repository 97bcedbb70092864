"""Limit the Temporal calls that viewers may cause in addition to scheduled polling."""

from collections.abc import Callable
from math import inf
from threading import Lock

# The share of the budget that is theirs: what is watched has the rest, whatever they ask for.
VIEWER_SHARE = 0.5
# For how many seconds what they have not used is kept for them.
MAX_SAVED_SECONDS = 2.0


class ViewerBudget:
    """A rate limit of `rate` calls per second for all viewers together. Costs are charged after a read. Thread-safe."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._paid_at = -inf
        self._lock = Lock()

    def is_left(self) -> bool:
        """Return whether there is allowance left."""
        return self._paid_at <= self._clock()

    def charge(self, calls: int) -> None:
        """Charge a number of calls."""
        with self._lock:
            self._paid_at = max(self._paid_at, self._clock() - MAX_SAVED_SECONDS) + calls / self._rate
