"""Detect outages of the accounts database and their end."""

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
    """The accounts database does not respond properly."""

    def __init__(self) -> None:
        super().__init__("The accounts database is unavailable.")


class AccountsAway(AccountsUnavailable):
    """The database is unreachable or read-only. Its data is unknown to be damaged."""


class DatabaseCircuitBreaker:
    """A circuit breaker for the database: fails immediately during an outage until a background probe succeeds.

    `probe` returns whether the database is writable, and raises one of DATABASE_ERRORS if it cannot be read. `opened`
    is called when it becomes unreadable, `closed` when it has recovered.
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
        """Raise AccountsAway during a known outage."""
        if self.is_open() or (writing and self.unwritten):
            raise AccountsAway

    def is_open(self) -> bool:
        """Return whether an outage is known."""
        return self.unread_since is not None

    def note(self, exc: BaseException) -> None:
        """Record a failure. A failed connection opens the breaker; a slow query triggers a probe."""
        if _is_connection_error(exc):
            self._open(exc)
        elif isinstance(exc, DBAPIError) and _is_unwritable_sqlite(exc.orig):
            # It has been waited for already.
            self._note_unwritten()
        self.probe()

    def probe(self) -> None:
        """Start a probe in a thread."""
        with self._lock:
            if self._stop is None:
                self._stop = threading.Event()
                threading.Thread(target=self._find_out, args=(self._stop,), name="accounts-probe", daemon=True).start()

    def reset(self) -> None:
        """Reset the breaker and stop probing."""
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
                    # It responds, so queries report the error. Existing connections continue.
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
        """Record the result of a probe; return whether the database has recovered."""
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
    """Return whether the error is an outage rather than a query error."""
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
    """Return PostgreSQL's error code; empty for other databases, None without a server response."""
    state: str | None = getattr(getattr(exc, "orig", None), "sqlstate", "")
    return state


def _is_unwritable_sqlite(exc: BaseException | None) -> bool:
    code = getattr(exc, "sqlite_errorcode", 0) if isinstance(exc, sqlite3.Error) else 0
    return code & 0xFF in _SLOW_SQLITE
