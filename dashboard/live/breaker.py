"""Breakers: while Temporal does not answer, one caller at a time finds out, and all others are told immediately."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from math import inf

from cachetools import LRUCache

from dashboard.domain.problems import NotFound, Problem, ProblemCode, SourceUnavailable

PAUSE = 1.0
# The longest pause of what fails again and again for itself, in seconds.
LONGEST = 30.0
# Breakers that are kept for single lists and searches.
KEEP = 1_000
# What one kind of call meets for itself: a list may be too hard for the store, or refused, and nothing else be.
OF_ONE_KIND = frozenset({ProblemCode.TIMED_OUT, ProblemCode.REFUSED})


class Breaker:
    """Opens when a call fails because the source is unavailable; the next call after a pause tries again.

    Without it every page would wait out its full deadline, and a server's threads would all be waiting.
    """

    def __init__(
        self, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic, longest: float | None = None
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
        """Why the last call failed; None if it did not."""
        return self._problem

    @contextmanager
    def guard(self, opens: Callable[[Problem], bool] = lambda _: True) -> Iterator[None]:
        """Run a call; raises SourceUnavailable at once while another call is finding out whether it is back.

        A failure that `opens` does not hold for says nothing about what this breaker is for, unless it is open.
        """
        probe = self._enter()
        try:
            yield
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
        """Let the next call try again without waiting for the end of the pause."""
        with self._lock:
            self._try_at = self._clock()

    def _enter(self) -> bool:
        with self._lock:
            if self._problem is None:
                return False
            if self._trying or self._clock() < self._try_at:
                raise SourceUnavailable(self._problem)
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


class Breakers:
    """A breaker for Temporal as a whole, one for reads of releases, and one for each list or search.

    What says that Temporal cannot be reached at all opens the first; a call that is refused or takes too long says so
    of its own kind alone. A release that takes too long while another one answers says so of itself alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._whole = Breaker(clock=clock)
        self._releases = Breaker(clock=clock)
        self._lists: LRUCache[Hashable, Breaker] = LRUCache(KEEP)
        self._answered_at = -inf

    def problem(self, key: Hashable = None) -> Problem | None:
        """Why a list or search, or without a key releases, cannot be asked for now, as far as is known."""
        return self._whole.problem or self._of(key).problem

    @contextmanager
    def guard(self, key: Hashable = None) -> Iterator[None]:
        """Run a call for this list or search, or without a key for a release; raises SourceUnavailable as it does."""
        own = self._of(key)
        failed = own.problem
        began = self._clock()

        def opens(problem: Problem) -> bool:
            others_answer = key is None and self._answered_at > began
            return _of_one_kind(problem) and not others_answer

        with self._whole.guard(_of_everything), own.guard(opens):
            yield
        if key is None:
            self._answered_at = self._clock()
        if failed:
            self._retry_lists()

    def _of(self, key: Hashable) -> Breaker:
        if key is None:
            return self._releases
        with self._lock:
            if key not in self._lists:
                self._lists[key] = Breaker(clock=self._clock, longest=LONGEST)
            return self._lists[key]

    def _retry_lists(self) -> None:
        """Something works again that did not: the others need not wait out their pauses."""
        with self._lock:
            lists = list(self._lists.values())
        for each in lists:
            each.retry()


def _of_one_kind(problem: Problem) -> bool:
    return problem.code in OF_ONE_KIND


def _of_everything(problem: Problem) -> bool:
    return problem.code not in OF_ONE_KIND
