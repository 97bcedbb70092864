"""Tokens for scripts: how to get one, what it opens, and every 401."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.auth.access_tokens import AccessTokens
from dashboard.auth.accounts import Accounts
from dashboard.auth.login_views import WRONG_CREDENTIALS_MESSAGE
from dashboard.database.models import User
from dashboard.web.services import services

PASSWORD = "correct horse battery"


def test_it_works(client: FlaskClient, user: User):
    answer = client.post("/api/auth/login", data={"username": user.email, "password": PASSWORD})
    given = answer.get_json()

    assert answer.status_code == 200
    assert set(given) == {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    assert (given["token_type"], given["expires_in"]) == ("bearer", 3600)
    me = client.get("/api/auth/me", headers={"Authorization": f"Bearer {given['access_token']}"})
    added = user.created_at.isoformat().replace("+00:00", "Z")
    who = {"id": user.id, "email": "rita@example.com", "name": "Rita", "role": "viewer", "created_at": added}
    assert me.get_json() == who


def test_json_does_as_well(client: FlaskClient, user: User):
    answer = client.post("/api/auth/login", json={"username": user.email, "password": PASSWORD})

    assert answer.status_code == 200


def test_it_starts_no_session(client: FlaskClient, user: User):
    answer = client.post("/api/auth/login", data={"username": user.email, "password": PASSWORD})

    assert "Set-Cookie" not in answer.headers
    assert client.get("/api/auth/me").status_code == 401


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("rita@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("rita", PASSWORD),
        ("rita\0@example.com", PASSWORD),
        ("\ud800@example.com", "\ud800"),
    ],
)
def test_every_refusal_reads_the_same(
    client: FlaskClient, accounts: Accounts, user: User, username: str, password: str
):
    accounts.add("gone@example.com", PASSWORD)
    accounts.disable("gone@example.com")
    answer = client.post("/api/auth/login", json={"username": username, "password": password})
    error = answer.get_json()["error"]

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (error["code"], error["message"]) == ("wrong_credentials", WRONG_CREDENTIALS_MESSAGE)
    assert error["request_id"]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"data": {}}, ["username", "password"]),
        ({"data": {"username": "rita@example.com"}}, ["password"]),
        ({"data": {"password": PASSWORD}}, ["username"]),
        ({"data": {"username": "", "password": PASSWORD}}, ["username"]),
        ({"json": {}}, ["username", "password"]),
        ({"json": {"username": "rita@example.com", "password": None}}, ["password"]),
        ({"json": {"username": "rita@example.com", "password": 12345678901234}}, ["password"]),
        ({"json": {"username": ["rita@example.com"], "password": PASSWORD}}, ["username"]),
        ({"json": []}, ["username", "password"]),
        ({"json": "rita@example.com"}, ["username", "password"]),
        ({"json": None}, ["username", "password"]),
        ({"data": "username=rita", "content_type": "text/plain"}, ["username", "password"]),
    ],
    ids=str,
)
def test_a_missing_field_is_named(client: FlaskClient, body: dict[str, object], missing: list[str]):
    answer = client.post("/api/auth/login", **body)
    error = answer.get_json()["error"]

    assert answer.status_code == 422
    assert error["code"] == "missing_field"
    assert [field["field"] for field in error["fields"]] == missing


def test_json_that_cannot_be_read_is_400(client: FlaskClient):
    answer = client.post("/api/auth/login", data="{", content_type="application/json")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "bad_request")


def test_a_body_that_is_too_large_is_413(client: FlaskClient):
    for body in ({"data": {"username": "x" * 70_000}}, {"json": {"username": "x" * 70_000}}):
        assert client.post("/api/auth/login", **body).status_code == 413


def test_only_post_logs_in(client: FlaskClient):
    answer = client.get("/api/auth/login")

    assert (answer.status_code, set(answer.allow)) == (405, {"OPTIONS", "POST"})
    assert answer.get_json()["error"]["code"] == "method_not_allowed"


def test_a_session_does_for_the_api(logged_in: FlaskClient, user: User):
    assert logged_in.get("/api/auth/me").get_json()["id"] == user.id


def test_who_is_not_in_is_told_how_to_be(client: FlaskClient):
    answer = client.get("/api/auth/me")

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.get_json()["error"]["code"] == "not_logged_in"


def test_unknown_addresses_tell_nothing_to_who_is_not_in(client: FlaskClient, bearer: dict[str, str]):
    for path in ("/api", "/api/", "/api/nowhere", "/api/releases/"):
        assert client.get(path).status_code == 401
        assert client.get(path).is_json
    assert client.get("/api/nowhere", headers=bearer).status_code == 404


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(client: FlaskClient, bearer: dict[str, str], scheme: str):
    token = bearer["Authorization"].removeprefix("Bearer ")

    assert client.get("/api/auth/me", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "bearer \u00e9", "Bearer null"])
def test_a_token_that_is_none_is_401_even_beside_a_session(client: FlaskClient, logged_in: FlaskClient, header: str):
    for browser in (client, logged_in):
        answer = browser.get("/api/auth/me", headers={"Authorization": header})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
        assert answer.get_json()["error"]["code"] == "invalid_token"


def test_the_token_counts_and_not_the_session_beside_it(app: Flask, logged_in: FlaskClient, accounts: Accounts):
    bob = accounts.add("bob@example.com", PASSWORD)
    token, _ = services(app).tokens.issue(bob)

    assert logged_in.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"}).get_json()["id"] == bob.id


def test_another_scheme_says_nothing(client: FlaskClient, logged_in: FlaskClient):
    basic = {"Authorization": "Basic cml0YTpwdw=="}

    assert logged_in.get("/api/auth/me", headers=basic).status_code == 200
    assert client.get("/api/auth/me", headers=basic).headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_taken_from_the_header_alone(client: FlaskClient, bearer: dict[str, str]):
    token = bearer["Authorization"].removeprefix("Bearer ")
    client.set_cookie("access_token", token)

    assert client.get("/api/auth/me", query_string={"access_token": token}).status_code == 401


def test_a_token_ends(app: Flask, client: FlaskClient, user: User):
    with time_machine.travel("2025-03-01 08:00Z", tick=False) as now:
        token, seconds = services(app).tokens.issue(user)
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/auth/me", headers=headers).status_code == 200
        now.shift(timedelta(seconds=seconds))
        assert client.get("/api/auth/me", headers=headers).status_code == 401


def test_a_token_with_another_key_is_nobody(client: FlaskClient, user: User):
    token, _ = AccessTokens(b"x" * 32, timedelta(hours=1)).issue(user)

    assert client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_new_password_ends_every_token(client: FlaskClient, accounts: Accounts, user: User, bearer: dict[str, str]):
    assert client.get("/api/auth/me", headers=bearer).status_code == 200
    accounts.set_password(user.email, "another long password")

    assert client.get("/api/auth/me", headers=bearer).status_code == 401


def test_disabling_ends_every_token(client: FlaskClient, accounts: Accounts, user: User, bearer: dict[str, str]):
    accounts.disable(user.email)

    assert client.get("/api/auth/me", headers=bearer).status_code == 401


def test_nothing_about_a_login_is_kept_in_a_cache(client: FlaskClient, user: User, bearer: dict[str, str]):
    answers = [
        client.post("/api/auth/login", data={"username": user.email, "password": PASSWORD}),
        client.post("/api/auth/login", data={"username": user.email, "password": "wrong"}),
        client.post("/api/auth/login"),
        client.get("/api/auth/me", headers=bearer),
        client.get("/api/auth/me"),
    ]

    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 5


def test_tokens_and_passwords_are_not_logged(client: FlaskClient, user: User):
    with capture_logs() as logs:
        answer = client.post("/api/auth/login", data={"username": user.email, "password": PASSWORD})
        token = answer.get_json()["access_token"]
        client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}x"})

    assert [entry["event"] for entry in logs] == ["login_succeeded"]
    assert token not in str(logs)
    assert PASSWORD not in str(logs)
