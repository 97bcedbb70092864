"""Circuit breakers: while Temporal is unavailable, one caller at a time probes it and all others fail immediately."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.domain.problems import NotFound, Problem, ProblemCode, SourceUnavailable

INITIAL_PAUSE_SECONDS = 1.0
# The longest pause of what fails repeatedly for itself, in seconds.
MAX_PAUSE_SECONDS = 30.0
MAX_RELEASE_PAUSE_SECONDS = 5.0
# Open breakers that are kept, of single releases, lists and searches.
MAX_OPEN_BREAKERS = 1_000
# What one kind of call meets for itself: a list may be too hard for the store, or refused, and nothing else be.
CALL_SPECIFIC_PROBLEMS = frozenset({ProblemCode.TIMED_OUT, ProblemCode.REFUSED})


ShouldOpen = Callable[[Problem], bool]


class CircuitOpen(SourceUnavailable):
    """The call was not made because a breaker is open."""


class CircuitBreaker:
    """Opens when a call fails because the source is unavailable; one call after a pause probes it.

    Without it, every page would wait for its full timeout and block all threads of the server.
    """

    def __init__(
        self,
        pause: float = INITIAL_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        longest: float | None = None,
    ) -> None:
        self._first = self._pause = pause
        self._longest = longest or pause
        self._clock = clock
        self._lock = threading.Lock()
        self._problem: Problem | None = None
        self._try_at = 0.0
        self._trying = False

    @property
    def problem(self) -> Problem | None:
        """Return why the last call failed; None if it did not."""
        return self._problem

    @contextmanager
    def guard(self, opens: ShouldOpen = lambda _: True) -> Iterator[None]:
        """Run a call; raise SourceUnavailable immediately while another call is probing the source.

        A failure for which `opens` is false does not open the breaker.
        """
        probe = self._enter()
        try:
            yield
        except CircuitOpen:
            # Another breaker is open: that says nothing about what this one is for.
            raise
        except SourceUnavailable as exc:
            if self._problem or opens(exc.problem):
                self._failed(exc.problem)
            raise
        except NotFound:
            self._answered()
            raise
        else:
            self._answered()
        finally:
            if probe:
                with self._lock:
                    self._trying = False

    def retry(self) -> None:
        """End the pause, so that the next call probes the source."""
        with self._lock:
            self._try_at = self._clock()

    def _enter(self) -> bool:
        with self._lock:
            if self._problem is None:
                return False
            if self._trying or self._clock() < self._try_at:
                raise CircuitOpen(self._problem)
            self._trying = True
            return True

    def _failed(self, problem: Problem) -> None:
        with self._lock:
            self._pause = min(self._pause * 2, self._longest) if self._problem else self._first
            self._problem = problem
            self._try_at = self._clock() + self._pause

    def _answered(self) -> None:
        with self._lock:
            self._problem = None


@dataclass(frozen=True, slots=True)
class ReleaseBreakerKey:
    """Names the breaker of the reads of one release."""

    release_id: str


class CircuitBreakers:
    """A breaker for Temporal as a whole, one for reads of all releases, and one per release, list or search.

    An unreachable Temporal opens the first. A rejected or slow call opens only the breaker of its kind. A slow release
    opens its own, and that of all releases if another one is slow as well and none has answered in between.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._whole = CircuitBreaker(clock=clock)
        self._releases = CircuitBreaker(clock=clock)
        self._open: BoundedCache[Hashable, CircuitBreaker] = BoundedCache(MAX_OPEN_BREAKERS)
        self._late: frozenset[Hashable] = frozenset()

    def problem(self, key: Hashable) -> Problem | None:
        """Return why a release, a list or a search cannot be read now, if known."""
        return next((breaker.problem for breaker in self._of(key) if breaker.problem), None)

    @contextmanager
    def guard(self, key: Hashable) -> Iterator[None]:
        """Run a call for this release, list or search; raise SourceUnavailable if it fails or a breaker is open."""
        breakers = self._of(key)
        failed = any(breaker.problem for breaker in breakers)
        opens: tuple[ShouldOpen, ...] = (_of_everything, _of_one_kind, partial(self._opens_releases, key))
        try:
            with ExitStack() as guards:
                for breaker, holds in zip(breakers, opens, strict=False):
                    guards.enter_context(breaker.guard(holds))
                try:
                    yield
                except NotFound:
                    self._answered(key, retry=failed)
                    raise
            self._answered(key, retry=failed)
        finally:
            self._note(key, breakers[1])

    def _note(self, key: Hashable, own: CircuitBreaker) -> None:
        """Keep only open breakers: closed ones would be as many as there are releases."""
        if own.problem:
            self._open.keep(key, own)
        else:
            self._open.forget(key)

    def _answered(self, key: Hashable, *, retry: bool) -> None:
        if isinstance(key, ReleaseBreakerKey):
            self._late = frozenset()
        if retry:
            self._retry()

    def _opens_releases(self, key: Hashable, problem: Problem) -> bool:
        if problem.code is ProblemCode.TIMED_OUT:
            self._late |= {key}
        return problem.code is ProblemCode.REFUSED or (_of_one_kind(problem) and len(self._late) > 1)

    def _of(self, key: Hashable) -> tuple[CircuitBreaker, ...]:
        of_release = isinstance(key, ReleaseBreakerKey)
        own = self._open.get(key) or CircuitBreaker(
            clock=self._clock, longest=MAX_RELEASE_PAUSE_SECONDS if of_release else MAX_PAUSE_SECONDS
        )
        return (self._whole, own, self._releases) if of_release else (self._whole, own)

    def _retry(self) -> None:
        """End the pauses of the other breakers after a successful probe."""
        for key in self._open:
            # Another thread may have removed it by now.
            if still_open := self._open.get(key):
                still_open.retry()


def _of_one_kind(problem: Problem) -> bool:
    return problem.code in CALL_SPECIFIC_PROBLEMS


def _of_everything(problem: Problem) -> bool:
    return problem.code not in CALL_SPECIFIC_PROBLEMS
