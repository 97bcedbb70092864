"""Refresh tokens: each is good for one new pair, and using one twice ends all that came of its login."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from structlog.testing import capture_logs

from dashboard.app import create_app
from dashboard.auth.access_tokens import InvalidToken
from dashboard.auth.accounts import Accounts
from dashboard.auth.refresh_tokens import RefreshTokenReused, RefreshTokens
from dashboard.database.models import User
from dashboard.settings.model import Settings
from tests.support.clocks import travel
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL

PASSWORD = "correct horse battery"
LIFETIME = timedelta(days=30)


@pytest.fixture
def refresh_tokens(accounts: Accounts) -> RefreshTokens:
    return RefreshTokens(accounts, LIFETIME)


def log_in(client: FlaskClient) -> dict[str, str]:
    answer = client.post("/api/auth/login", data={"username": "rita@example.com", "password": PASSWORD})
    assert answer.status_code == 200
    pair: dict[str, str] = answer.get_json()
    return pair


def refresh(client: FlaskClient, token: str, status: int = 200) -> dict[str, str]:
    answer = client.post("/api/auth/refresh", json={"refresh_token": token})
    assert answer.status_code == status, answer.text
    said: dict[str, str] = answer.get_json()
    return said


@ON_EVERY_DATABASE_IN_FULL
def test_it_works(client: FlaskClient, user: User):
    first = log_in(client)
    assert first["refresh_token"].startswith("rdr_")
    assert first["refresh_expires_in"] == 30 * 24 * 3600
    answer = client.post("/api/auth/refresh", data={"refresh_token": first["refresh_token"]})
    second = answer.get_json()

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert set(second) == set(first)
    assert (second["token_type"], second["expires_in"]) == ("bearer", 3600)
    assert second["refresh_token"] != first["refresh_token"]
    me = client.get("/api/auth/me", headers={"Authorization": f"Bearer {second['access_token']}"})
    assert me.get_json()["id"] == user.id
    refresh(client, second["refresh_token"])


def test_only_a_login_says_that_a_password_was_given(client: FlaskClient, user: User):
    first = log_in(client)
    second = refresh(client, first["refresh_token"])
    claims = [jwt.decode(pair["access_token"], options={"verify_signature": False}) for pair in (first, second)]

    assert [claim.get("amr") for claim in claims] == [["pwd"], None]


@ON_EVERY_DATABASE_IN_FULL
def test_using_one_twice_ends_its_family_and_no_other(client: FlaskClient, user: User):
    first, elsewhere = log_in(client), log_in(client)
    second = refresh(client, first["refresh_token"])
    with capture_logs() as logs:
        assert refresh(client, first["refresh_token"], 401)["error"]["code"] == "invalid_refresh_token"
        refresh(client, second["refresh_token"], 401)
        refresh(client, first["refresh_token"], 401)

    assert [(entry["event"], entry.get("user_id")) for entry in logs] == [("refresh_reused", user.id)], "said once"
    assert first["refresh_token"] not in str(logs)
    refresh(client, elsewhere["refresh_token"])


@ON_EVERY_DATABASE_IN_FULL
def test_an_older_one_of_the_family_ends_it_too(client: FlaskClient, user: User):
    first = log_in(client)
    second = refresh(client, first["refresh_token"])
    third = refresh(client, second["refresh_token"])
    refresh(client, first["refresh_token"], 401)

    refresh(client, third["refresh_token"], 401)


@ON_EVERY_DATABASE_IN_FULL
def test_of_many_at_the_same_moment_one_wins_and_the_family_ends(
    settings: Settings, accounts: Accounts, open_accounts: Callable[..., Accounts], user: User
):
    several = [RefreshTokens(open_accounts(settings.accounts_url), LIFETIME) for _ in range(6)]
    for _ in range(5):
        token, ready = several[0].start(user), Barrier(len(several))

        def renew(tokens: RefreshTokens, token: str = token, ready: Barrier = ready) -> str | InvalidToken:
            ready.wait(30)
            try:
                return tokens.renew(token).token
            except InvalidToken as exc:
                return exc

        with ThreadPoolExecutor(len(several)) as pool:
            answers = list(pool.map(renew, several))
        (won,) = [answer for answer in answers if isinstance(answer, str)]
        assert [type(answer) for answer in answers].count(RefreshTokenReused) == 1, "it is told once"
        with pytest.raises(InvalidToken):
            several[1].renew(won)


@ON_EVERY_DATABASE_IN_FULL
@pytest.mark.parametrize("act", ["disable", "set_password", "enable"])
def test_what_ends_sessions_ends_refresh_tokens(client: FlaskClient, accounts: Accounts, user: User, act: str):
    pair = log_in(client)
    if act == "set_password":
        accounts.set_password(user.email, "another long password")
    else:
        accounts.disable(user.email)
    if act == "enable":
        accounts.enable(user.email)
    with capture_logs() as logs:
        refresh(client, pair["refresh_token"], 401)
        refresh(client, pair["refresh_token"], 401)

    assert logs == [], "nobody has copied it"


def test_one_of_another_epoch_is_refused_even_if_it_was_not_revoked(accounts: Accounts, user: User):
    refresh_tokens = RefreshTokens(accounts, LIFETIME)
    accounts.set_password(user.email, "another long password")
    late = refresh_tokens.start(user)

    with pytest.raises(InvalidToken):
        refresh_tokens.renew(late)


def test_one_ends_when_it_said_and_a_new_one_begins_anew(refresh_tokens: RefreshTokens, user: User):
    with travel("2025-03-01 08:00Z") as now:
        token = refresh_tokens.start(user)
        now.shift(LIFETIME - timedelta(seconds=1))
        token = refresh_tokens.renew(token).token
        now.shift(LIFETIME - timedelta(seconds=1))
        token = refresh_tokens.renew(token).token
        now.shift(LIFETIME)
        with pytest.raises(InvalidToken) as refused:
            refresh_tokens.renew(token)
        assert not isinstance(refused.value, RefreshTokenReused)


def test_how_long_is_a_setting(settings: Settings, user: User, accounts: Accounts):
    app = create_app(settings.model_copy(update={"refresh_token_days": 2}), accounts=accounts)
    assert log_in(app.test_client())["refresh_expires_in"] == 2 * 24 * 3600


def test_only_hashes_are_kept_and_what_has_expired_is_swept_away(accounts: Accounts, user: User):
    refresh_tokens = RefreshTokens(accounts, LIFETIME)
    with travel("2025-03-01 08:00Z") as now:
        token = refresh_tokens.start(user)
        with accounts.session() as session:
            assert token not in str(session.execute(text("SELECT * FROM refresh_tokens")).all())
        now.shift(LIFETIME)
        refresh_tokens.start(user)
        with accounts.session() as session:
            assert session.scalar(text("SELECT count(*) FROM refresh_tokens")) == 1


def test_each_of_the_three_kinds_does_its_own_work_alone(app: Flask, client: FlaskClient, logged_in: FlaskClient):
    pair = log_in(client)
    personal = logged_in.post("/api/tokens", json={"name": "A", "scope": "write"}).get_json()["token"]
    sent = {"Authorization": f"Bearer {pair['refresh_token']}"}

    assert client.get("/api/auth/me", headers=sent).status_code == 401
    for other in (pair["access_token"], personal):
        refresh(client, other, 401)


@pytest.mark.parametrize(
    "body",
    [
        {"data": {}},
        {"json": {}},
        {"json": {"refresh_token": ""}},
        {"json": {"refresh_token": None}},
        {"json": {"refresh_token": 7}},
        {"json": []},
        {"data": "refresh_token=x", "content_type": "text/plain"},
    ],
    ids=str,
)
def test_a_missing_token_is_named(client: FlaskClient, body: dict[str, object]):
    answer = client.post("/api/auth/refresh", **body)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "missing_field")
    assert [field["field"] for field in answer.get_json()["error"]["fields"]] == ["refresh_token"]


@pytest.mark.parametrize("token", ["x", "rdr_", "rdr_" + "x" * 5000, "ä\udc80", "' OR 1=1 --"])
def test_a_made_up_one_is_401(client: FlaskClient, token: str):
    answer = client.post("/api/auth/refresh", json={"refresh_token": token})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
