"""Personal API tokens: how they are made, what each opens, and everything that ends one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import (
    MAX_TOKEN_DAYS,
    MAX_TOKENS_PER_USER,
    ApiTokens,
    InvalidTokenRequest,
    TokenScope,
    TooManyTokens,
)
from dashboard.database.models import ApiTokenRow, Role, User
from dashboard.settings.model import Settings
from tests.support.clocks import travel
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL

PASSWORD = "correct horse battery"


@pytest.fixture
def api_tokens(accounts: Accounts) -> ApiTokens:
    return ApiTokens(accounts.session)


def sends(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def make(browser: FlaskClient, **given: object) -> str:
    answer = browser.post("/api/tokens", json={"name": "Deploy job"} | given)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["token"])


def opens(app: Flask, token: str) -> bool:
    status = app.test_client().get("/api/auth/me", headers=sends(token)).status_code
    assert status in {200, 401}
    return status == 200


@ON_EVERY_DATABASE_IN_FULL
def test_it_works(app: Flask, logged_in: FlaskClient, user: User):
    answer = logged_in.post("/api/tokens", json={"name": "Deploy job", "days": 30})
    made = answer.get_json()

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert made["token"].startswith("rdt_")
    assert len(made["token"]) == 47
    assert (made["name"], made["scope"], made["valid"], made["used_at"]) == ("Deploy job", "read", True, None)
    assert datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"]) == timedelta(days=30)
    assert app.test_client().get("/api/auth/me", headers=sends(made["token"])).get_json()["id"] == user.id
    listed = logged_in.get("/api/tokens").get_json()["tokens"]
    assert [(item["id"], item["used_at"] is None) for item in listed] == [(made["id"], False)]
    assert "token" not in listed[0], "it is told once"


def test_it_is_told_once_and_kept_as_a_hash(logged_in: FlaskClient, accounts: Accounts):
    token = make(logged_in)
    with accounts.session() as session:
        kept = str(session.execute(text("SELECT * FROM api_tokens")).all())

    assert "Deploy job" in kept
    assert token not in kept
    assert token.removeprefix("rdt_") not in kept
    assert token not in logged_in.get("/api/tokens").text + logged_in.get("/tokens").text


def test_no_log_tells_a_token(app: Flask, logged_in: FlaskClient):
    with capture_logs() as logs:
        token = make(logged_in, scope="write")
        assert opens(app, token)
        assert not opens(app, f"{token}x")
        logged_in.delete(f"/api/tokens/{logged_in.get('/api/tokens').get_json()['tokens'][0]['id']}")

    assert [entry["event"] for entry in logs] == ["token_created", "token_revoked"]
    assert token.removeprefix("rdt_") not in str(logs)


def test_a_token_that_may_read_changes_nothing(app: Flask, logged_in: FlaskClient):
    token, client = make(logged_in, scope="read"), app.test_client()

    assert client.get("/api/settings", headers=sends(token)).status_code == 200
    assert client.head("/api/settings", headers=sends(token)).status_code == 200
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/") and "auth" not in rule.rule]
    tried = 0
    for rule in rules:
        built = rule.build(dict.fromkeys(rule.arguments, "release:x"))
        assert built
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = client.open(built[1], method=method, headers=sends(token))
            assert answer.status_code == 403, (method, rule.rule)
            assert answer.get_json()["error"]["code"] == "read_only_token"
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
            tried += 1
    assert tried > 50
    assert "is read-only" in answer.get_json()["error"]["message"]


def test_a_token_that_may_write_does_what_its_maker_may(app: Flask, logged_in: FlaskClient):
    token, client = make(logged_in, scope="write"), app.test_client()

    assert client.put("/api/settings", json={"hours": 24}, headers=sends(token)).status_code == 200
    assert logged_in.get("/api/settings").get_json()["hours"] == 24


def test_what_its_maker_may_is_asked_anew_each_time(app: Flask, logged_in: FlaskClient, accounts: Accounts, user: User):
    token = make(logged_in)
    accounts.set_role(user.email, Role.admin)

    assert app.test_client().get("/api/auth/me", headers=sends(token)).get_json()["role"] == "admin"


def test_no_token_makes_or_ends_tokens_but_that_of_a_login_with_the_password(
    app: Flask, logged_in: FlaskClient, user: User
):
    client = app.test_client()
    pair = client.post("/api/auth/login", data={"username": user.email, "password": PASSWORD}).get_json()
    renewed = client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]}).get_json()
    token_id = client.post("/api/tokens", json={"name": "A"}, headers=sends(pair["access_token"])).get_json()["id"]

    for sent in (make(logged_in, scope="write"), renewed["access_token"]):
        for answer in (
            client.post("/api/tokens", json={"name": "B"}, headers=sends(sent)),
            client.delete(f"/api/tokens/{token_id}", headers=sends(sent)),
        ):
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "password_needed")
        assert client.get("/api/tokens", headers=sends(sent)).status_code == 200
    assert client.delete(f"/api/tokens/{token_id}", headers=sends(pair["access_token"])).status_code == 204


def test_a_token_opens_no_pages_and_does_not_ride_on_a_cookie(app: Flask, logged_in: FlaskClient):
    token = make(logged_in)

    assert app.test_client().get("/settings", headers=sends(token)).status_code == 302
    assert logged_in.get("/api/auth/me", headers=sends(f"{token}x")).status_code == 401, "the token sent is what counts"


@ON_EVERY_DATABASE_IN_FULL
def test_revoking_ends_a_token_at_once_for_good(app: Flask, logged_in: FlaskClient):
    token, other = make(logged_in), make(logged_in)
    (_, first) = logged_in.get("/api/tokens").get_json()["tokens"]

    assert logged_in.delete(f"/api/tokens/{first['id']}").status_code == 204
    assert (opens(app, token), opens(app, other)) == (False, True)
    (_, ended) = logged_in.get("/api/tokens").get_json()["tokens"]
    assert not ended["valid"]
    assert logged_in.delete(f"/api/tokens/{first['id']}").status_code == 204, "as often as one likes"
    (_, again) = logged_in.get("/api/tokens").get_json()["tokens"]
    assert again["revoked_at"] == ended["revoked_at"]


def test_what_has_ended_is_forgotten_when_the_next_is_made(logged_in: FlaskClient):
    make(logged_in, name="Old")
    logged_in.delete(f"/api/tokens/{logged_in.get('/api/tokens').get_json()['tokens'][0]['id']}")
    make(logged_in, name="New")

    assert [item["name"] for item in logged_in.get("/api/tokens").get_json()["tokens"]] == ["New"]


def test_a_token_ends_when_it_said(app: Flask, api_tokens: ApiTokens, user: User):
    with travel("2025-03-01 08:00Z") as now:
        _, short = api_tokens.add(user, "Short", "read", 1)
        _, endless = api_tokens.add(user, "Endless", "read")
        now.shift(timedelta(days=1, seconds=-1))
        assert opens(app, short)
        now.shift(timedelta(seconds=1))
        assert not opens(app, short)
        now.shift(timedelta(days=4000))
        assert opens(app, endless)
        assert [token.valid for token in api_tokens.of(user)] in ([True, False], [False, True])


@ON_EVERY_DATABASE_IN_FULL
@pytest.mark.parametrize("act", ["disable", "set_password", "enable"])
def test_what_ends_the_sessions_of_its_maker_ends_a_token_for_good(
    app: Flask, logged_in: FlaskClient, accounts: Accounts, user: User, act: str
):
    token = make(logged_in)
    assert opens(app, token)
    if act == "set_password":
        accounts.set_password(user.email, "another long password")
    else:
        accounts.disable(user.email)
    if act == "enable":
        accounts.enable(user.email)

    assert not opens(app, token)
    assert not ApiTokens(accounts.session).of(user)[0].valid


@ON_EVERY_DATABASE_IN_FULL
def test_a_login_from_before_a_change_of_password_makes_no_token(accounts: Accounts, api_tokens: ApiTokens, user: User):
    accounts.set_password(user.email, "another long password")
    with pytest.raises(TooManyTokens):
        api_tokens.add(user, "Late", "read")

    accounts.disable(user.email)
    with pytest.raises(TooManyTokens):
        api_tokens.add(accounts.known(user.email), "Later", "read")
    assert api_tokens.of(user) == []


@ON_EVERY_DATABASE_IN_FULL
def test_each_has_so_many_and_no_more_however_many_are_made_at_once(
    accounts: Accounts, api_tokens: ApiTokens, user: User
):
    def add(number: int) -> bool:
        try:
            api_tokens.add(user, f"Token {number}", "read")
        except TooManyTokens:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(add, range(MAX_TOKENS_PER_USER + 10)))

    assert added.count(True) == len(api_tokens.of(user)) == MAX_TOKENS_PER_USER
    assert api_tokens.revoke(user, api_tokens.of(user)[0].id)
    api_tokens.add(user, "Room again", "read")
    api_tokens.add(accounts.add("bob@example.com", PASSWORD), "Room for others", "read")


def test_one_too_many_is_409(logged_in: FlaskClient, api_tokens: ApiTokens, user: User):
    for number in range(MAX_TOKENS_PER_USER):
        api_tokens.add(user, f"Token {number}", "read")
    answer = logged_in.post("/api/tokens", json={"name": "One more"})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "too_many_tokens")


def test_nobody_sees_or_ends_the_tokens_of_others(app: Flask, logged_in: FlaskClient, accounts: Accounts):
    token = make(logged_in)
    token_id = logged_in.get("/api/tokens").get_json()["tokens"][0]["id"]
    accounts.add("ada@example.com", PASSWORD, role=Role.admin)
    other = app.test_client()
    other.post("/login", data={"username": "ada@example.com", "password": PASSWORD})

    assert other.get("/api/tokens").get_json() == {"tokens": []}
    for answer in (other.delete(f"/api/tokens/{token_id}"), other.post(f"/tokens/{token_id}/revoke")):
        assert answer.status_code == 404
    assert opens(app, token)


@ON_EVERY_DATABASE_IN_FULL
def test_the_last_use_is_noted_seldom_so_that_answers_can_be_given_again(
    accounts: Accounts, api_tokens: ApiTokens, user: User
):
    _, token = api_tokens.add(user, "Deploy job", "write")
    now = datetime.now(UTC)
    with travel(now) as clock:
        admitted = api_tokens.verify(token)
        assert admitted
        assert (admitted.user, admitted.scope) == (accounts.by_id(user.id), TokenScope.write)
        assert api_tokens.of(user)[0].used_at == now
        clock.shift(timedelta(minutes=9))
        assert api_tokens.verify(token)
        assert api_tokens.of(user)[0].used_at == now
        clock.shift(timedelta(minutes=2))
        assert api_tokens.verify(token)
        assert api_tokens.of(user)[0].used_at == now + timedelta(minutes=11)


def test_asking_by_a_token_writes_nothing_for_ten_minutes(accounts: Accounts, api_tokens: ApiTokens, user: User):
    _, token = api_tokens.add(user, "Deploy job", "write")
    with travel(datetime.now(UTC)) as clock:
        api_tokens.verify(token)
        mark = accounts.change_token()
        clock.shift(timedelta(minutes=9, seconds=59))
        assert api_tokens.verify(token)
        assert accounts.change_token() == mark
        clock.shift(timedelta(seconds=1))
        assert api_tokens.verify(token)
        assert accounts.change_token() != mark


@pytest.mark.parametrize("token", ["", "rdt_", "x", "rdt_" + "x" * 5000, "rdt_ä\udc80", "rdt_' OR 1=1 --"])
def test_a_made_up_token_opens_nothing(api_tokens: ApiTokens, token: str):
    assert api_tokens.verify(token) is None


def test_a_hash_is_no_token(app: Flask, logged_in: FlaskClient, accounts: Accounts):
    make(logged_in)
    with accounts.session() as session:
        (row,) = session.query(ApiTokenRow).all()

    assert not opens(app, row.token_hash)
    assert not opens(app, f"rdt_{row.token_hash}")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 1}, "name"),
        ({"scope": "admin"}, "scope"),
        ({"scope": None}, "scope"),
        ({"days": 0}, "days"),
        ({"days": MAX_TOKEN_DAYS + 1}, "days"),
        ({"days": -1}, "days"),
        ({"days": 10**400}, "days"),
        ({"days": "30"}, "days"),
        ({"days": 1.5}, "days"),
        ({"days": True}, "days"),
        ({"user_id": "u1"}, "user_id"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_named(logged_in: FlaskClient, given: dict[str, object], field: str):
    answer = logged_in.post("/api/tokens", json={"name": "Deploy job"} | given)

    assert answer.status_code == 422
    assert [wrong["field"] for wrong in answer.get_json()["error"]["fields"]] == [field]
    assert logged_in.get("/api/tokens").get_json() == {"tokens": []}


@pytest.mark.parametrize("name", ["x", "x" * 60, " Deploy job ", "Überwachung 🚀", "rdt_"])
def test_a_name_is_kept_as_it_was_given_but_for_blanks_around_it(api_tokens: ApiTokens, user: User, name: str):
    assert api_tokens.add(user, name, "read", MAX_TOKEN_DAYS)[0].name == name.strip()
    with pytest.raises(InvalidTokenRequest):
        api_tokens.add(user, f"{name}\0", "read")


def test_accounts_that_do_not_answer_are_503_and_not_401(app: Flask, logged_in: FlaskClient, accounts: Accounts):
    token = make(logged_in)
    with accounts.session() as session:
        session.execute(text("DROP TABLE api_tokens"))

    assert app.test_client().get("/api/auth/me", headers=sends(token)).status_code == 503


def test_another_replica_knows_at_once(
    app: Flask, logged_in: FlaskClient, settings: Settings, user: User, open_accounts: Callable[..., Accounts]
):
    token = make(logged_in)
    other = ApiTokens(open_accounts(settings.accounts_url).session)
    assert other.verify(token)
    assert other.revoke(user, other.of(user)[0].id)

    assert not opens(app, token)
