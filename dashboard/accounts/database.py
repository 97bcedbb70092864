"""The accounts' database: made ready, asked, written to and closed; and what is said when it does not answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock, local

from sqlalchemy import Connection, Engine, make_url, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from dashboard.accounts.clock import ClockComparison
from dashboard.accounts.engines import engine_of, lock_writes
from dashboard.accounts.marks import Marks
from dashboard.accounts.models import NOW
from dashboard.accounts.revisions import prepare, unusable_told, upgrade

# What `together` takes, of all processes: any number, as long as nothing else on the server takes the same for a lock.
LOCK = 0x7264757365


class AccountsUnavailable(Exception):
    """The database of the accounts does not answer as it should."""

    def __init__(self) -> None:
        super().__init__("The accounts cannot be read at the moment.")


class Database:
    """The database at a URL, opened when it is first asked. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._opening = Lock()
        self._marks = Marks(url)
        self._clocks = ClockComparison(self.now)
        # Of each thread: the transaction that all it does is a part of.
        self._whole = local()

    def prepare(self) -> None:
        """Make ready to be asked: see `revisions.prepare`. Raises SettingsError if that cannot be done.

        Leaves no connection open: the process may fork into workers after this, and a connection must not be shared.
        """
        with unusable_told(self._url):
            prepare(self._open())
        if self._elsewhere:
            self._clocks.compare()
        self.close()

    def upgrade(self) -> str:
        """Bring the tables to those of today, and return their revision. Raises SettingsError."""
        with unusable_told(self._url):
            revision = upgrade(self._open())
        self.close()
        return revision

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        with self._opening:
            if self._engine:
                self._engine.dispose()
        self._marks.close()

    def mark(self) -> object:
        """Something that stays equal as long as nobody, in any process, has written to the accounts.

        It takes microseconds to tell. Where the database cannot, it is never equal.
        """
        return self._marks.latest()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction; what was changed in it is committed at its end. Within `together`, it is a part of that."""
        with _failures_told():
            if whole := self._joined():
                yield whole
                whole.flush()
                # What follows reads anew what statements have changed.
                whole.expire_all()
            else:
                with Session(self._open(), expire_on_commit=False) as session, session.begin():
                    yield session

    @contextmanager
    def alone(self, lock: int) -> Iterator[Session]:
        """The same, but of those who take this lock one after another, each seeing what the one before has written."""
        with self.session() as session:
            lock_writes(session.connection(), lock)
            yield session

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all that this thread reads and writes in here be one transaction: all of it holds, or nothing of it.

        Of all who do so, one after another, each seeing what the one before has written. Nothing slow belongs in here.
        """
        if self._joined():
            yield
            return
        self._whole.afterwards = []
        with self.alone(LOCK) as session:
            self._whole.session = session
            try:
                yield
            finally:
                self._whole.session = None
        for act in self._whole.afterwards:
            act()

    def afterwards(self, act: Callable[[], object]) -> None:
        """Do this as soon as what was written up to here holds: now, or at the end of what is done `together`."""
        if self._joined():
            self._whole.afterwards.append(act)
        else:
            act()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to ask with, without the ORM."""
        with _failures_told():
            if whole := self._joined():
                yield whole.connection()
            else:
                with self._open().connect() as connection:
                    yield connection

    def now(self) -> datetime:
        """This moment by the database's clock, which counts for whatever replicas share."""
        with self.reading() as connection:
            return now_in(connection)

    @property
    def clock_ahead(self) -> float | None:
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
                self._engine = engine_of(make_url(self._url))
            return self._engine


def now_in(database: Connection | Session) -> datetime:
    """This moment by the database's clock, asked in the midst of a transaction."""
    return database.execute(select(NOW)).scalar_one()


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as exc:
        raise AccountsUnavailable from exc
