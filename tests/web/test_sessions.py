"""The session: its cookie, what ends it, and where the guard sends who has none."""

import sqlite3
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.accounts.models import User
from dashboard.accounts.store import Accounts
from dashboard.settings import Settings

pytestmark = pytest.mark.web

PASSWORD = "correct horse battery"


def log_in(client: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
    return client.post("/login", data={"username": email, "password": password, **more})


def is_in(client: FlaskClient) -> bool:
    return client.get("/api/auth/me").status_code == 200


def test_the_cookie_is_for_this_site_alone(client: FlaskClient, user: User):
    cookie = log_in(client, user.email).headers["Set-Cookie"]

    assert cookie.startswith("release_dashboard=")
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert "; Path=/" in cookie
    assert "Secure" not in cookie
    assert "Expires" not in cookie


def test_over_https_the_cookie_stays_there(client: FlaskClient, user: User):
    data = {"username": user.email, "password": PASSWORD}

    assert "; Secure" in client.post("/login", data=data, base_url="https://localhost").headers["Set-Cookie"]


def test_the_cookie_says_nothing_of_the_person(app: Flask, client: FlaskClient, user: User):
    log_in(client, user.email)
    with client.session_transaction() as session:
        assert user.email not in str(dict(session))


def test_a_session_from_before_the_login_does_not_live_on(app: Flask, client: FlaskClient, user: User):
    with client.session_transaction() as session:
        session["planted"] = "x"
    log_in(client, user.email)
    with client.session_transaction() as session:
        assert "planted" not in session


def test_another_user_takes_the_session_over(logged_in: FlaskClient, accounts: Accounts):
    accounts.add("bob@example.com", PASSWORD)
    log_in(logged_in, "bob@example.com")

    assert logged_in.get("/api/auth/me").get_json()["email"] == "bob@example.com"


def test_logout_ends_the_session(logged_in: FlaskClient):
    answer = logged_in.post("/logout")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert logged_in.get_cookie("release_dashboard") is None
    assert not is_in(logged_in)


def test_logout_is_harmless_for_who_is_not_in(client: FlaskClient):
    assert client.post("/logout").location == "/login"


def test_a_link_cannot_log_anybody_out(client: FlaskClient, logged_in: FlaskClient):
    for browser in (client, logged_in):
        answer = browser.get("/logout")
        assert (answer.status_code, set(answer.allow)) == (405, {"OPTIONS", "POST"})
    assert is_in(logged_in)


def test_the_header_says_who_is_in_and_offers_the_way_out(logged_in: FlaskClient):
    page = BeautifulSoup(logged_in.get("/nowhere").text, "html.parser")

    assert "Rita" in page.select_one("header").text
    assert page.select_one('header form[action="/logout"]')["method"] == "post"


def test_a_new_password_ends_every_session(logged_in: FlaskClient, accounts: Accounts, user: User):
    accounts.set_password(user.email, "another long password")

    assert not is_in(logged_in)
    assert logged_in.get("/releases").location == "/login?next=/releases"


def test_disabling_ends_every_session(logged_in: FlaskClient, accounts: Accounts, user: User):
    accounts.disable(user.email)

    assert not is_in(logged_in)


def test_a_session_of_the_right_epoch_does_not_let_a_disabled_user_in(
    client: FlaskClient, accounts: Accounts, user: User
):
    disabled = accounts.disable(user.email)
    with client.session_transaction() as session:
        session["_user_id"] = f"{user.id}.{disabled.epoch}"

    assert not is_in(client)


def test_a_laptop_may_change_its_network_and_its_browsers_version(logged_in: FlaskClient):
    answer = logged_in.get("/api/auth/me", headers={"User-Agent": "another/2", "X-Forwarded-For": "192.0.2.7"})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_renewed_account_of_the_same_address_is_another_user(
    logged_in: FlaskClient, accounts: Accounts, settings: Settings, user: User
):
    with sqlite3.connect(settings.data_dir / "accounts.db") as connection:
        connection.execute("DELETE FROM users")
    connection.close()
    accounts.add(user.email, PASSWORD)

    assert not is_in(logged_in)


def test_a_session_ends_after_twelve_hours(app: Flask, user: User):
    with time_machine.travel("2025-03-01 08:00Z", tick=False) as now:
        browser = app.test_client()
        log_in(browser, user.email)
        now.shift(timedelta(hours=12))
        assert is_in(browser)
        now.shift(timedelta(seconds=1))
        assert not is_in(browser)


@pytest.mark.parametrize("cookie", ["", "x", "eyJfdXNlcl9pZCI6IjEuMCJ9.Z8L8wA.forged", "é", "." * 4000])
def test_a_cookie_that_we_did_not_sign_is_nobody(client: FlaskClient, user: User, cookie: str):
    client.set_cookie("release_dashboard", cookie)

    assert not is_in(client)


@pytest.mark.parametrize("kept", ["", ".", "u1", "u1.0", "{id}", "{id}.", "{id}.1", "{id}.x", "{id}.0.0", ".0"])
def test_a_session_that_fits_no_user_is_nobody(client: FlaskClient, user: User, kept: str):
    with client.session_transaction() as session:
        session["_user_id"] = kept.format(id=user.id)

    assert not is_in(client)


def test_pages_send_who_is_not_in_to_the_login_and_back(client: FlaskClient):
    answer = client.get("/releases?page=2&page_size=5")
    where = urlsplit(answer.location)

    assert (answer.status_code, where.path) == (302, "/login")
    assert parse_qs(where.query) == {"next": ["/releases?page=2&page_size=5"]}


def test_what_cannot_be_asked_again_does_not_come_back(client: FlaskClient):
    answer = client.post("/releases")

    assert (answer.status_code, answer.location) == (302, "/login")


def test_unknown_addresses_tell_nothing_to_who_is_not_in(client: FlaskClient, logged_in: FlaskClient):
    assert client.get("/nowhere").location == "/login?next=/nowhere"
    assert logged_in.get("/nowhere").status_code == 404


@pytest.mark.parametrize(
    ("current", "redirect"),
    [
        ("http://localhost/releases?page=2", "/login?next=/releases?page%3D2"),
        ("http://localhost/releases/release:a~2Fb", "/login?next=/releases/release:a~2Fb"),
        ("https://example.org/releases", "/login"),
        ("http://localhost//example.org", "/login?next=/"),
        ("http://[", "/login"),
        ("javascript:alert(1)", "/login"),
        ("", "/login"),
    ],
)
def test_htmx_is_sent_to_the_login_and_back_to_the_whole_page(client: FlaskClient, current: str, redirect: str):
    answer = client.get("/releases/release:x", headers={"HX-Request": "true", "HX-Current-URL": current})

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, redirect)
    assert "Location" not in answer.headers


def test_htmx_without_its_current_address_is_sent_to_the_login(client: FlaskClient):
    answer = client.get("/releases", headers={"HX-Request": "true"})

    assert answer.headers["HX-Redirect"] == "/login"


def test_a_token_opens_no_pages(client: FlaskClient, bearer: dict[str, str]):
    assert client.get("/nowhere", headers=bearer).status_code == 302
