"""What is written down of logins, logouts, tokens, links and exports, and that nothing is done that cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard.audit.log import AuditEntry, AuditEvent, AuditEventType, AuditQuery
from dashboard.auth.accounts import Accounts, EmailTaken
from dashboard.concurrency.log_sampler import MAX_SAMPLES_PER_INTERVAL, LogSampler
from dashboard.database.models import Role, User
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.settings.model import Settings
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.web.conftest import PASSWORD

pytestmark = ON_EVERY_DATABASE_IN_FULL


def written(accounts: Accounts, *events: AuditEventType) -> list[AuditEntry]:
    """All entries of these events, the oldest first."""
    return accounts.audit.read(AuditQuery(events=events), 1_000)[::-1]


@contextmanager
def nothing_is_kept(accounts: Accounts) -> Iterator[None]:
    """A database that answers, but takes no entry of the audit log."""
    with accounts.session() as session:
        session.execute(text("ALTER TABLE audit RENAME TO audit_elsewhere"))
    try:
        yield
    finally:
        with accounts.session() as session:
            session.execute(text("ALTER TABLE audit_elsewhere RENAME TO audit"))


def log_in(browser: FlaskClient, password: str = PASSWORD, email: str = "rita@example.com") -> TestResponse:
    return browser.post("/login", data={"username": email, "password": password})


def test_a_login_and_what_follows_say_who_when_from_where_and_with_which_request(
    app: Flask, accounts: Accounts, user: User
):
    browser, began = app.test_client(), datetime.now(UTC)
    answers = [
        log_in(browser, "wrong horse"),
        log_in(browser),
        browser.post("/logout"),
        browser.post("/api/auth/login", data={"username": user.email, "password": PASSWORD}),
    ]
    entries = written(accounts)

    assert [entry.event for entry in entries] == ["login_failed", "login_succeeded", "logout", "login_succeeded"]
    assert [entry.request_id for entry in entries] == [answer.headers["X-Request-ID"] for answer in answers]
    assert [entry.actor for entry in entries] == [None, user.email, user.email, user.email]
    assert [entry.actor_id for entry in entries] == [None, user.id, user.id, user.id]
    assert [entry.subject for entry in entries] == [user.email, None, None, None]
    assert {entry.address for entry in entries} == {"127.0.0.1"}
    assert all(began - timedelta(seconds=1) < entry.at <= datetime.now(UTC) for entry in entries)


def test_a_session_that_another_login_takes_the_place_of_is_written_down_as_ended(
    logged_in: FlaskClient, accounts: Accounts, user: User
):
    bob = accounts.add("bob@example.com", PASSWORD)
    log_in(logged_in, email=bob.email)

    (ended,) = written(accounts, AuditEventType.session_ended)
    assert ended.actor == user.email


def test_who_is_not_logged_in_logs_nobody_out(client: FlaskClient, accounts: Accounts):
    client.post("/logout")

    assert written(accounts) == []


def test_tokens_and_links_are_written_down_without_their_secrets(logged_in: FlaskClient, accounts: Accounts):
    token = logged_in.post("/api/tokens", json={"name": "Deploy", "days": 7}).get_json()
    logged_in.delete(f"/api/tokens/{token['id']}")
    logged_in.post("/screens", data={"name": "Kitchen"})
    (link,) = accounts.kiosk_links.of(accounts.known("rita@example.com"))
    logged_in.post(f"/screens/{link.id}/revoke")
    _, *entries = written(accounts)

    assert [(entry.event, entry.subject, entry.details) for entry in entries] == [
        ("token_created", "Deploy", {"token_id": token["id"], "scope": "read", "days": 7}),
        ("token_revoked", None, {"token_id": token["id"]}),
        ("kiosk_link_created", "Kitchen", {}),
        ("kiosk_link_revoked", None, {"link_id": link.id}),
    ]


def refused(answer: TestResponse) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"]
    if answer.is_json:
        assert answer.get_json()["error"]["code"] == "accounts_unavailable"


def test_nobody_logs_in_or_out_where_it_cannot_be_written_down(app: Flask, logged_in: FlaskClient, accounts: Accounts):
    browser = app.test_client()
    with nothing_is_kept(accounts), capture_logs() as logs:
        refused(log_in(browser))
        refused(log_in(browser, "wrong horse"))
        refused(browser.post("/api/auth/login", data={"username": "rita@example.com", "password": PASSWORD}))
        refused(logged_in.post("/logout"))

    assert browser.get("/api/auth/me").status_code == 401
    assert logged_in.get("/api/auth/me").status_code == 200, "who could not log out is still in"
    assert {entry["event"] for entry in logs} == {"accounts_unavailable"}


def test_no_token_and_no_link_is_made_or_revoked_where_it_cannot_be_written_down(
    app: Flask, logged_in: FlaskClient, accounts: Accounts
):
    token = logged_in.post("/api/tokens", json={"name": "Deploy"}).get_json()
    logged_in.post("/screens", data={"name": "Kitchen"})
    (link,) = accounts.kiosk_links.of(accounts.known("rita@example.com"))
    with nothing_is_kept(accounts), capture_logs() as logs:
        refused(logged_in.post("/api/tokens", json={"name": "Another"}))
        refused(logged_in.post("/tokens", data={"name": "Another", "scope": "read", "days": "7"}))
        refused(logged_in.delete(f"/api/tokens/{token['id']}"))
        refused(logged_in.post("/screens", data={"name": "Hall"}))
        refused(logged_in.post(f"/screens/{link.id}/revoke"))

    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert app.test_client().get("/api/auth/me", headers=bearer).status_code == 200
    assert [one["name"] for one in logged_in.get("/api/tokens").get_json()["tokens"]] == ["Deploy"]
    assert [one.name for one in accounts.kiosk_links.of(accounts.known("rita@example.com"))] == ["Kitchen"]
    assert {entry["event"] for entry in logs} == {"accounts_unavailable"}


def test_no_table_is_given_where_it_cannot_be_written_down(logged_in: FlaskClient, accounts: Accounts):
    accounts.set_role("rita@example.com", Role.admin)
    log_in(logged_in)
    with nothing_is_kept(accounts):
        with accounts.session() as session:
            # It can be read, and takes nothing more.
            session.execute(text("CREATE VIEW audit AS SELECT * FROM audit_elsewhere WHERE 1 = 1 LIMIT 1"))
        table, page = logged_in.get("/api/audit?format=csv"), logged_in.get("/api/audit")
        with accounts.session() as session:
            session.execute(text("DROP VIEW audit"))

    refused(table)
    assert page.status_code == 200


def test_what_is_done_in_a_transaction_is_done_as_a_whole_or_not_at_all(accounts: Accounts):
    told: list[str] = []

    def add(*emails: str) -> None:
        with accounts.transaction():
            for email in emails:
                with accounts.transaction():
                    accounts.add(email, PASSWORD)
                accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_added, email))
                accounts.on_commit(partial(told.append, email))
                assert email not in told, "nothing is sure yet"

    add("ada@example.com")
    with pytest.raises(EmailTaken):
        add("bob@example.com", "ada@example.com")
    with nothing_is_kept(accounts), pytest.raises(AccountsUnavailable):
        add("cleo@example.com")

    assert [user.email for user in accounts.all()] == ["ada@example.com"]
    assert [entry.subject for entry in written(accounts)] == told == ["ada@example.com"]


def test_a_flood_of_logins_is_told_of_once_for_each_user(client: FlaskClient, accounts: Accounts, user: User):
    for _ in range(5):
        log_in(client, "wrong horse")
    assert {log_in(client, "wrong horse").status_code for _ in range(20)} == {429}
    assert log_in(client, email="Rita@Example.com ").status_code == 429
    (first,) = written(accounts, AuditEventType.login_throttled)
    assert (first.subject, first.details) == (user.email, {"left_out": 0})
    for number in range(5):
        log_in(client, "wrong horse", f"user{number}@example.com")
    log_in(client, "wrong horse", "another@example.com")

    assert [(entry.subject, entry.details) for entry in written(accounts, AuditEventType.login_throttled)[1:]] == [
        ("(no user)", {"left_out": 20})
    ]


def test_a_flood_of_many_users_is_told_of_so_often_a_minute_and_then_again(settings: Settings):
    now = [0.0]
    floods = LogSampler(lambda: now[0])
    picked = [floods.sample(number) for number in range(5_000)]

    assert (picked.count(0), picked.count(None)) == (MAX_SAMPLES_PER_INTERVAL, 5_000 - MAX_SAMPLES_PER_INTERVAL)
    now[0] = 59.0
    assert floods.sample("another") is None
    now[0] = 61.0
    assert [floods.sample("another"), floods.sample("another"), floods.sample(1)] == [
        5_001 - MAX_SAMPLES_PER_INTERVAL,
        None,
        1,
    ]


@pytest.mark.parametrize("typed", ["correct horse battery", "Horse@2026", "horse@battery.staple", "\ud800horse"])
def test_what_is_no_users_address_may_be_a_password_and_is_not_kept(
    client: FlaskClient, accounts: Accounts, typed: str
):
    client.post("/api/auth/login", json={"username": typed, "password": "x"})
    (entry,) = written(accounts)

    assert entry.subject == "(no user)"
    assert "horse" not in str(entry).lower()
