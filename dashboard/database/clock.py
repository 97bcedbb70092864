"""Measure the difference between this machine's clock and the database's, which replicas share."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock, Thread
from time import monotonic

import structlog

log = structlog.get_logger()

# The maximum age of a comparison in seconds.
COMPARE_INTERVAL_SECONDS = 60.0
# The clock difference in seconds above which a warning is reported.
MAX_CLOCK_SKEW_SECONDS = 5.0


class ClockComparison:
    """Compares this machine's clock with the one returned by `ask`. Reading the result never waits."""

    def __init__(self, ask: Callable[[], datetime]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._due = 0.0
        self._ahead: float | None = None

    @property
    def ahead(self) -> float | None:
        """Return the last measured difference in seconds (positive if this machine is ahead), or None."""
        with self._lock:
            due = monotonic() >= self._due
            # One at a time; where the other does not answer, the next is tried as much later.
            self._due = monotonic() + COMPARE_INTERVAL_SECONDS if due else self._due
        if due:
            Thread(target=self._compare_if_possible, name="clock", daemon=True).start()
        return self._ahead

    def compare(self) -> None:
        """Measure now. Raises what `ask` raises."""
        before = datetime.now(UTC)
        theirs = self._ask()
        # It was asked somewhere in between.
        middle = before + (datetime.now(UTC) - before) / 2
        self._ahead, self._due = (middle - theirs).total_seconds(), monotonic() + COMPARE_INTERVAL_SECONDS
        if abs(self._ahead) > MAX_CLOCK_SKEW_SECONDS:
            log.warning("clocks_apart", ahead_seconds=round(self._ahead, 1))

    def _compare_if_possible(self) -> None:
        # Users of the database notice the outage themselves.
        with suppress(Exception):
            self.compare()
