"""How far this machine's clock is from the database's, which counts for all that replicas share."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock, Thread
from time import monotonic

import structlog

log = structlog.get_logger()

# How old a comparison gets, in seconds, before whoever asks has the clocks compared again.
COMPARE_INTERVAL_SECONDS = 60.0
# How many seconds clocks may be apart before that is told.
MAX_CLOCK_SKEW_SECONDS = 5.0


class ClockComparison:
    """Compares this machine's clock with the one that `ask` tells. Nobody waits for that who asks what came of it."""

    def __init__(self, ask: Callable[[], datetime]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._due = 0.0
        self._ahead: float | None = None

    @property
    def ahead(self) -> float | None:
        """By how many seconds this machine's clock was ahead, when they were last compared; None before that."""
        with self._lock:
            due = monotonic() >= self._due
            # One at a time; where the other does not answer, the next is tried as much later.
            self._due = monotonic() + COMPARE_INTERVAL_SECONDS if due else self._due
        if due:
            Thread(target=self._compare_if_possible, name="clock", daemon=True).start()
        return self._ahead

    def compare(self) -> None:
        """Compare them now. Raises what `ask` raises."""
        before = datetime.now(UTC)
        theirs = self._ask()
        # It was asked somewhere in between.
        middle = before + (datetime.now(UTC) - before) / 2
        self._ahead, self._due = (middle - theirs).total_seconds(), monotonic() + COMPARE_INTERVAL_SECONDS
        if abs(self._ahead) > MAX_CLOCK_SKEW_SECONDS:
            log.warning("clocks_apart", ahead_seconds=round(self._ahead, 1))

    def _compare_if_possible(self) -> None:
        # Whoever needs the database is told by that that it is away.
        with suppress(Exception):
            self.compare()
