"""How much of Temporal viewers may have read beside what is watched, before that has to wait for them."""

from collections.abc import Callable
from math import inf
from threading import Lock

# The share of the budget that is theirs: what is watched has the rest, whatever they ask for.
VIEWER_SHARE = 0.5
# For how many seconds what they have not used is kept for them.
MAX_SAVED_SECONDS = 2.0


class ViewerBudget:
    """`rate` calls a second, of viewers together. What a read costs is known after it. Safe for many threads."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._paid_at = -inf
        self._lock = Lock()

    def is_left(self) -> bool:
        """Whether all that was read is paid for."""
        return self._paid_at <= self._clock()

    def charge(self, calls: int) -> None:
        """Pay for so many calls."""
        with self._lock:
            self._paid_at = max(self._paid_at, self._clock() - MAX_SAVED_SECONDS) + calls / self._rate
