"""PostgreSQL as Debian has it, started by the tests for themselves, and what runs on it as well as on SQLite."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import OperationalError

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Base
from dashboard.demo.children import ChildProcess, spawn_process, stop_processes
from dashboard.server import ports
from tests.support.waiting import eventually

# For tests whose fixture `settings` says where the accounts are: of what has SQL, locks or clocks of its own on each.
ON_EVERY_DATABASE = pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)
# The same for what both are asked alike: `make test` is content with SQLite.
ON_EVERY_DATABASE_IN_FULL = pytest.mark.parametrize(
    "settings", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)], indirect=True
)

# Nothing of it is to outlive the tests.
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
MADE = "made"
# Where the server finds a function before its own of the same name, so that tests can tell it what time it is.
TOLD_TIME = """
CREATE SCHEMA told;
CREATE TABLE told.time (now timestamptz);
CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT coalesce((SELECT now FROM told.time), pg_catalog.statement_timestamp())';
"""
# Those that run, for tests that tell them the time.
RUNNING: list["Postgres"] = []


class Postgres:
    """A server that runs, and databases in it."""

    def __init__(self, folder: Path, user: str, port: int | None = None, made: str = MADE) -> None:
        self.port = port or ports.find_free_port()
        self.made = made
        self._folder = folder
        self._user = user
        self._emptying: Connection | None = None
        self._server: ChildProcess | None = None

    def start(self) -> None:
        """Let it run, as it was left the last time."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self._folder} {FAST}"
        argv = _as(self._user, "postgres", "-D", self._folder / "data", *options.split())
        # Not over pg_ctl, which lets it go: it is to end with the tests, however these end.
        server = self._server = spawn_process("PostgreSQL", argv, log=self._folder / "log")
        eventually(lambda: server.check() or self.answers(), 60)

    def stop(self) -> None:
        """End it, whatever it is at."""
        if self._server:
            self.resume()
            self._server.process.send_signal(signal.SIGQUIT)
            stop_processes([self._server], 20)

    def freeze(self) -> None:
        """Let it say nothing more, and everything that it runs: connections are taken by the kernel all the same."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Let it and everything that it runs be gone."""
        assert self._server
        self._signal(signal.SIGKILL)
        self._server.process.wait(60)

    def _signal(self, number: signal.Signals) -> None:
        assert self._server
        # The server itself first, so that it starts nothing more.
        for pid in (self._server.process.pid, *_children_of(self._server.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def url(self, database: str, port: int | None = None) -> str:
        """Where a database is; by another port, if that leads here."""
        return str(
            URL.create("postgresql+psycopg", self._user, host="127.0.0.1", port=port or self.port, database=database)
        )

    def answers(self) -> bool:
        """Whether it takes connections by now."""
        try:
            self.run("SELECT 1")
        except OperationalError:
            return False
        return True

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new database with nothing in it; its URL."""
        name = f"test_{uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0")
        yield self.url(name)
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def emptied(self) -> str:
        """The URL of the database with the tables of today, which are empty: quicker than a new one for each test."""
        if self._emptying is None:
            self._emptying = create_engine(self.url(self.made), isolation_level="AUTOCOMMIT").connect()
            # As a replica it asks no triggers: one of them keeps the audit log.
            self._emptying.exec_driver_sql("SET session_replication_role = replica")
        # TRUNCATE makes new files, which takes ten times as long as to delete a few rows.
        deletions = [f"DELETE FROM {table}" for table in Base.metadata.tables]
        counts = "SELECT setval(sequencename::text::regclass, 1, false) FROM pg_sequences"
        self._emptying.exec_driver_sql(";".join([*deletions, counts]))
        return self.url(self.made)

    @contextmanager
    def locking(self, *tables: str, database: str = MADE) -> Iterator[None]:
        """Let nobody else read or write these tables."""
        engine = create_engine(self.url(database))
        with engine.connect() as connection:
            connection.exec_driver_sql(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            yield
        engine.dispose()

    def close(self) -> None:
        """Let the connection go."""
        if self._emptying:
            self._emptying.close()
            self._emptying.engine.dispose()

    def make(self) -> None:
        """Make the database with the tables of today."""
        self.run(f"CREATE DATABASE {MADE}")
        accounts = Accounts(self.url(MADE))
        accounts.upgrade()
        accounts.close()
        self.run(TOLD_TIME, database=MADE)

    def tell_time(self, now: datetime | None) -> None:
        """Let it be this moment, and no other, in the database with the tables of today; or what it is."""
        if self._emptying:
            told = f"INSERT INTO told.time VALUES ('{now.isoformat()}')" if now else "SELECT 1"
            self._emptying.exec_driver_sql(f"DELETE FROM told.time; {told}")

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Do something that takes no transaction."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def running() -> Iterator[Postgres]:
    """A server on a free port of this machine alone, run by a user who may do nothing else."""
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="dashboard-postgres-"))
    shutil.chown(folder, user)
    postgres = Postgres(folder, user)
    try:
        initdb = _as(
            user, "initdb", "--pgdata", folder / "data", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        subprocess.run(initdb, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", timeout=120, check=True)
        try:
            postgres.start()
            postgres.make()
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def own_database(port: int) -> Iterator[Postgres]:
    """The server that runs at this port, with a database for this process alone."""
    postgres = Postgres(Path("/nowhere"), _unprivileged(), port, f"{MADE}_{os.getpid()}")
    postgres.run(
        f"CREATE DATABASE {postgres.made} TEMPLATE {MADE}",
        f"ALTER DATABASE {postgres.made} SET search_path = public, pg_catalog",
    )
    RUNNING.append(postgres)
    yield postgres
    RUNNING.remove(postgres)
    postgres.close()


def binaries() -> Path | None:
    """Where the newest installed version has its commands, which Debian does not put on the path."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name))
    found = shutil.which("pg_ctl")
    return Path(found).parent if found else None


def _children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for text in children for child in (int(text), *_children_of(int(text)))]


def _unprivileged() -> str:
    # The server refuses to be run by root.
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    return next(entry.pw_name for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name)


def _as(user: str, command: str, *arguments: object) -> list[str]:
    """One of PostgreSQL's commands, run by this user, that is interrupted when the tests are gone."""
    folder = binaries()
    assert folder is not None
    # It sets the signal after the user: a change of users takes such a wish back.
    other = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"] if os.geteuid() == 0 else []
    return ["/usr/bin/setpriv", *other, "--pdeathsig=INT", str(folder / command), *map(str, arguments)]
