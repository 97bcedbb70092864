"""A breaker: while Temporal does not answer, one caller at a time finds out, and everybody else is told at once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dashboard.domain.problems import NotFound, Problem, SourceUnavailable

PAUSE = 1.0


class Breaker:
    """Opens when a call fails because the source is unavailable; the next call after a pause tries again.

    Without it every page would wait out its full deadline, and a server's threads would all be waiting.
    """

    def __init__(self, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
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
    def guard(self) -> Iterator[None]:
        """Run a call; raises SourceUnavailable at once while another call is finding out whether it is back."""
        probe = self._enter()
        try:
            yield
        except SourceUnavailable as exc:
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
            self._problem = problem
            self._try_at = self._clock() + self._pause

    def _answered(self) -> None:
        with self._lock:
            self._problem = None
