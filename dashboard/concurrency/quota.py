"""Places for those who take long: so many in all, and so many of them for one user."""

from collections import Counter
from enum import Enum, auto
from threading import Lock


class QuotaExceeded(Enum):
    """Why there is no place: one user has all of theirs, or there is none left at all."""

    FOR_USER = auto()
    FOR_ALL = auto()


class PerUserQuota:
    """Given to `most` at once, and to one user `each` at once. Safe to use from many threads."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    def acquire(self, user_id: str) -> QuotaExceeded | None:
        """Return why there is no place for this user, if there is none; whoever gets one has to give it back."""
        with self._lock:
            if self._taken[user_id] >= self._each:
                return QuotaExceeded.FOR_USER
            if self._taken.total() >= self._most:
                return QuotaExceeded.FOR_ALL
            self._taken[user_id] += 1
            return None

    def close(self) -> None:
        """Give no place to anybody from now on."""
        with self._lock:
            self._most = 0

    def release(self, user_id: str) -> None:
        """Give a place of this user back."""
        with self._lock:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]
