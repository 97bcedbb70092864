"""When something was last used is written if that is possible: a database that takes no changes sends nobody away."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, event, update
from structlog.testing import capture_logs

from dashboard.audit.log import AuditEvent, AuditEventType
from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import ApiTokens
from dashboard.database.models import SessionRow, User
from dashboard.database.timeouts import DatabaseTimeouts
from dashboard.database.unit_of_work import AccountsAway, AccountsUnavailable
from dashboard.settings.model import Settings
from tests.support.harness import CHEAP
from tests.support.postgres import ON_EVERY_DATABASE
from tests.support.prepared_databases import make_ready
from tests.support.waiting import eventually

MANY = 20
UNAVAILABLE = "The accounts database is unavailable."

Fault = Callable[[Accounts, Settings], AbstractContextManager[None]]


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Accounts]:
    make_ready(settings)
    # It takes so long to find out that nothing can be written; to read takes longer on no machine.
    accounts = Accounts(settings.accounts_url, CHEAP, DatabaseTimeouts(connect=4, statement=2, pool=4))
    yield accounts
    accounts.close()


@contextmanager
def locked(_accounts: Accounts, settings: Settings) -> Iterator[None]:
    """Let another process write, and not end with it."""
    engine = create_engine(settings.accounts_url)
    with engine.connect() as other:
        if settings.database_url:
            other.exec_driver_sql("LOCK TABLE users, sessions, api_tokens, kiosk_links, audit IN SHARE MODE")
        else:
            other.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        other.rollback()
    engine.dispose()


@contextmanager
def read_only(accounts: Accounts, settings: Settings) -> Iterator[None]:
    """Let every connection that is made be one that may only read."""

    def restrict(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()

    event.listen(Engine, "connect", restrict)
    accounts.close()
    try:
        yield
    finally:
        event.remove(Engine, "connect", restrict)
        accounts.close()


@contextmanager
def full(_accounts: Accounts, _settings: Settings) -> Iterator[None]:
    """Let this process write no file beyond its first kilobyte, as where a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def asked(app: Flask, accounts: Accounts, logged_in: FlaskClient, user: User) -> Callable[[int], bool]:
    """Ask by a session, a personal token or the link of a screen, each of whose last use is due to be written.

    Tell whether that was let in.
    """
    _, token = ApiTokens(accounts.session).add(user, "Deploy job", "read")
    link = accounts.kiosk_links.add(user, "Wall")
    with accounts.session() as session:
        session.execute(update(SessionRow).values(seen_at=datetime.now(UTC) - timedelta(minutes=30)))

    def ask(number: int) -> bool:
        browser = app.test_client()
        if number % 3 == 0:
            browser.set_cookie("release_dashboard_kiosk", link)
            return UNAVAILABLE not in browser.get("/kiosk").text
        if number % 3 == 1:
            answer = browser.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
        else:
            cookie = logged_in.get_cookie("release_dashboard")
            assert cookie
            browser.set_cookie("release_dashboard", cookie.value)
            answer = browser.get("/settings")
        return answer.status_code == 200

    return ask


def failures(lines: list[Any]) -> list[str]:
    return sorted(line["kind"] for line in lines if line["event"] == "best_effort_write_failed")


def check_all_are_let_in(asked: Callable[[int], bool]) -> None:
    """Let many ask at the same moment, and again; each kind of write fails once at most."""
    with capture_logs() as lines, ThreadPoolExecutor(MANY) as pool:
        for _ in range(2):
            assert list(pool.map(asked, range(MANY))) == [True] * MANY
    found = failures(lines)
    assert found
    assert len(found) == len(set(found))
    assert set(found) <= {"api_token_use", "kiosk_link_use", "session_visit"}


@ON_EVERY_DATABASE
@pytest.mark.parametrize("fault", [locked, read_only])
def test_where_nothing_can_be_written_whoever_may_come_in_is_let_in_to_read(
    app: Flask, accounts: Accounts, settings: Settings, user: User, asked: Callable[[int], bool], fault: Fault
):
    with fault(accounts, settings):
        check_all_are_let_in(asked)
        eventually(lambda: not accounts.is_writable)
        with pytest.raises(AccountsAway):
            accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_added, user.email))
        refused = app.test_client().post("/login", data={"username": user.email, "password": "correct horse battery"})
        assert refused.status_code == 503
    eventually(lambda: accounts.is_writable)
    used = ApiTokens(accounts.session).of(user)[0].used_at, accounts.kiosk_links.of(user)[0].used_at
    assert used == (None, None)


def test_where_the_disk_is_full_whoever_may_come_in_is_let_in(
    accounts: Accounts, settings: Settings, asked: Callable[[int], bool]
):
    with full(accounts, settings):
        check_all_are_let_in(asked)
        with pytest.raises(AccountsUnavailable):
            accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_added, "ada@example.com"))


@ON_EVERY_DATABASE
def test_one_whose_last_use_was_not_written_has_it_written_later(accounts: Accounts, settings: Settings, user: User):
    _, token = ApiTokens(accounts.session).add(user, "Deploy job", "read")
    with read_only(accounts, settings):
        assert ApiTokens(accounts.session).verify(token)
    eventually(lambda: accounts.is_writable)
    later = ApiTokens(accounts.session)
    assert later.verify(token)
    assert later.of(user)[0].used_at
