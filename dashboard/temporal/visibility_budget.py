"""Keep visibility calls below Temporal's rate limit per namespace, which all clients share."""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from math import inf

from temporalio.service import RPCError, RPCStatusCode

# Seconds after a refusal before the rate rises again, and in how many more it is doubled.
RECOVERY_DELAY_SECONDS = 5.0
RATE_DOUBLING_SECONDS = 30.0
# The lowest rate, as a share of the one that is set.
MIN_RATE_SHARE = 0.05
# A refresh that has not asked again for this many seconds is dropped from the queue.
WAITER_EXPIRY_SECONDS = 5.0

# The longest sleep of a read that waits for its turn, in seconds.
MAX_SLEEP_SECONDS = 0.05

BUDGET_EXHAUSTED = "This dashboard's limit for visibility calls (VISIBILITY_RPS) is reached."


_low_priority: ContextVar[bool] = ContextVar("optional", default=False)


@contextmanager
def low_priority() -> Iterator[None]:
    """Give calls within this context lower priority."""
    token = _low_priority.set(True)
    try:
        yield
    finally:
        _low_priority.reset(token)


class VisibilityBudget:
    """A token bucket for one namespace and event loop. `rate` is in calls per second.

    Reads of waiting users `take` a token as soon as possible. Refreshes ask whether one is `granted`, longest waiting
    first. After a rejection the rate is halved and slowly recovers.
    """

    def __init__(self, rate: float = inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._full = self._rate = rate
        self._clock = clock
        self._size = max(rate, 1.0)
        self._tokens = self._size
        self._at = self._refused_at = clock()
        self._granted = 0
        self._tickets = count()
        self._takers: set[tuple[bool, int]] = set()
        self._waiting: dict[Hashable, tuple[float, float]] = {}

    @property
    def slowed(self) -> bool:
        """Return whether the rate is reduced because Temporal recently rejected calls."""
        self._refill()
        return self._rate < self._full

    def granted(self, key: Hashable, *, spare: bool = False) -> bool:
        """Return whether a refresh may make a call now, which it then must make.

        `spare` calls leave half of the bucket to others.
        """
        if self._full == inf:
            return True
        self._refill()
        now = self._clock()
        since, _ = self._waiting.pop(key, (now, now))
        earlier = self._ahead_of(since, now)
        if self._tokens - len(self._takers) - earlier < (1 + self._size / 2 if spare else 1):
            self._waiting[key] = (since, now)
            return False
        self._tokens -= 1
        self._granted += 1
        return True

    async def take(self, seconds: float) -> None:
        """Wait for a token, or use a granted one; raises RPCError on timeout."""
        if self._full == inf:
            return
        if self._granted:
            self._granted -= 1
            return
        until = self._clock() + seconds
        me = (_low_priority.get(), next(self._tickets))
        self._takers.add(me)
        try:
            while (missing := self._missing()) > 0 or min(self._takers) != me:
                if self._clock() + missing / self._rate > until:
                    raise RPCError(BUDGET_EXHAUSTED, RPCStatusCode.RESOURCE_EXHAUSTED, b"")
                await asyncio.sleep(min(max(missing / self._rate, MAX_SLEEP_SECONDS / 10), MAX_SLEEP_SECONDS))
            self._tokens -= 1
        finally:
            self._takers.discard(me)

    def refused(self) -> None:
        """Record a rejection, halving the rate."""
        self._refill()
        now = self._clock()
        # Calls that were in progress together are refused together.
        if self._full != inf and (self._rate == self._full or now - self._refused_at > 1):
            self._rate = max(self._rate / 2, self._full * MIN_RATE_SHARE)
        self._refused_at = now
        self._tokens = min(self._tokens, 0.0)

    def _missing(self) -> float:
        self._refill()
        # A bucket that is full to the brim may still miss a whole call by rounding.
        return max(1 - self._tokens - 1e-9, 0.0)

    def _refill(self) -> None:
        now = self._clock()
        seconds, self._at = now - self._at, now
        if self._rate < self._full and now - self._refused_at > RECOVERY_DELAY_SECONDS:
            self._rate = min(self._full, self._rate * 2 ** (seconds / RATE_DOUBLING_SECONDS))
        if self._full != inf:
            self._tokens = min(self._tokens + seconds * self._rate, self._size)

    def _ahead_of(self, since: float, now: float) -> int:
        """Return the number of refreshes that have been waiting longer."""
        gone = [key for key, (_, asked) in self._waiting.items() if now - asked > WAITER_EXPIRY_SECONDS]
        for key in gone:
            del self._waiting[key]
        return sum(began < since for began, _ in self._waiting.values())
