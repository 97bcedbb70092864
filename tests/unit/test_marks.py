"""Marks of the accounts: equal while nobody has written, in whatever process."""

from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.accounts.sessions import Sessions
from dashboard.accounts.store import Accounts
from tests.stage import EMAIL, PASSWORD


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
    before = accounts.mark()
    accounts.by_id("nobody")
    assert accounts.mark() == before


def test_it_stays_equal_while_a_session_is_used(accounts: Accounts):
    sessions = Sessions(accounts, timedelta(hours=1))
    secret = sessions.start(accounts.add(EMAIL, PASSWORD), device="", address="")
    before = accounts.mark()
    for _ in range(3):
        _, session = sessions.find(secret)
        sessions.saw(session)
    assert accounts.mark() == before


def test_it_is_another_when_this_or_any_other_connection_has_written(accounts: Accounts, url: str):
    marks = [accounts.mark()]
    accounts.ensure(EMAIL, PASSWORD)
    marks.append(accounts.mark())
    other = Accounts(url)
    other.disable(EMAIL)
    other.close()
    marks.append(accounts.mark())
    assert len(set(marks)) == 3
    assert accounts.mark() == marks[-1]


def test_it_is_never_equal_where_the_file_is_gone_or_another(accounts: Accounts, tmp_path: Path):
    before, path = accounts.mark(), tmp_path / "accounts.db"
    path.rename(tmp_path / "away.db")
    assert len({before, accounts.mark(), accounts.mark()}) == 3
    Accounts(f"sqlite:///{path}").prepare()
    assert accounts.mark() != before


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://nowhere/x", "nonsense"])
def test_it_is_never_equal_where_the_database_cannot_tell(url: str):
    accounts = Accounts(url)
    assert accounts.mark() != accounts.mark()
