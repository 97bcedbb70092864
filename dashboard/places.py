"""Places for those who wait: so many in all, and so many of them for one user."""

from collections import Counter
from threading import Lock


class Places:
    """Given to `most` at once, and to one user `each` at once. Safe to use from many threads."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, user_id: str) -> bool:
        """Whether there is a place for this user; whoever gets one has to give it back."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[user_id] >= self._each:
                return False
            self._taken[user_id] += 1
            return True

    def give(self, user_id: str) -> None:
        """Give a place of this user back."""
        with self._lock:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]
