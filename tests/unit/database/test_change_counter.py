"""Marks of the accounts: equal while nobody has written, in whatever process."""

from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.auth.accounts import Accounts
from dashboard.auth.session_store import SessionStore
from tests.support.harness import EMAIL, PASSWORD


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'accounts.db'}"


@pytest.fixture
def accounts(url: str):
    accounts = Accounts(url)
    accounts.prepare()
    yield accounts
    accounts.close()


def test_it_stays_equal_while_accounts_are_only_read(accounts: Accounts):
    before = accounts.change_token()
    accounts.by_id("nobody")
    assert accounts.change_token() == before


def test_it_stays_equal_while_a_session_is_used(accounts: Accounts):
    sessions = SessionStore(accounts, timedelta(hours=1))
    secret = sessions.start(accounts.add(EMAIL, PASSWORD), device="", address="")
    before = accounts.change_token()
    for _ in range(3):
        _, session = sessions.find(secret)
        sessions.record_activity(session)
    assert accounts.change_token() == before


def test_it_is_another_when_this_or_any_other_connection_has_written(accounts: Accounts, url: str):
    marks = [accounts.change_token()]
    accounts.ensure(EMAIL, PASSWORD)
    marks.append(accounts.change_token())
    other = Accounts(url)
    other.disable(EMAIL)
    other.close()
    marks.append(accounts.change_token())
    assert len(set(marks)) == 3
    assert accounts.change_token() == marks[-1]


def test_it_is_never_equal_where_the_file_is_gone_or_another(accounts: Accounts, tmp_path: Path):
    before, path = accounts.change_token(), tmp_path / "accounts.db"
    path.rename(tmp_path / "away.db")
    assert len({before, accounts.change_token(), accounts.change_token()}) == 3
    Accounts(f"sqlite:///{path}").prepare()
    assert accounts.change_token() != before


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://nowhere/x", "nonsense"])
def test_it_is_never_equal_where_the_database_cannot_tell(url: str):
    accounts = Accounts(url)
    assert accounts.change_token() != accounts.change_token()
