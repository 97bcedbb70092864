"""The accounts database: setup, transactions, and handling of outages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock, local

from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.database.change_counter import ChangeCounter
from dashboard.database.clock import ClockComparison
from dashboard.database.engine import create_accounts_engine, is_writable, lock_writes
from dashboard.database.models import DATABASE_NOW
from dashboard.database.outage import (
    DATABASE_ERRORS,
    AccountsAway,
    AccountsUnavailable,
    DatabaseCircuitBreaker,
    is_database_outage,
)
from dashboard.database.revisions import prepare, report_unusable_database, upgrade
from dashboard.database.timeouts import MIGRATION_TIMEOUTS, DatabaseTimeouts, DatabaseWait, database_wait
from dashboard.database.url_masking import parse_database_url

__all__ = ["AccountsAway", "AccountsUnavailable", "Database"]

# What `together` takes, of all processes: any number, as long as nothing else on the server takes the same for a lock.
USER_ADMIN_LOCK_ID = 0x7264757365


# What begins so changes nothing.
_READ_STATEMENTS = frozenset({"SELECT", "SET", "SHOW", "PRAGMA"})
_READ_PROBE = "SELECT 1 FROM users, sessions LIMIT 1"


class Database:
    """The database at a URL, connected on first use. Thread-safe.

    Calls end within their timeouts or raise AccountsAway, immediately during a known outage.
    """

    def __init__(self, url: str, bounds: DatabaseTimeouts | None = None) -> None:
        self._url = url
        self._bounds = bounds or DatabaseTimeouts()
        self._engine: Engine | None = None
        self._breaker = DatabaseCircuitBreaker(self._probe, self._drop_connections, self._do_what_waits)
        self._waiting: list[Callable[[], object]] = []
        self._opening = Lock()
        self._marks = ChangeCounter(url)
        self._clocks = ClockComparison(self.now)
        # Of each thread: the transaction that all it does is a part of.
        self._whole = local()

    def prepare(self) -> None:
        """Prepare the database, see `revisions.prepare`. Raises SettingsError.

        Leaves no connection open: the process may fork workers afterwards.
        """
        with report_unusable_database(self._url):
            prepare(create_accounts_engine(parse_database_url(self._url), MIGRATION_TIMEOUTS))
        if self._elsewhere:
            self._clocks.compare()
        self.close()

    def upgrade(self) -> str:
        """Upgrade the tables and return their revision. Raises SettingsError."""
        with report_unusable_database(self._url):
            return upgrade(create_accounts_engine(parse_database_url(self._url), MIGRATION_TIMEOUTS))

    def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        self._breaker.reset()
        self._drop_connections()
        self._marks.close()

    @property
    def away_since(self) -> float | None:
        """Return the start of the current outage by the monotonic clock, or None."""
        return self._breaker.unread_since

    def on_recovery(self, act: Callable[[], object]) -> None:
        """Register a callback, run in a thread, for each recovery of the database."""
        self._waiting.append(act)

    @property
    def is_writable(self) -> bool:
        """Return whether the database is writable, as far as known."""
        return self._breaker.unread_since is None and not self._breaker.unwritten

    def change_token(self) -> object:
        """Return a token that stays equal while no process has written to the database and it is available.

        Takes microseconds. Never equal on databases that do not support it.
        """
        return self._marks.latest(), self.is_writable

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a transaction, committed at its end; nested ones join the outer transaction."""
        with self._asking():
            if whole := self._joined():
                yield whole
                whole.flush()
                # What follows reads again what statements have changed.
                whole.expire_all()
            else:
                with Session(self._open(), expire_on_commit=False) as session, session.begin():
                    yield session

    @contextmanager
    def long_session(self) -> Iterator[Session]:
        """Open a read transaction with a ten times longer timeout."""
        bounds = self._bounds.longer(10)
        with self._asking(bounds), Session(self._open(), expire_on_commit=False) as session, session.begin():
            if session.get_bind().dialect.name == "postgresql":
                session.connection().exec_driver_sql(f"SET LOCAL statement_timeout = {int(bounds.statement * 1_000)}")
            yield session

    @contextmanager
    def alone(self, lock: int) -> Iterator[Session]:
        """Open a transaction under a lock: transactions with the same lock run one after another."""
        with self.session() as session:
            lock_writes(session.connection(), lock)
            yield session

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run everything that this thread reads and writes in this context in one transaction.

        Such transactions run one after another. Do nothing slow in it.
        """
        if self._joined():
            yield
            return
        self._whole.on_commit = []
        with self.alone(USER_ADMIN_LOCK_ID) as session:
            self._whole.session = session
            try:
                yield
            finally:
                self._whole.session = None
        for act in self._whole.on_commit:
            act()

    def on_commit(self, act: Callable[[], object]) -> None:
        """Run a callback after commit: now, or at the end of the outer transaction."""
        if self._joined():
            self._whole.on_commit.append(act)
        else:
            act()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for queries without the ORM."""
        with self._asking():
            if whole := self._joined():
                yield whole.connection()
            else:
                with self._open().connect() as connection:
                    yield connection

    def now(self) -> datetime:
        """Return the current time by the database's clock, which replicas share."""
        with self.reading() as connection:
            return database_now(connection)

    @property
    def clock_skew_seconds(self) -> float | None:
        """Return by how many seconds this machine's clock is ahead of the database's; None for a local database.

        Never waits: the clocks are compared at startup and then once per minute while requested.
        """
        return self._clocks.ahead if self._elsewhere else None

    @property
    def _elsewhere(self) -> bool:
        return self._open().dialect.name != "sqlite"

    def _joined(self) -> Session | None:
        return getattr(self._whole, "session", None)

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = create_accounts_engine(parse_database_url(self._url), self._bounds, self._breaker.check)
                event.listen(self._engine, "before_cursor_execute", self._refuse_changes)
            return self._engine

    @contextmanager
    def _asking(self, bounds: DatabaseTimeouts | None = None) -> Iterator[None]:
        """Apply timeouts to calls in this context and translate errors."""
        if self._joined():
            with self._failures_told():
                yield
            return
        self._breaker.check()
        wait = DatabaseWait(bounds or self._bounds, self._breaker.probe, self._breaker.is_open)
        with self._failures_told(), database_wait(wait):
            yield

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DATABASE_ERRORS as exc:
            if not is_database_outage(exc):
                raise AccountsUnavailable from exc
            self._breaker.note(exc)
            raise AccountsAway from exc

    def _refuse_changes(self, _connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if self._breaker.unwritten and statement.split(None, 1)[0].upper() not in _READ_STATEMENTS:
            self._breaker.check(writing=True)

    def _probe(self) -> bool:
        """Return whether the database is writable, on a new connection. Raises one of FAILURES if it cannot be read."""
        # It is given up soon, so that another finds out that the database is back.
        bounds = self._bounds.probe
        engine = create_accounts_engine(parse_database_url(self._url), bounds)
        with database_wait(DatabaseWait(bounds)), engine.connect() as connection:
            connection.exec_driver_sql(_READ_PROBE)
            return is_writable(connection)

    def _drop_connections(self) -> None:
        """Discard pooled connections."""
        with self._opening:
            if self._engine:
                self._engine.dispose()

    def _do_what_waits(self) -> None:
        for act in self._waiting:
            act()


def database_now(database: Connection | Session) -> datetime:
    """Return the current time by the database's clock, within a transaction."""
    return database.execute(select(DATABASE_NOW)).scalar_one()
