"""The page of one's own profile, whose forms work without JavaScript."""

from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import ApiTokens
from dashboard.database.models import User
from dashboard.web.services import services

PASSWORD = "correct horse battery"
NEW = "staple and another horse"


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def change(browser: FlaskClient, current: str = PASSWORD, new: str = NEW, again: str | None = None):
    """Send the form of the password as the page has it."""
    form = soup(browser.get("/profile").text).select_one("form[action='/profile/password']")
    fields = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}
    assert {"current", "new", "again"} <= set(fields)
    return browser.post(str(form["action"]), data=fields | {"current": current, "new": new, "again": again or new})


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/api/auth/me").status_code == 200


def another(app: Flask, user: User, password: str = PASSWORD, **headers: str) -> FlaskClient:
    """Another browser in which the user has logged in."""
    browser = app.test_client()
    answer = browser.post("/login", data={"username": user.email, "password": password}, headers=headers)
    assert answer.status_code == 303
    return browser


def test_it_works(logged_in: FlaskClient, user: User):
    answer = logged_in.get("/profile")
    page = soup(answer.text)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert user.email in page.select_one(".facts").text
    assert "viewer" in page.select_one(".facts").text
    assert page.select_one("#name")["value"] == "Rita"
    assert page.select_one("#menu a[href='/profile']")["aria-current"] == "page"
    assert page.select_one("link[rel=alternate][type='application/json']")["href"] == "/api/profile"


def test_the_name_is_what_pages_call_the_user_from_now_on(logged_in: FlaskClient):
    with capture_logs() as logs:
        answer = logged_in.post("/profile/name", data={"name": "  Rita <b>Levi</b> "})
        logged_in.post("/profile/name", data={"name": "Rita <b>Levi</b>"})
    page = logged_in.get("/profile").text

    assert (answer.status_code, answer.location) == (303, "/profile")
    assert soup(page).select_one("#menu .who").text == "Rita <b>Levi</b>"
    assert "<b>Levi" not in page
    (said,) = [entry for entry in logs if entry["event"] == "name_changed"]
    assert (said["before"], said["after"]) == ("Rita", "Rita <b>Levi</b>"), "and nothing where it stays"


def test_without_a_name_pages_say_the_address(logged_in: FlaskClient, user: User):
    logged_in.post("/profile/name", data={"name": ""})

    assert soup(logged_in.get("/profile").text).select_one("#menu .who").text == user.email


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "a\x00b"], ids=repr)
def test_a_name_that_cannot_be_one_is_said_beside_the_field(logged_in: FlaskClient, name: str):
    answer = logged_in.post("/profile/name", data={"name": name})

    assert answer.status_code == 422
    field = soup(answer.text).select_one("[aria-invalid=true]")
    assert field["id"] == "name"
    assert "The name must have at most 200 printable characters" in said_of(answer.text, "name")


def said_of(html: str, field: str) -> str:
    """What the page says to be wrong with a field, by what the field itself refers to."""
    page = soup(html)
    described = str(page.select_one(f"#{field}[aria-invalid=true]")["aria-describedby"]).split()
    (wrong,) = [element for element in page.select("[role=alert]") if element["id"] in described]
    return wrong.text


def test_a_new_password_ends_all_that_lets_the_user_in_but_this_browser(
    app: Flask, accounts: Accounts, logged_in: FlaskClient, bearer: dict[str, str], user: User
):
    other, copy = another(app, user), app.test_client()
    copy.set_cookie("release_dashboard", logged_in.get_cookie("release_dashboard").value)
    _, secret = ApiTokens(accounts.session).add(user, "Deploy job", "read")
    with capture_logs() as logs:
        answer = change(logged_in)

    assert answer.status_code == 200
    assert "Password changed" in soup(answer.text).select_one("[role=status].done").text
    assert is_in(logged_in), "this browser goes on"
    assert not is_in(other)
    assert not is_in(copy), "with another secret"
    nobody = app.test_client()
    for token in (bearer["Authorization"], f"Bearer {secret}"):
        assert nobody.get("/api/auth/me", headers={"Authorization": token}).status_code == 401
    assert accounts.authenticate(user.email, PASSWORD) is None
    assert accounts.authenticate(user.email, NEW)
    assert [entry["event"] for entry in logs] == ["password_changed"]
    assert NEW not in str(logs)
    assert NEW not in answer.text
    sessions = soup(logged_in.get("/profile").text).select(".kept li")
    assert len(sessions) == 1
    assert "this browser" in sessions[0].text


