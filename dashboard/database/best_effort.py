"""Writes that are good to have, and whose failure must not fail the request with which they come."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

import structlog

from dashboard.database.outage import AccountsUnavailable

log = structlog.get_logger()

# After a failure, how long nothing is tried: one request in this time waits for a database that takes no changes.
RETRY_PAUSE_SECONDS = 60.0


class BestEffort:
    """Writes of one kind, named by `kind` in the log. Safe to use from many threads."""

    def __init__(self, kind: str, clock: Callable[[], float] = monotonic) -> None:
        self._kind = kind
        self._clock = clock
        self._lock = Lock()
        self._retry_at = clock()

    def attempt(self, write: Callable[[], object]) -> None:
        """Write, unless that has failed lately; a failure is logged, and what was to be written stays due.

        One thread at a time, so that of many requests in the same moment one alone runs into a failure.
        """
        with self._lock:
            if self._clock() < self._retry_at:
                return
            try:
                write()
            except AccountsUnavailable as exc:
                self._retry_at = self._clock() + RETRY_PAUSE_SECONDS
                log.warning("best_effort_write_failed", kind=self._kind, exc_info=exc)
