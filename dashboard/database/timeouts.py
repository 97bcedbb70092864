"""How long the accounts' database may be waited for."""

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
    """Seconds: for a connection, a statement (of SQLite, a lock), and a place among the connections of this process.

    After `keepalive` seconds without a word it is found out whether the other side of a connection is there.
    """

    connect: float = 2.0
    statement: float = 2.0
    pool: float = 1.0
    keepalive: int = 10

    @classmethod
    def of(cls, settings: Settings) -> "DatabaseTimeouts":
        """Return those of a server that answers requests."""
        return cls(
            settings.database_connect_timeout,
            settings.database_statement_timeout,
            settings.database_pool_timeout,
            settings.database_keepalive,
        )

    @property
    def whole(self) -> float:
        """Return how long all of a transaction may take."""
        return max(self.connect, self.statement) + GRACE_SECONDS

    @property
    def idle(self) -> float:
        """How long a connection that lay idle may take to show that it carries anything, with time left for another."""
        return min(self.connect, self.statement) / 2

    @property
    def doubt(self) -> float:
        """After how long a wait it is time to find out whether the database is there."""
        return self.idle / 2

    @property
    def probe(self) -> "DatabaseTimeouts":
        """Return those of a probe: given up before the wait that led to it would be, and soon enough for the next."""
        seconds = min(self.connect, self.statement) * 0.75
        return replace(self, connect=seconds, statement=seconds)

    def longer(self, times: float) -> "DatabaseTimeouts":
        """Return those of something that takes longer."""
        return replace(self, statement=self.statement * times)


# For what somebody runs and waits for; and for changes of the tables, which take as long as there are rows.
COMMAND_TIMEOUTS = DatabaseTimeouts(connect=10, statement=60, pool=10)
MIGRATION_TIMEOUTS = DatabaseTimeouts(connect=10, statement=inf, pool=10)


def _do_nothing() -> None:
    """What is done by who has no doubts."""


def _never() -> bool:
    return False


@dataclass(slots=True)
class DatabaseWait:
    """What a thread waits for, of a database: until when, and what it does as it gets late.

    It doubts once, and ends as soon as it is `vain`. At first a connection has to show that it carries anything.
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
        """Return how long there is to wait."""
        return self.end - monotonic()

    def next_end(self) -> float:
        """Return when what is begun now has to be there."""
        return min(self.end, monotonic() + self.bounds.idle) if self.checking else self.end

    def is_over(self) -> bool:
        """Return whether there is nothing to wait for any more, with nothing having come so far."""
        if monotonic() >= self.doubt_at:
            self.doubt_at = inf
            self.doubt()
        return self.vain()


_current = threading.local()


@contextmanager
def database_wait(wait: DatabaseWait) -> Iterator[None]:
    """Let whatever this thread waits for in here, of a database, end so."""
    outer, _current.wait = current_database_wait(), wait
    try:
        yield
    finally:
        _current.wait = outer


def current_database_wait() -> DatabaseWait | None:
    """Return what this thread waits for."""
    wait: DatabaseWait | None = getattr(_current, "wait", None)
    return wait


def connection_works(*_event: object) -> None:
    """Note that this thread has a connection that carries something: what it waits for from now on are answers."""
    if wait := current_database_wait():
        wait.checking = False