def test_who_is_kept_signed_in_stays_so_with_a_new_password(app: Flask, user: User):
    with time_machine.travel("2025-03-01 08:00Z", tick=False) as now:
        browser = app.test_client()
        browser.post("/login", data={"username": user.email, "password": PASSWORD, "keep": "on"})
        assert "Max-Age" in change(browser).headers["Set-Cookie"]
        now.shift(timedelta(days=20))
        assert is_in(browser)


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"current": "wrong horse battery"}, "current", "The current password is wrong"),
        ({"current": ""}, "current", "The current password is wrong"),
        ({"new": "short", "again": "short"}, "new", "12 to 128 characters; this one has 5"),
        ({"new": "x" * 129}, "new", "12 to 128 characters; this one has 129"),
        ({"new": "1234567891011"}, "new", "too common"),
        ({"new": "rita@EXAMPLE.com"}, "new", "based on your e-mail address"),
        ({"new": PASSWORD}, "new", "same as the current one"),
        ({"again": "staple and another house"}, "again", "do not match"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_changes(
    accounts: Accounts, logged_in: FlaskClient, user: User, sent: dict[str, str], field: str, said: str
):
    answer = change(logged_in, **sent)

    assert answer.status_code == 422
    assert said in said_of(answer.text, field)
    assert len(soup(answer.text).select("[aria-invalid=true]")) == 1
    for secret in {PASSWORD, NEW, *sent.values()} - {"", "short"}:
        assert secret not in answer.text
    assert is_in(logged_in)
    assert accounts.authenticate(user.email, PASSWORD)


def test_a_session_alone_does_not_find_the_password_by_trying(app: Flask, logged_in: FlaskClient, user: User):
    with capture_logs() as logs:
        statuses = [change(logged_in, current=f"wrong {number}").status_code for number in range(5)]
        refused = change(logged_in)

    assert statuses == [422] * 5
    assert refused.status_code == 429, "the right one is not taken either"
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert "Try again in" in said_of(refused.text, "current")
    assert is_in(logged_in)
    login = app.test_client().post("/login", data={"username": user.email, "password": PASSWORD})
    assert login.status_code == 429, "they count as logins that failed"
    assert [entry["event"] for entry in logs] == ["login_failed"] * 5 + ["login_throttled"]
    assert "wrong 1" not in str(logs)


def test_logins_that_failed_count_for_it_too(app: Flask, logged_in: FlaskClient, user: User):
    for _ in range(5):
        app.test_client().post("/login", data={"username": user.email, "password": "wrong"})

    assert change(logged_in).status_code == 429


def test_a_password_that_is_refused_by_the_rule_is_no_try(logged_in: FlaskClient):
    for _ in range(6):
        change(logged_in, current="wrong", new="short")

    assert change(logged_in).status_code == 200


def test_sessions_are_listed_and_ended(app: Flask, logged_in: FlaskClient, user: User):
    firefox = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    others = [another(app, user, **firefox), another(app, user), another(app, user)]
    page = soup(logged_in.get("/profile").text)
    rows = [" ".join(row.text.split()) for row in page.select(".kept li")]

    assert len(rows) == 4
    assert sum("this browser" in row for row in rows) == 1
    assert sum("Firefox on Linux" in row and "from 127.0.0.1, last seen" in row for row in rows) == 1
    (form,) = [row.select_one("form") for row in page.select(".kept li") if "Firefox" in row.text]
    with capture_logs() as logs:
        answer = logged_in.post(str(form["action"]))
    assert (answer.status_code, answer.location) == (303, "/profile")
    assert [is_in(browser) for browser in (*others, logged_in)] == [False, True, True, True]
    assert [(entry["event"], entry["device"]) for entry in logs] == [("session_ended", "Firefox on Linux")]

    with capture_logs() as logs:
        logged_in.post("/profile/sessions/end-others")
    assert [is_in(browser) for browser in (*others, logged_in)] == [False, False, False, True]
    assert [(entry["event"], entry["sessions"]) for entry in logs] == [("session_ended", 2)]
    page = soup(logged_in.get("/profile").text)
    assert not page.select(".kept form, form[action$='end-others']"), "there is nothing left to end"


def test_nobody_ends_the_sessions_of_somebody_else(app: Flask, accounts: Accounts, logged_in: FlaskClient):
    bob = accounts.add("bob@example.com", PASSWORD)
    browser = another(app, bob)
    (session,) = services(app).sessions.of(bob)

    for named in (session.public_id, session.id, "0" * 16):
        assert logged_in.post(f"/profile/sessions/{named}/end").status_code == 404
    logged_in.post("/profile/sessions/end-others")
    assert is_in(browser)


def test_addresses_and_pages_do_not_have_the_hash_of_a_secret(app: Flask, logged_in: FlaskClient, user: User):
    (session,) = services(app).sessions.of(user)
    said = logged_in.get("/profile").text + logged_in.get("/api/sessions").text

    assert session.public_id in said
    assert session.id not in said
    assert logged_in.delete(f"/api/sessions/{session.id}").status_code == 404


@pytest.mark.parametrize("path", ["/profile/name", "/profile/password", "/profile/sessions/end-others"])
def test_another_site_changes_nothing(app: Flask, logged_in: FlaskClient, user: User, path: str):
    other = another(app, user)
    sent = {"name": "Theirs", "current": PASSWORD, "new": NEW, "again": NEW}
    answer = logged_in.post(path, data=sent, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert is_in(other)
    assert logged_in.get("/api/profile").get_json()["name"] == "Rita"
