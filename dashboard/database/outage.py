"""When the accounts' database does not answer: told from what is a wrong answer, and from when it is back."""

import sqlite3
import threading
from collections.abc import Callable
from time import monotonic

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = structlog.get_logger()

# Between two probes, of which there is one at a time.
PROBE_INTERVAL_SECONDS = 0.25
DATABASE_ERRORS = (DBAPIError, PoolTimeout, OSError)
# Of PostgreSQL: a statement or a lock took too long, or the server may only be read.
_SLOW_SQLSTATES = frozenset({"57014", "55P03", "25006"})
# Of SQLite, the same.
_SLOW_SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY})
# It takes no more connections.
_TOO_MANY_CONNECTIONS_SQLSTATE = "53300"
# Its classes of errors in which the server, and not the statement, is what is wrong.
_CONNECTION_SQLSTATE_CLASSES = ("08", "57P")


class AccountsUnavailable(Exception):
    """The database of the accounts does not answer as it should."""

    def __init__(self) -> None:
        super().__init__("The accounts database is unavailable.")


class AccountsAway(AccountsUnavailable):
    """It does not answer at all, or takes nothing. Nothing is known to be wrong with what it holds."""


class DatabaseCircuitBreaker:
    """Refuses immediately what would wait for a database that does not answer, until a probe in a thread is answered.

    `probe` returns whether the database can be written to, and raises one of DATABASE_ERRORS if it cannot be read.
    `opened` is called whenever it turns out that it cannot be read; `closed` when all is well again.
    """

    def __init__(self, probe: Callable[[], bool], opened: Callable[[], None], closed: Callable[[], None]) -> None:
        self._ask = probe
        self._opened = opened
        self._closed = closed
        self._lock = threading.Lock()
        self._stop: threading.Event | None = None
        self.unread_since: float | None = None
        self.unwritten = False

    def check(self, *, writing: bool = False) -> None:
        """Raise AccountsAway where it is known that the database does not answer, or takes nothing that is written."""
        if self.is_open() or (writing and self.unwritten):
            raise AccountsAway

    def is_open(self) -> bool:
        """Return whether the database is known not to answer."""
        return self.unread_since is not None

    def note(self, exc: BaseException) -> None:
        """Take note of a failure: the connection's opens it; of a slow answer a probe finds out what it means."""
        if _is_connection_error(exc):
            self._open(exc)
        elif isinstance(exc, DBAPIError) and _is_unwritable_sqlite(exc.orig):
            # It has been waited for already.
            self._note_unwritten()
        self.probe()

    def probe(self) -> None:
        """Have it found out, in a thread, whether the database is there."""
        with self._lock:
            if self._stop is None:
                self._stop = threading.Event()
                threading.Thread(target=self._find_out, args=(self._stop,), name="accounts-probe", daemon=True).start()

    def reset(self) -> None:
        """Forget what was known, and probe no more."""
        with self._lock:
            if self._stop:
                self._stop.set()
            self._stop, self.unread_since, self.unwritten = None, None, False

    def _find_out(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                writable = self._ask()
            except DATABASE_ERRORS as exc:
                if _sqlstate(exc) == _TOO_MANY_CONNECTIONS_SQLSTATE or not is_database_outage(exc):
                    # It answers: whoever asks it is told what is wrong. Connections that there are go on.
                    self._is_over(stop, writable=True)
                    return
                if not stop.is_set():
                    self._open(exc)
            else:
                if self._is_over(stop, writable=writable):
                    return
            stop.wait(PROBE_INTERVAL_SECONDS)

    def _open(self, exc: BaseException) -> None:
        with self._lock:
            known, self.unread_since = self.unread_since is not None, self.unread_since or monotonic()
        if not known:
            log.warning("accounts_away", reason=str(getattr(exc, "orig", exc)))
            self._opened()

    def _note_unwritten(self) -> None:
        known, self.unwritten = self.unwritten, True
        if not known:
            log.warning("accounts_not_writable")

    def _is_over(self, stop: threading.Event, *, writable: bool) -> bool:
        """Take note of an answer; whether all is well, so that no other probe is needed."""
        with self._lock:
            if stop is not self._stop:
                return True
            was_away = self.unread_since is not None or self.unwritten
            self.unread_since = None
            if not writable:
                self._note_unwritten()
                return False
            self.unwritten, self._stop = False, None
        if was_away:
            log.info("accounts_back")
        self._closed()
        return True


def is_database_outage(exc: BaseException) -> bool:
    """Return whether this says that the database does not answer, and not that it answers something wrong."""
    if isinstance(exc, PoolTimeout) or _is_connection_error(exc):
        return True
    if not isinstance(exc, DBAPIError):
        return False
    return _is_unwritable_sqlite(exc.orig) or _sqlstate(exc) in {*_SLOW_SQLSTATES, _TOO_MANY_CONNECTIONS_SQLSTATE}


def _is_connection_error(exc: BaseException) -> bool:
    if not isinstance(exc, DBAPIError):
        return False
    if exc.connection_invalidated:
        return True
    state = _sqlstate(exc)
    if state == "":
        return False
    # Without one, it is the driver that says something: that it cannot connect, or gets no answer.
    return (
        state.startswith(_CONNECTION_SQLSTATE_CLASSES)
        if state
        else type(exc.orig).__name__ not in {"ProgrammingError", "DataError"}
    )


def _sqlstate(exc: BaseException) -> str | None:
    """PostgreSQL's code of an error; empty for other databases, and None where the server did not say anything."""
    state: str | None = getattr(getattr(exc, "orig", None), "sqlstate", "")
    return state


def _is_unwritable_sqlite(exc: BaseException | None) -> bool:
    code = getattr(exc, "sqlite_errorcode", 0) if isinstance(exc, sqlite3.Error) else 0
    return code & 0xFF in _SLOW_SQLITE
