"""The accounts' database: one private file for many threads and processes, and what goes wrong with it."""

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters

from dashboard.auth.accounts import Accounts, EmailTaken
from dashboard.auth.passwords import PasswordHashing
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.settings.model import Settings, SettingsError
from tests.support.postgres import ON_EVERY_DATABASE

EMAIL = "rita@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture
def database(settings: Settings) -> Path:
    return settings.data_dir / "accounts.db"


def test_a_hash_with_older_parameters_is_renewed_at_the_login(
    settings: Settings, open_accounts: Callable[..., Accounts], database: Path
):
    accounts = open_accounts(settings.accounts_url, PasswordHashing())
    accounts.prepare()
    older = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1))
    user = open_accounts(settings.accounts_url, older).add(EMAIL, PASSWORD)
    assert accounts.authenticate(EMAIL, "wrong") is None
    assert _memory_cost(database) == 8192

    assert accounts.authenticate(EMAIL, PASSWORD) == user
    assert _memory_cost(database) == 19456
    # The same password: nothing ends by it.
    assert accounts.authenticate(EMAIL, PASSWORD) == user


def test_renewing_a_hash_does_not_undo_a_change_of_password_meanwhile(
    settings: Settings, accounts: Accounts, open_accounts: Callable[..., Accounts]
):
    older = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1))
    open_accounts(settings.accounts_url, older).add(EMAIL, PASSWORD)
    interrupted = PasswordHashing(InterruptedHasher(lambda: accounts.set_password(EMAIL, "another long password")))
    open_accounts(settings.accounts_url, interrupted).authenticate(EMAIL, PASSWORD)

    assert accounts.authenticate(EMAIL, PASSWORD) is None
    assert accounts.authenticate(EMAIL, "another long password")


def test_the_file_is_private_and_journals_ahead(accounts: Accounts, database: Path):
    accounts.add(EMAIL, PASSWORD)

    for file in database.parent.glob("accounts.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_nothing_is_opened_before_it_is_needed(settings: Settings):
    Accounts(settings.accounts_url)

    assert not settings.data_dir.exists()


def test_preparing_leaves_no_connection_for_a_fork_to_share(accounts: Accounts, database: Path):
    # SQLite removes this file when the last connection closes.
    assert not database.with_name("accounts.db-wal").exists()


def test_tables_that_are_there_are_left_alone(
    settings: Settings, accounts: Accounts, open_accounts: Callable[..., Accounts]
):
    user = accounts.add(EMAIL, PASSWORD)
    again = open_accounts(settings.accounts_url)
    again.prepare()

    assert again.by_email(EMAIL) == user


@ON_EVERY_DATABASE
def test_many_threads_add_each_user_once(accounts: Accounts):
    def add(number: int) -> bool:
        try:
            accounts.add(f"user{number % 8}@example.com", PASSWORD)
        except EmailTaken:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        added = list(pool.map(add, range(32)))

    assert added.count(True) == len(accounts.all()) == 8


@ON_EVERY_DATABASE
def test_many_threads_that_ensure_a_user_get_the_same_one(accounts: Accounts):
    with ThreadPoolExecutor(8) as pool:
        ids = {user.id for user in pool.map(lambda _: accounts.ensure(EMAIL, "admin123"), range(8))}

    assert ids == {accounts.known(EMAIL).id}


@pytest.mark.integration
@ON_EVERY_DATABASE
def test_many_processes_start_at_once_on_one_database(settings: Settings, open_accounts: Callable[..., Accounts]):
    script = (
        "import sys; from dashboard.auth.accounts import Accounts; accounts = Accounts(sys.argv[1]); "
        "accounts.prepare(); accounts.ensure('rita@example.com', 'admin123'); "
        "[accounts.disable('rita@example.com') for _ in range(20)]"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, settings.accounts_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]

    assert [process.returncode for process in started] == [0] * 4, errors
    (user,) = open_accounts(settings.accounts_url).all()
    assert user.epoch == 4 * 20


def test_another_process_sees_a_change_at_once(settings: Settings, accounts: Accounts):
    user = accounts.add(EMAIL, PASSWORD)
    script = (
        "import sys; from dashboard.auth.accounts import Accounts; Accounts(sys.argv[1]).disable('rita@example.com')"
    )
    subprocess.run([sys.executable, "-c", script, settings.accounts_url], check=True, timeout=60)

    assert not accounts.by_id(user.id).enabled


def test_a_database_that_fails_is_one_error_without_secrets(accounts: Accounts, database: Path):
    user = accounts.add(EMAIL, PASSWORD)
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE users")
    connection.close()

    for ask in (
        lambda: accounts.by_id(user.id),
        accounts.all,
        lambda: accounts.add("bob@example.com", PASSWORD),
        lambda: accounts.authenticate(EMAIL, PASSWORD),
    ):
        with pytest.raises(AccountsUnavailable) as failed:
            ask()
        assert "argon2" not in f"{failed.value!r} {failed.value.__cause__}"


def test_a_folder_that_cannot_be_made_is_a_setting_to_change(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match=r"Cannot open the accounts database .*accounts\.db"):
        Accounts(f"sqlite:///{tmp_path}/file/accounts.db").prepare()


def test_a_file_that_is_no_database_is_a_setting_to_change(tmp_path: Path):
    (tmp_path / "accounts.db").write_text("this is not a database, and it is long enough to see that" * 20)

    with pytest.raises(SettingsError, match="not a database"):
        Accounts(f"sqlite:///{tmp_path}/accounts.db").prepare()


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x/y", "postgresql+nosuch://rita:hunter2@localhost/x"])
def test_a_url_that_opens_nothing_names_its_setting_and_no_password(url: str):
    with pytest.raises(SettingsError, match="DATABASE_URL: got a value that opens nothing") as refused:
        Accounts(url).prepare()

    assert "hunter2" not in str(refused.value)


class InterruptedHasher(PasswordHasher):
    """Argon2 that lets something else happen before it hashes."""

    def __init__(self, before: Callable[[], object]) -> None:
        super().__init__(time_cost=2, memory_cost=19456, parallelism=1)
        self.before = before

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.before()
        return super().hash(password, salt=salt)


def _memory_cost(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        (kept,) = connection.execute("SELECT password_hash FROM users").fetchone()
    connection.close()
    return extract_parameters(kept).memory_cost
