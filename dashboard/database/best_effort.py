"""Best-effort writes: their failure does not fail the request."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

import structlog

from dashboard.database.outage import AccountsUnavailable

log = structlog.get_logger()

# After a failure, how long nothing is tried: one request in this time waits for a database that takes no changes.
RETRY_PAUSE_SECONDS = 60.0


class BestEffort:
    """Writes of one kind, named by `kind` in the log. Thread-safe."""

    def __init__(self, kind: str, clock: Callable[[], float] = monotonic) -> None:
        self._kind = kind
        self._clock = clock
        self._lock = Lock()
        self._retry_at = clock()

    def attempt(self, write: Callable[[], object]) -> None:
        """Write, unless writing has failed recently. Failures are logged.

        One thread at a time writes, so that only one of many concurrent requests meets a failure.
        """
        with self._lock:
            if self._clock() < self._retry_at:
                return
            try:
                write()
            except AccountsUnavailable as exc:
                self._retry_at = self._clock() + RETRY_PAUSE_SECONDS
                log.warning("best_effort_write_failed", kind=self._kind, exc_info=exc)
