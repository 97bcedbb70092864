"""The accounts' database: made ready, asked, written to and closed; and what is said when it does not answer."""

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
    """The database at a URL, opened when it is first asked. Safe to use from many threads.

    What is asked of it ends within the bounds, or raises AccountsAway: immediately while it is known to be away.
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
        """Make ready to be asked: see `revisions.prepare`. Raises SettingsError if that cannot be done.

        Leaves no connection open: the process may fork into workers after this, and a connection must not be shared.
        """
        with report_unusable_database(self._url):
            prepare(create_accounts_engine(parse_database_url(self._url), MIGRATION_TIMEOUTS))
        if self._elsewhere:
            self._clocks.compare()
        self.close()

    def upgrade(self) -> str:
        """Bring the tables to those of today, and return their revision. Raises SettingsError."""
        with report_unusable_database(self._url):
            return upgrade(create_accounts_engine(parse_database_url(self._url), MIGRATION_TIMEOUTS))

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self._breaker.reset()
        self._drop_connections()
        self._marks.close()

    @property
    def away_since(self) -> float | None:
        """Return when it was noticed that the database does not answer, by the monotonic clock; None while it does."""
        return self._breaker.unread_since

    def on_recovery(self, act: Callable[[], object]) -> None:
        """Do this, in a thread, each time when the database answers again and takes changes."""
        self._waiting.append(act)

    @property
    def is_writable(self) -> bool:
        """Return whether nothing is known against it that the database is written to."""
        return self._breaker.unread_since is None and not self._breaker.unwritten

    def change_token(self) -> object:
        """Something that stays equal as long as nobody, in any process, has written to the accounts, which are there.

        It takes microseconds to tell. Where the database cannot, it is never equal.
        """
        return self._marks.latest(), self.is_writable

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction; what was changed in it is committed at its end. Within `together`, it is a part of that."""
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
        """Yield one transaction that reads much, and may take ten times as long as others."""
        bounds = self._bounds.longer(10)
        with self._asking(bounds), Session(self._open(), expire_on_commit=False) as session, session.begin():
            if session.get_bind().dialect.name == "postgresql":
                session.connection().exec_driver_sql(f"SET LOCAL statement_timeout = {int(bounds.statement * 1_000)}")
            yield session

    @contextmanager
    def alone(self, lock: int) -> Iterator[Session]:
        """The same, but of those who take this lock one after another, each seeing what the one before has written."""
        with self.session() as session:
            lock_writes(session.connection(), lock)
            yield session

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all that this thread reads and writes in here be one transaction: all of it holds, or nothing of it.

        Of all who do so, one after another, each seeing what the one before has written. Nothing slow belongs in here.
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
        """Do this as soon as what was written up to here holds: now, or at the end of what is done `together`."""
        if self._joined():
            self._whole.on_commit.append(act)
        else:
            act()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection to ask with, without the ORM."""
        with self._asking():
            if whole := self._joined():
                yield whole.connection()
            else:
                with self._open().connect() as connection:
                    yield connection

    def now(self) -> datetime:
        """This moment by the database's clock, which counts for whatever replicas share."""
        with self.reading() as connection:
            return database_now(connection)

    @property
    def clock_skew_seconds(self) -> float | None:
        """By how many seconds this machine's clock is ahead of the database's; None for a database on this machine.

        It takes no time to tell: the clocks are compared at the start, and then each minute while somebody asks.
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
        """Bound what is asked in here, and tell of what goes wrong."""
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
        """Whether the database takes changes, on a new connection. Raises one of FAILURES where it cannot be read."""
        # It is given up soon, so that another finds out that the database is back.
        bounds = self._bounds.probe
        engine = create_accounts_engine(parse_database_url(self._url), bounds)
        with database_wait(DatabaseWait(bounds)), engine.connect() as connection:
            connection.exec_driver_sql(_READ_PROBE)
            return is_writable(connection)

    def _drop_connections(self) -> None:
        """Let new connections be made for whatever is asked from now on: those that are silent stay so."""
        with self._opening:
            if self._engine:
                self._engine.dispose()

    def _do_what_waits(self) -> None:
        for act in self._waiting:
            act()


def database_now(database: Connection | Session) -> datetime:
    """This moment by the database's clock, asked in the midst of a transaction."""
    return database.execute(select(DATABASE_NOW)).scalar_one()
