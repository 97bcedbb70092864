"""Engines of the accounts database: a SQLite file by default, or another database by URL."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from dashboard.database.outage import is_database_outage
from dashboard.database.timeouts import DatabaseTimeouts, connection_works
from dashboard.database.url_masking import strip_url_secrets

# Neither lock is refused where the database may only be read; this is, and changes nothing.
_NO_CHANGE = "UPDATE users SET id = id WHERE 1 = 0"
# What has to wait, or is refused, where no change is taken.
_WRITE_PROBES = {
    "sqlite": ("BEGIN IMMEDIATE", _NO_CHANGE),
    "postgresql": ("LOCK TABLE users, sessions, login_failures, audit IN ROW EXCLUSIVE MODE NOWAIT", _NO_CHANGE),
}
# What SQLite takes at most for how long it waits for a lock.
_MAX_MILLISECONDS = 2**31 - 1


def create_accounts_engine(url: URL, bounds: DatabaseTimeouts, check: Callable[[], None] | None = None) -> Engine:
    """Create an engine that connects on first use. A SQLite file is created with private permissions.

    With `check`, which may raise instead of connecting, connections are pooled; otherwise each is closed after use.
    """
    named = url.get_backend_name() != "sqlite" or url.database not in {None, "", ":memory:"}
    kept: dict[str, Any] = {"poolclass": NullPool} if named else {}
    if named and check:
        kept = {"poolclass": QueuePool, "pool_timeout": bounds.pool}
    if url.get_backend_name() != "sqlite":
        return _create_server_engine(url, bounds, check, kept)
    if named:
        _private_file(Path(str(url.database)))
    # Errors are logged, and among the parameters are password hashes.
    engine = create_engine(url, hide_parameters=True, **kept)
    event.listen(engine, "connect", partial(_set_up_sqlite, bounds))
    return engine


def _create_server_engine(
    url: URL, bounds: DatabaseTimeouts, check: Callable[[], None] | None, kept: dict[str, Any]
) -> Engine:
    url, secrets = strip_url_secrets(url)
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=secrets, **kept)
    event.listen(engine, "checkout", connection_works)

    def connect(dialect: Any, _record: object, arguments: Any, parameters: dict[str, Any]) -> Any:  # noqa: ANN401
        if check:
            check()
        if dialect.driver != "psycopg":
            return None
        from dashboard.database import postgresql

        return postgresql.connect(bounds, tuple(arguments), parameters)

    event.listen(engine, "do_connect", connect)
    return engine


def lock_writes(connection: Connection, lock: int) -> None:
    """Take a lock that is held until the transaction of this connection ends."""
    if connection.dialect.name == "sqlite":
        # All writing is one lock. The driver would take it with the first change, and only after looking.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")


def is_writable(connection: Connection) -> bool:
    """Return whether the database is writable now: it may be read-only or locked."""
    try:
        for statement in _WRITE_PROBES.get(connection.dialect.name, ()):
            connection.exec_driver_sql(statement)
    except DBAPIError as exc:
        return not is_database_outage(exc)
    finally:
        connection.rollback()
    return True


def _private_file(path: Path) -> None:
    # SQLite would make it readable for all; its journal files take the mode of this one.
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not for writing: one that is there may be read-only, and is read all the same.
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))


def _set_up_sqlite(bounds: DatabaseTimeouts, connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own
    # The file is on this machine, and so its clock is this one.
    connection.create_function("statement_timestamp", 0, _sqlite_now)
    milliseconds = _MAX_MILLISECONDS if bounds.statement == inf else int(bounds.statement * 1_000)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _sqlite_now() -> str:
    """Return the current time as SQLAlchemy stores it in SQLite."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
