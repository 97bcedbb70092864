"""Call the source on its event loop, with a deadline and circuit breakers."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from dashboard.concurrency.loop_thread import DeadlineExceeded, LoopThread
from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.domain.source import ReleaseSource
from dashboard.live.circuit_breaker import CircuitBreakers

T = TypeVar("T")

# On top of the source's own budget, in seconds: a source that overruns it is left alone.
DEADLINE_GRACE_SECONDS = 0.3


class SourceCaller:
    """Calls the source on its event loop from any thread, with a timeout of `timeout` seconds."""

    def __init__(self, source: ReleaseSource, loop: LoopThread, timeout: float, clock: Callable[[], float]) -> None:
        self.source = source
        self.timeout = timeout
        self._loop = loop
        self._breakers = CircuitBreakers(clock)

    def trouble(self, key: Hashable) -> Problem | None:
        """Return why this release, list or search cannot be read, if known."""
        return self._breakers.problem(key)

    def ask(self, make: Callable[[], Coroutine[Any, Any, T]], key: Hashable) -> T:
        """Run a call of the source; raise SourceUnavailable. Failures of one `key` do not affect others."""
        with self._breakers.guard(key):
            try:
                return self._loop.call(make, self.timeout + DEADLINE_GRACE_SECONDS)
            except DeadlineExceeded as exc:
                problem = Problem(ProblemCode.TIMED_OUT, "Temporal did not respond in time.", str(exc))
                raise SourceUnavailable(problem) from exc
