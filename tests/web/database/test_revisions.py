"""The tables of the accounts: brought from wherever they are to those of today, and what they hold is kept."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Base
from dashboard.database.revisions import _configuration
from dashboard.server import ports
from dashboard.settings.model import Settings, SettingsError
from dashboard.users.commands import db
from dashboard.users.preferences.store import Preferences, PreferencesStore
from tests.support.harness import CHEAP
from tests.support.postgres import ON_EVERY_DATABASE, Postgres

EMAIL = "rita@example.com"
PASSWORD = "correct horse battery"
NEWEST = "0006"

# As the version before revisions made them.
OLD_TABLES = {
    "users": """
        CREATE TABLE users (
            id VARCHAR(32) NOT NULL, email VARCHAR(254) NOT NULL, name VARCHAR(200), role VARCHAR(20) NOT NULL,
            password_hash VARCHAR(255) NOT NULL, epoch INTEGER NOT NULL, created_at DATETIME NOT NULL,
            disabled_at DATETIME, PRIMARY KEY (id), UNIQUE (email)
        )""",
    "kiosk_links": """
        CREATE TABLE kiosk_links (
            id VARCHAR(32) NOT NULL, token_hash VARCHAR(64) NOT NULL, name VARCHAR(80) NOT NULL,
            user_id VARCHAR(32) NOT NULL, epoch INTEGER NOT NULL, created_at DATETIME NOT NULL, used_at DATETIME,
            PRIMARY KEY (id), UNIQUE (token_hash), FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
        )""",
    "saved_views": """
        CREATE TABLE saved_views (
            id VARCHAR(32) NOT NULL, user_id VARCHAR(32) NOT NULL, name VARCHAR(60) NOT NULL,
            query VARCHAR(3000) NOT NULL, shared BOOLEAN NOT NULL, created_at DATETIME NOT NULL, PRIMARY KEY (id),
            CONSTRAINT uq_saved_views_user_id_name UNIQUE (user_id, name),
            FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
        )""",
    "stars": """
        CREATE TABLE stars (
            user_id VARCHAR(32) NOT NULL, release_id VARCHAR(263) NOT NULL, starred_at DATETIME NOT NULL,
            PRIMARY KEY (user_id, release_id), FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
        )""",
    "preferences": """
        CREATE TABLE preferences (
            user_id VARCHAR(32) NOT NULL, zone VARCHAR(64) NOT NULL, hours INTEGER, default_view_id VARCHAR(32),
            PRIMARY KEY (user_id), FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
            UNIQUE (default_view_id), FOREIGN KEY(default_view_id) REFERENCES saved_views (id) ON DELETE SET NULL
        )""",
}
OLD_HASH = "$argon2id$v=19$m=8,t=1,p=1$ZHVtbXlzYWx0MTIzNDU2Nw$hash"
OLD_ROWS = f"""
    INSERT INTO users VALUES
        ('u1', '{EMAIL}', 'Rita', 'admin', '{OLD_HASH}', 3, '2025-01-02 03:04:05.000000', NULL),
        ('u2', 'bob@example.com', NULL, 'viewer', '{OLD_HASH}', 1, '2025-01-02 03:04:05', '2025-02-03 04:05:06');
    INSERT INTO saved_views VALUES ('v1', 'u1', 'Mine', 'phase=failed', true, '2025-01-02 03:04:05');
    INSERT INTO stars VALUES ('u1', 'release:rel-2025-01', '2025-01-02 03:04:05');
    INSERT INTO preferences VALUES ('u1', 'Europe/Berlin', 24, 'v1');
    INSERT INTO kiosk_links VALUES ('k1', 'h1', 'Kitchen', 'u1', 3, '2025-01-02 03:04:05', NULL);
