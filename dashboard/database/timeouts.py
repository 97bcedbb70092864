"""Timeouts of the accounts database."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from time import monotonic

from dashboard.settings.model import Settings

# What is left to the server to say by itself that a statement has taken too long.
GRACE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class DatabaseTimeouts:
    """Timeouts in seconds for connecting, for a statement (a lock on SQLite), and for a pooled connection.

    After `keepalive` seconds of silence, TCP checks the peer.
    """

    connect: float = 2.0
    statement: float = 2.0
    pool: float = 1.0
    keepalive: int = 10

    @classmethod
    def of(cls, settings: Settings) -> "DatabaseTimeouts":
        """Return the timeouts of the server."""
        return cls(
            settings.database_connect_timeout,
            settings.database_statement_timeout,
            settings.database_pool_timeout,
            settings.database_keepalive,
        )

    @property
    def whole(self) -> float:
        """Return the timeout of a transaction."""
        return max(self.connect, self.statement) + GRACE_SECONDS

    @property
    def idle(self) -> float:
        """Return the timeout for checking an idle connection, leaving time for a new one."""
        return min(self.connect, self.statement) / 2

    @property
    def doubt(self) -> float:
        """Return the waiting time after which to probe the database."""
        return self.idle / 2

    @property
    def probe(self) -> "DatabaseTimeouts":
        """Return the timeouts of a probe, which are shorter than the wait that triggered it."""
        seconds = min(self.connect, self.statement) * 0.75
        return replace(self, connect=seconds, statement=seconds)

    def longer(self, times: float) -> "DatabaseTimeouts":
        """Return the timeouts of long operations."""
        return replace(self, statement=self.statement * times)


# For commands; and for schema changes, whose duration depends on the number of rows.
COMMAND_TIMEOUTS = DatabaseTimeouts(connect=10, statement=60, pool=10)
MIGRATION_TIMEOUTS = DatabaseTimeouts(connect=10, statement=inf, pool=10)


def _do_nothing() -> None:
    """What is done by who has no doubts."""


def _never() -> bool:
    return False


@dataclass(slots=True)
class DatabaseWait:
    """The deadline of a thread for database calls, with a callback when it is late.

    It calls back once, and ends as soon as `vain` returns true. A connection is first checked for liveness.
    """

    bounds: DatabaseTimeouts
    doubt: Callable[[], None] = _do_nothing
    vain: Callable[[], bool] = _never
    checking: bool = True
    end: float = inf
    doubt_at: float = inf

    def __post_init__(self) -> None:
        """Begin."""
        self.end, self.doubt_at = monotonic() + self.bounds.whole, monotonic() + self.bounds.doubt

    @property
    def seconds_left(self) -> float:
        """Return the remaining time."""
        return self.end - monotonic()

    def next_end(self) -> float:
        """Return the deadline of a call that starts now."""
        return min(self.end, monotonic() + self.bounds.idle) if self.checking else self.end

    def is_over(self) -> bool:
        """Return whether waiting is pointless."""
        if monotonic() >= self.doubt_at:
            self.doubt_at = inf
            self.doubt()
        return self.vain()


_current = threading.local()


@contextmanager
def database_wait(wait: DatabaseWait) -> Iterator[None]:
    """Apply a deadline to the database calls of this thread in this context."""
    outer, _current.wait = current_database_wait(), wait
    try:
        yield
    finally:
        _current.wait = outer


def current_database_wait() -> DatabaseWait | None:
    """Return the deadline of this thread."""
    wait: DatabaseWait | None = getattr(_current, "wait", None)
    return wait


def connection_works(*_event: object) -> None:
    """Note that this thread's connection works."""
    if wait := current_database_wait():
        wait.checking = False
