"""The login page: who gets in, where it leads, and what everybody else is told."""

import sqlite3

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard.auth.accounts import Accounts
from dashboard.auth.login_views import WRONG_CREDENTIALS_MESSAGE
from dashboard.database.models import User
from dashboard.settings.model import Settings

PASSWORD = "correct horse battery"


def log_in(client: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
    return client.post("/login", data={"username": email, "password": password, **more})


def is_in(client: FlaskClient) -> bool:
    return client.get("/api/auth/me").status_code == 200


def test_it_works(client: FlaskClient, user: User):
    answer = log_in(client, user.email, next="/releases?page=2")

    assert (answer.status_code, answer.location) == (303, "/releases?page=2")
    assert is_in(client)


def test_the_form_is_one_that_browsers_and_password_stores_understand(client: FlaskClient):
    answer = client.get("/login?next=/releases?page%3D2")
    form = BeautifulSoup(answer.text, "html.parser").select_one("main form")

    assert answer.status_code == 200
    assert (form["method"], form["action"]) == ("post", "/login")
    fields = {field["name"]: field for field in form.select("input")}
    assert fields["next"]["value"] == "/releases?page=2"
    assert (fields["username"]["type"], fields["username"]["autocomplete"]) == ("email", "username")
    assert (fields["password"]["type"], fields["password"]["autocomplete"]) == ("password", "current-password")
    assert {label["for"] for label in form.select("label")} == {"username", "password", "keep"}
    assert not BeautifulSoup(answer.text, "html.parser").select('[role="alert"]')


def test_without_next_it_leads_to_the_start(client: FlaskClient, user: User):
    assert log_in(client, user.email).location == "/"


@pytest.mark.parametrize(
    "target", ["https://example.org", "//example.org", "/\\example.org", "/login", "/releases\r\nX: y"]
)
def test_it_leads_to_no_other_site(client: FlaskClient, user: User, target: str):
    form = BeautifulSoup(client.get("/login", query_string={"next": target}).text, "html.parser")

    assert form.select_one("input[name=next]")["value"] == "/"
    assert log_in(client, user.email, next=target).location == "/"
    assert client.get("/login", query_string={"next": target}).location == "/"


def test_an_id_with_awkward_characters_is_where_it_leads(client: FlaskClient, user: User):
    asked = "/releases/release:a%3Fb%25c%23d~2F%C3%A9/hierarchy?open=app%3Aa%26b"
    form = BeautifulSoup(client.get(client.get(asked).location).text, "html.parser")
    target = form.select_one("input[name=next]")["value"]

    assert target == asked
    assert log_in(client, user.email, next=target).location == asked


def test_who_is_in_already_goes_on(logged_in: FlaskClient):
    answer = logged_in.get("/login?next=/releases")

    assert (answer.status_code, answer.location) == (302, "/releases")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("rita@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("rita", PASSWORD),
        ("rita@example.com", ""),
        ("", ""),
    ],
)
def test_every_refusal_reads_the_same(
    client: FlaskClient, accounts: Accounts, user: User, username: str, password: str
):
    accounts.add("gone@example.com", PASSWORD)
    accounts.disable("gone@example.com")
    answer = log_in(client, username, password, next="/releases?page=2")
    page = BeautifulSoup(answer.text, "html.parser")

    assert answer.status_code == 401
    assert page.select_one('[role="alert"]').text == WRONG_CREDENTIALS_MESSAGE
    assert page.select_one("input[name=username]")["value"] == username
    assert page.select_one("input[name=next]")["value"] == "/releases?page=2"
    assert not page.select_one("input[name=password]").get("value")
    assert not is_in(client)


def test_the_wish_to_be_kept_signed_in_stands_in_the_form_again_after_an_error(client: FlaskClient, user: User):
    for wish in ({}, {"keep": "on"}):
        form = BeautifulSoup(log_in(client, user.email, "wrong", **wish).text, "html.parser")
        assert form.select_one("input[name=keep]").has_attr("checked") == bool(wish)


def test_the_error_has_the_focus(client: FlaskClient):
    page = BeautifulSoup(log_in(client, "rita@example.com").text, "html.parser")

    assert [element["id"] for element in page.select("[autofocus]")] == ["login-error"]
    assert page.select_one("main form")["aria-describedby"] == "login-error"


def test_a_form_without_its_fields_is_a_wrong_login(client: FlaskClient):
    assert client.post("/login").status_code == 401


def test_what_was_typed_is_shown_as_text(client: FlaskClient):
    answer = log_in(client, '"><script>alert(1)</script>')

    assert "<script>alert" not in answer.text


def test_the_address_may_be_typed_in_any_case(client: FlaskClient, user: User):
    assert log_in(client, f"  {user.email.upper()} ").status_code == 303


def test_nothing_about_a_login_is_kept_in_a_cache(client: FlaskClient, user: User):
    for answer in (client.get("/login"), log_in(client, user.email, "wrong"), log_in(client, user.email)):
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.post("/logout").headers["Cache-Control"] == "no-store"


def test_logins_are_logged_without_passwords(client: FlaskClient, user: User):
    with capture_logs() as logs:
        log_in(client, user.email)
        log_in(client, user.email, "wrong horse battery")
        log_in(client, "a\r\nlogin_succeeded\x1b[31m@example.com" + "x" * 200, "wrong horse battery")
        log_in(client, "typed my password here", "wrong horse battery")
        client.post("/logout")

    assert [entry["event"] for entry in logs] == ["login_succeeded", *["login_failed"] * 3, "logout"]
    assert logs[0]["user_id"] == logs[4]["user_id"] == user.id
    assert [entry.get("subject") for entry in logs[1:4]] == [
        user.email,
        "(no user)",
        "(no user)",
    ]
    assert "horse" not in str(logs)
    assert "typed" not in str(logs)


def test_accounts_that_cannot_be_read_are_503_and_the_login_page_stays(
    logged_in: FlaskClient, client: FlaskClient, settings: Settings, user: User
):
    with sqlite3.connect(settings.data_dir / "accounts.db") as connection:
        connection.execute("DROP TABLE users")
    connection.close()

    with capture_logs() as logs:
        for answer in (logged_in.get("/releases"), log_in(client, user.email), logged_in.get("/api/releases")):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "The accounts database is unavailable." in answer.text
    assert client.get("/login").status_code == logged_in.get("/login").status_code == 200
    assert {entry["event"] for entry in logs} == {"accounts_unavailable"}