"""


@pytest.fixture
def database(settings: Settings) -> Path:
    settings.data_dir.mkdir()
    return settings.data_dir / "accounts.db"


@pytest.fixture
def empty_postgresql(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


def run_script(database: Path, *scripts: str) -> None:
    connection = sqlite3.connect(database)
    for script in scripts:
        connection.executescript(script)
    connection.close()


def differences(database: Path) -> list[object]:
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    return found


def test_the_revisions_lead_to_the_tables_of_the_models(accounts: Accounts, settings: Settings):
    assert differences(settings.data_dir / "accounts.db") == []


def test_a_database_from_before_revisions_is_taken_over_with_all_that_it_holds(
    settings: Settings, database: Path, open_accounts: Callable[..., Accounts]
):
    run_script(database, *(f"{table};" for table in OLD_TABLES.values()), OLD_ROWS)
    before = dump(database, OLD_TABLES)
    accounts = open_accounts(settings.accounts_url)
    accounts.prepare()

    assert dump(database, OLD_TABLES) == before
    assert differences(database) == []
    rita, bob = accounts.known(EMAIL), accounts.known("bob@example.com")
    assert (rita.id, rita.name, rita.role, rita.epoch, rita.enabled) == ("u1", "Rita", "admin", 3, True)
    assert bob.disabled_at == datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC)
    kept = PreferencesStore(accounts)
    assert kept.preferences("u1") == Preferences("Europe/Berlin", 24)
    assert (kept.stars("u1"), kept.default_view("u1").name) == (("release:rel-2025-01",), "Mine")
    assert [link.name for link in accounts.kiosk_links.of(rita)] == ["Kitchen"]


@pytest.mark.parametrize("there", [[], ["users"], ["users", "saved_views", "stars", "preferences"]], ids=len)
def test_tables_that_a_still_older_version_did_not_have_are_made(
    settings: Settings, database: Path, open_accounts: Callable[..., Accounts], there: list[str]
):
    run_script(database, *(f"{OLD_TABLES[name]};" for name in there))
    open_accounts(settings.accounts_url).prepare()

    assert differences(database) == []


@pytest.mark.integration
def test_many_processes_take_an_old_database_over_at_once(settings: Settings, database: Path):
    run_script(database, *(f"{table};" for table in OLD_TABLES.values()), OLD_ROWS)
    script = "import sys; from dashboard.auth.accounts import Accounts; Accounts(sys.argv[1]).prepare()"
    started = [
        subprocess.Popen([sys.executable, "-c", script, settings.accounts_url], stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]

    assert [process.returncode for process in started] == [0] * 6, errors
    assert differences(database) == []


def test_a_start_with_the_tables_of_today_writes_nothing(accounts: Accounts, settings: Settings):
    accounts.add(EMAIL, PASSWORD)
    mark = accounts.change_token()
    other = Accounts(settings.accounts_url)
    other.prepare()

    assert accounts.change_token() == mark


def test_what_fails_halfway_leaves_the_database_as_it_was(
    settings: Settings, database: Path, open_accounts: Callable[..., Accounts]
):
    # In the way of the last table.
    run_script(database, *(f"{table};" for table in OLD_TABLES.values()), "CREATE TABLE audit (id INTEGER);")
    with pytest.raises(SettingsError, match="audit already exists"):
        open_accounts(settings.accounts_url).prepare()

    assert tables(database) == {*OLD_TABLES, "audit"}


def test_a_database_of_a_later_version_is_not_touched(accounts: Accounts, settings: Settings):
    database = settings.data_dir / "accounts.db"
    run_script(database, "UPDATE alembic_version SET version_num = '9999';")
    with pytest.raises(SettingsError, match=r"accounts\.db was created by a later version"):
        accounts.prepare()

    assert dump(database, ["alembic_version"]) == {"alembic_version": [("9999",)]}


@ON_EVERY_DATABASE
def test_addresses_are_rewritten_as_they_are_compared_and_none_is_lost(
    request: pytest.FixtureRequest, settings: Settings, open_accounts: Callable[..., Accounts]
):
    if settings.database_url:
        url = request.getfixturevalue("empty_postgresql")
    else:
        url = settings.accounts_url
        settings.data_dir.mkdir()
    emails = ("rita@example.com", "a@m\u00fcnchen.example", "a@xn--mnchen-3ya.example", "\u00fc@\u2603.example")
    engine, scripts = create_engine(url), _configuration()
    with engine.begin() as connection:
        scripts.attributes["connection"] = connection
        command.upgrade(scripts, "0004")
        for number, email in enumerate(emails):
            values = {"id": f"u{number}", "email": email, "now": "2025-01-02 03:04:05"}
            connection.execute(
                text("INSERT INTO users VALUES (:id, :email, NULL, 'viewer', 'x', 0, :now, NULL)"), values
            )
    engine.dispose()
    accounts = open_accounts(url)
    accounts.upgrade()
    kept = {user.id: user.email for user in accounts.all()}

    assert kept == {
        "u0": "rita@example.com",
        "u1": "a@xn--mnchen-3ya.example.duplicate.invalid",
        "u2": "a@xn--mnchen-3ya.example",
        "u3": "\u00fc@xn--n3h.example",
    }
    assert {user_id: accounts.disable(email).id for user_id, email in kept.items()} == {name: name for name in kept}


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE audit SET event = 'nothing'",
        "UPDATE audit SET id = 7",
        "DELETE FROM audit",
        "REPLACE INTO audit (id, at, event, details) VALUES (1, '2025-01-01', 'nothing', '{}')",
        "INSERT INTO audit (id, at, event, details) VALUES (1, '2025-01-01', 'nothing', '{}') "
        "ON CONFLICT (id) DO UPDATE SET event = 'nothing'",
    ],
)
def test_the_audit_log_can_only_grow(accounts: Accounts, settings: Settings, wrong: str):
    database = settings.data_dir / "accounts.db"
    run_script(database, "INSERT INTO audit (at, event, details) VALUES ('2025-01-01', 'logout', '{}');")
    with pytest.raises(sqlite3.IntegrityError, match="The audit log can only grow"):
        run_script(database, f"{wrong};")
    run_script(database, "INSERT INTO audit (at, event, details) VALUES ('2025-01-02', 'logout', '{}');")

    assert [(row[0], row[4]) for row in dump(database, ["audit"])["audit"]] == [(1, "logout"), (2, "logout")]


def test_whoever_runs_the_database_can_archive_the_audit_log(accounts: Accounts, settings: Settings):
    database = settings.data_dir / "accounts.db"
    entries = (
        "INSERT INTO audit (at, event, details) VALUES ('2025-01-01', 'logout', '{}'), ('2026-01-01', 'logout', '{}')"
    )
    run_script(database, f"{entries};")
    with sqlite3.connect(database) as connection:
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_keeps_on_delete'").fetchone()
    connection.close()
    archive = "DELETE FROM audit WHERE at < '2026-01-01'"
    run_script(database, f"BEGIN; DROP TRIGGER audit_keeps_on_delete; {archive}; {made}; COMMIT;")
    with pytest.raises(sqlite3.IntegrityError, match="The audit log can only grow"):
        run_script(database, "DELETE FROM audit;")
    run_script(database, f"{entries};")

    assert [row[0] for row in dump(database, ["audit"])["audit"]] == [2, 3, 4], "no number is used again"


def test_db_upgrade_brings_a_database_to_today_and_can_be_run_again(
    settings: Settings, database: Path, monkeypatch: pytest.MonkeyPatch
):
    run_script(database, *(f"{table};" for table in OLD_TABLES.values()), OLD_ROWS)
    monkeypatch.setenv("DATABASE_URL", settings.accounts_url)
    for _ in range(2):
        answer = CliRunner().invoke(db, ["upgrade"])
        assert (answer.exit_code, answer.output) == (
            0,
            f"The accounts database is up to date (revision {NEWEST}).\n",
        )

    assert differences(database) == []


def test_db_upgrade_tells_of_a_wrong_setting_with_exit_code_2(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    answer = CliRunner().invoke(db, ["upgrade"])

    assert answer.exit_code == 2
    assert "DATABASE_URL" in answer.stderr


def tables(database: Path) -> set[str]:
    connection = sqlite3.connect(database)
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = {name for (name,) in found}
    connection.close()
    return names


def dump(database: Path, names: Iterable[str]) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(database)
    rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    connection.close()
    return rows


def test_on_postgresql_a_start_says_what_to_run_and_changes_nothing(postgres: Postgres):
    with postgres.database() as url:
        accounts = Accounts(url)
        with pytest.raises(SettingsError, match="Run `release-dashboard db upgrade` first"):
            accounts.prepare()
        assert inspected(url) == set()
        assert accounts.upgrade() == accounts.upgrade() == NEWEST
        accounts.prepare()
        accounts.close()

        assert inspected(url) == {*Base.metadata.tables, "alembic_version"}


def test_on_postgresql_a_server_ends_and_says_what_to_run(postgres: Postgres, tmp_path: Path):
    with postgres.database() as url:
        env = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(tmp_path), "SECRET_KEY": "k" * 32}
        argv = [sys.executable, "-m", "dashboard.cli", "serve", "--port", str(ports.find_free_port())]
        served = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert (served.returncode, "release-dashboard db upgrade" in served.stderr) == (2, True)
    assert "Traceback" not in served.stderr


def test_on_postgresql_the_revisions_lead_to_the_tables_of_the_models(postgres: Postgres):
    engine = create_engine(postgres.emptied())
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_on_postgresql_a_database_from_before_revisions_is_taken_over(postgres: Postgres):
    with postgres.database() as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            for name in OLD_TABLES:
                connection.execute(CreateTable(Base.metadata.tables[name]))
            connection.exec_driver_sql(OLD_ROWS)
        accounts = Accounts(url, CHEAP)
        accounts.upgrade()

        rita = accounts.known(EMAIL)
        assert (rita.id, rita.name, rita.role, rita.epoch) == ("u1", "Rita", "admin", 3)
        assert PreferencesStore(accounts).default_view("u1").name == "Mine"
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        accounts.close()
        engine.dispose()


def test_on_postgresql_many_processes_may_upgrade_at_once(postgres: Postgres):
    script = "import sys; from dashboard.auth.accounts import Accounts; Accounts(sys.argv[1]).upgrade()"
    with postgres.database() as url:
        started = [
            subprocess.Popen([sys.executable, "-c", script, url], stderr=subprocess.PIPE, text=True) for _ in range(3)
        ]
        errors = [process.communicate(timeout=60)[1] for process in started]

        assert [process.returncode for process in started] == [0] * 3, errors


@pytest.mark.parametrize("wrong", ["UPDATE audit SET event = 'nothing'", "DELETE FROM audit", "TRUNCATE audit"])
def test_on_postgresql_the_audit_log_can_only_grow(postgres: Postgres, wrong: str):
    engine = create_engine(postgres.emptied())
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO audit (at, event, details) VALUES (now(), 'logout', '{}')")
    with pytest.raises(DBAPIError, match="The audit log can only grow"), engine.begin() as connection:
        connection.exec_driver_sql(wrong)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT event FROM audit").scalars().all() == ["logout"]
    engine.dispose()


def test_on_postgresql_whoever_runs_the_database_can_archive_the_audit_log(postgres: Postgres):
    engine = create_engine(postgres.emptied())
    entries = (
        "INSERT INTO audit (at, event, details) VALUES ('2025-01-01', 'logout', '{}'), ('2026-01-01', 'logout', '{}')"
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(entries)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER audit_keeps")
        connection.exec_driver_sql("DELETE FROM audit WHERE at < '2026-01-01'")
        connection.exec_driver_sql("ALTER TABLE audit ENABLE TRIGGER audit_keeps")
    with pytest.raises(DBAPIError, match="The audit log can only grow"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit")
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT id FROM audit").scalars().all() == [2]
    engine.dispose()


def inspected(url: str) -> set[str]:
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names
