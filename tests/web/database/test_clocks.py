"""A replica whose clock is wrong: what all of them share goes by the clock of the database, which is another."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from dashboard.audit.log import AuditQuery
from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import ApiTokens
from dashboard.auth.oidc.identities import IdentityStore
from dashboard.auth.refresh_tokens import RefreshTokens
from dashboard.auth.session_store import SessionStore
from dashboard.auth.throttle import MAX_FAILURES_PER_USER, LoginThrottle, TooManyLoginFailures
from dashboard.database.models import User
from dashboard.settings.model import Settings
from tests.support.oidc_provider import OpenIdProvider, sent_back
from tests.support.postgres import ON_EVERY_DATABASE
from tests.web.conftest import EMAIL, PASSWORD

ON_A_SERVER = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
# By how far the clock of the other replica is wrong: long after all that is kept has ended, and long before it began.
WRONG = pytest.mark.parametrize("by", [timedelta(days=400), timedelta(days=-400)], ids=["ahead", "behind"])
IDLE = timedelta(hours=1)


@ON_A_SERVER
@WRONG
def test_what_one_replica_gave_holds_on_one_whose_clock_is_wrong_and_is_not_swept_away_there(
    app: Flask, logged_in: FlaskClient, bearer: dict[str, str], accounts: Accounts, user: User, by: timedelta
):
    made = logged_in.post("/api/tokens", json={"name": "Deploy job", "scope": "read", "days": 1}).get_json()["token"]
    link = accounts.kiosk_links.add(user, "Wall")
    refresh, identities = RefreshTokens(accounts, IDLE), IdentityStore(accounts)
    first = refresh.start(user)
    assert identities.consume("a login", 60)

    with time_machine.travel(datetime.now(UTC) + by, tick=True):
        browser = app.test_client()
        assert browser.post("/login", data={"username": EMAIL, "password": PASSWORD}).status_code == 303
        refresh.start(user)
        ApiTokens(accounts.session).add(user, "Another", "read", 1)
        identities.consume("another login", 60)
        SessionStore(accounts, IDLE).sweep()
        for who in (logged_in, browser):
            assert who.get("/api/auth/me").status_code == 200
            assert [token["valid"] for token in who.get("/api/tokens").get_json()["tokens"]] == [True, True]
        for token in (bearer, {"Authorization": f"Bearer {made}"}):
            assert app.test_client().get("/api/auth/me", headers=token).status_code == 200
        assert accounts.kiosk_links.verify(link)
        assert not identities.consume("a login", 60), "an answer counts once"
        second = refresh.renew(first).token

    assert browser.get("/api/auth/me").status_code == 200
    assert refresh.renew(second)


@ON_A_SERVER
@WRONG
def test_what_was_begun_where_the_clock_is_wrong_ends_when_it_should(
    app: Flask, accounts: Accounts, user: User, by: timedelta
):
    refresh = RefreshTokens(accounts, IDLE)
    with time_machine.travel(datetime.now(UTC) + by, tick=True):
        SessionStore(accounts, IDLE).start(user, device="", address="")
        refresh.start(user)
        expires = [session.expires_at for session in SessionStore(accounts, IDLE).of(user)]
        pair = app.test_client().post("/api/auth/login", json={"username": EMAIL, "password": PASSWORD}).get_json()
        accounts.disable(EMAIL)
        accounts.enable(EMAIL)
    (event,) = [entry for entry in logged(accounts) if entry[0] == "login_succeeded"]

    soon = [moment - datetime.now(UTC) for moment in (*expires, event[1] + IDLE)]
    assert all(timedelta(minutes=50) < left <= IDLE for left in soon)
    assert pair["expires_in"] == 3600


def logged(accounts: Accounts) -> list[tuple[str, datetime]]:
    return [(str(entry.event), entry.at) for entry in accounts.audit.read(AuditQuery(), 10)]


@ON_A_SERVER
@WRONG
def test_failures_are_counted_together_by_replicas_whose_clocks_are_apart(accounts: Accounts, by: timedelta):
    throttle = LoginThrottle(accounts)
    for _ in range(MAX_FAILURES_PER_USER):
        throttle.bound(EMAIL, "192.0.2.1", lambda: None)
    with time_machine.travel(datetime.now(UTC) + by, tick=True), pytest.raises(TooManyLoginFailures) as refused:
        throttle.bound(EMAIL, "192.0.2.1", lambda: None)
    assert 0 < refused.value.seconds <= 300


@ON_A_SERVER
@WRONG
def test_a_login_at_the_provider_is_finished_where_the_clock_is_wrong(
    visitor: FlaskClient, provider: OpenIdProvider, by: timedelta
):
    # Its clock is right.
    began = int(datetime.now(UTC).timestamp())
    provider.claims = {"iat": began, "exp": began + 300}
    begun = visitor.get("/login/oidc")
    with time_machine.travel(datetime.now(UTC) + by, tick=True):
        assert visitor.get(sent_back(begun.location)).status_code == 303
        assert visitor.get("/api/auth/me").status_code == 200


@ON_EVERY_DATABASE
def test_ready_says_how_far_the_clocks_are_apart(client: FlaskClient, settings: Settings, accounts: Accounts):
    told = client.get("/ready").get_json()
    if settings.database_url is None:
        assert told == {"status": "ok"}, "the database is on this machine"
        return
    assert abs(told["clock_ahead_seconds"]) < 5
    assert "warning" not in told
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True):
        other = Accounts(settings.accounts_url)
        other.prepare()
        assert 7195 < (other.clock_skew_seconds or 0) < 7205
        other.close()
