"""The databases of the accounts: a SQLite file by default, any other by its URL."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

BUSY_MILLISECONDS = 5000


def engine_of(url: URL) -> Engine:
    """Opens the database at this URL when it is first asked; a SQLite file is made private to the user."""
    # Errors are logged, and among the parameters are password hashes.
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if url.database and url.database != ":memory:":
        _private_file(Path(url.database))
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def lock_writes(connection: Connection, lock: int) -> None:
    """Let nobody else who takes this lock write until the transaction of this connection ends."""
    if connection.dialect.name == "sqlite":
        # All writing is one lock. The driver would take it with the first change, and only after looking.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")


def _private_file(path: Path) -> None:
    # SQLite would make it readable for all; its journal files take the mode of this one.
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _set_up_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  whatever the driver calls a connection
    # The file is on this machine, and so its clock is this one.
    connection.create_function("statement_timestamp", 0, _moment)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _moment() -> str:
    """This moment, as SQLAlchemy writes a time into SQLite."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
