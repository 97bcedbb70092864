"""Limit concurrent waiters, in total and per user."""

from collections import Counter
from enum import Enum, auto
from threading import Lock


class QuotaExceeded(Enum):
    """Which limit was reached: the user's, or the total."""

    FOR_USER = auto()
    FOR_ALL = auto()


class PerUserQuota:
    """A quota of `most` in total and `each` per user. Thread-safe."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    def acquire(self, user_id: str) -> QuotaExceeded | None:
        """Acquire a slot for this user; return the reason if there is none. The caller must release it."""
        with self._lock:
            if self._taken[user_id] >= self._each:
                return QuotaExceeded.FOR_USER
            if self._taken.total() >= self._most:
                return QuotaExceeded.FOR_ALL
            self._taken[user_id] += 1
            return None

    def close(self) -> None:
        """Reject all further requests."""
        with self._lock:
            self._most = 0

    def release(self, user_id: str) -> None:
        """Release a slot of this user."""
        with self._lock:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]
