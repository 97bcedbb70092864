"""The accounts' database: made ready, asked, written to and closed; and what is said when it does not answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, local

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from dashboard.accounts.engines import engine_of, lock_writes
from dashboard.accounts.marks import Marks
from dashboard.accounts.revisions import prepare, unusable_told, upgrade

# Where a session has what is to be done once all of it is committed.
_AFTERWARDS = "afterwards"


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
        # The transaction that a thread is in, while it is in one.
        self._around = local()

    def prepare(self) -> None:
        """Make ready to be asked: see `revisions.prepare`. Raises SettingsError if that cannot be done.

        Leaves no connection open: the process may fork into workers after this, and a connection must not be shared.
        """
        with unusable_told(self._url):
            prepare(self._open())
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
        """One transaction, or a part of the one around it; what was changed is committed at the end of that."""
        if around := getattr(self._around, "session", None):
            with _failures_told():
                yield around
                # What is refused is refused here, where it can be told what it was.
                around.flush()
            return
        with _failures_told(), Session(self._open(), expire_on_commit=False) as session, session.begin():
            yield session
        for act in session.info.get(_AFTERWARDS, ()):
            act()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all that this thread does to the accounts meanwhile be done as a whole, or not at all."""
        around = getattr(self._around, "session", None)
        with self.session() as session:
            self._around.session = session
            try:
                yield
            finally:
                self._around.session = around

    @contextmanager
    def alone(self, lock: int) -> Iterator[Session]:
        """The same, but of those who take this lock one after another, each seeing what the one before has written."""
        with self.session() as session:
            lock_writes(session.connection(), lock)
            yield session

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to ask with, without the ORM."""
        with _failures_told(), self._open().connect() as connection:
            yield connection

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = engine_of(make_url(self._url))
            return self._engine


def afterwards(session: Session, act: Callable[[], None]) -> None:
    """Do this when all that the session has changed is committed, and only then."""
    session.info.setdefault(_AFTERWARDS, []).append(act)


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as exc:
        raise AccountsUnavailable from exc
