"""Detect writes to the accounts database cheaply enough to check on every request."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dashboard.database.url_masking import InvalidDatabaseUrl, parse_database_url


class ChangeCounter:
    """Change tokens of a database. Supported on SQLite, which counts the writes of other connections."""

    def __init__(self, url: str) -> None:
        self._path = _sqlite_file(url)
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        # Counts of two connections cannot be compared.
        self._era = object()

    def latest(self) -> object:
        """Return a token that is equal to the previous one if nothing was written since; never equal if unknown."""
        if self._path is None:
            return object()
        try:
            with self._lock:
                # Never written to by this connection, so that everything that is written counts.
                self._connection = self._connection or self._open(self._path)
                count = self._connection.execute("PRAGMA data_version").fetchone()
                return self._era, count, self._path.stat().st_ino
        except (sqlite3.Error, OSError):
            self.close()
            return object()

    def close(self) -> None:
        """Close the connection; the next query opens a new one."""
        with self._lock, suppress(sqlite3.Error):
            if self._connection:
                self._connection.close()
            self._connection = None
            self._era = object()

    def _open(self, path: Path) -> sqlite3.Connection:
        # Never wait: if it would have to, the result is unknown.
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0, check_same_thread=False)


def _sqlite_file(url: str) -> Path | None:
    try:
        where = parse_database_url(url)
    except InvalidDatabaseUrl:
        return None
    named = where.get_backend_name() == "sqlite" and where.database not in {None, "", ":memory:"}
    return Path(str(where.database)) if named else None
