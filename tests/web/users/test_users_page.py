"""The pages on which admins look after users, whose forms work without JavaScript."""

import re

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard.auth.accounts import Accounts
from dashboard.database.models import Role, User, UserRow

PASSWORD = "correct horse battery"
BOB = "bob@example.com"


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def log_in(app: Flask, email: str, password: str = PASSWORD) -> FlaskClient:
    browser = app.test_client()
    assert browser.post("/login", data={"username": email, "password": password}).status_code == 303
    return browser


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/api/auth/me").status_code == 200


@pytest.fixture
def ada(accounts: Accounts) -> User:
    return accounts.add("ada@example.com", PASSWORD, name="Ada", role=Role.admin)


@pytest.fixture
def admin(app: Flask, ada: User) -> FlaskClient:
    """A browser in which an admin has logged in."""
    return log_in(app, ada.email)


@pytest.fixture
def bob(accounts: Accounts) -> User:
    return accounts.add(BOB, PASSWORD, name="Bob")


def fields(form: Tag) -> dict[str, str]:
    """What a form sends as it stands, but for its button."""
    sent = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}
    for choice in form.select("select"):
        chosen = choice.select_one("option[selected]") or choice.select_one("option")
        sent[str(choice["name"])] = chosen.text
    return sent


def press(browser: FlaskClient, user: User, do: str, **values: str) -> TestResponse:
    """Press a button of a user's page, as the page is now."""
    page = soup(browser.get(f"/users/{user.id}").text)
    (button,) = page.select(f"button[value={do}]")
    form = button.find_parent("form")
    return browser.post(str(form["action"]), data=fields(form) | {"do": do} | values)


def add(browser: FlaskClient, **values: str) -> TestResponse:
    """Send the form to add a user."""
    form = soup(browser.get("/users").text).select_one("form[method=post][action='/users']")
    sent = fields(form)
    assert set(values) <= set(sent)
    return browser.post("/users", data=sent | values)


def rows(html: str) -> list[str]:
    return [" ".join(row.text.split()) for row in soup(html).select(".screens tbody tr")]


def test_it_works(admin: FlaskClient, bob: User):
    answer = admin.get("/users")
    listed = rows(answer.text)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert re.match(r"ada@example\.com Ada role admin last seen \S.* since ", listed[0])
    assert re.match(r"bob@example\.com Bob role viewer not signed in since ", listed[1])
    page = soup(answer.text)
    assert page.select_one("#menu a[href='/users']")["aria-current"] == "page"
    assert page.select_one("link[rel=alternate][type='application/json']")["href"] == "/api/users"
    assert admin.get(f"/users/{bob.id}").status_code == 200


@pytest.mark.parametrize("role", [Role.viewer, Role.operator])
def test_it_is_for_admins_alone(app: Flask, accounts: Accounts, bob: User, role: Role):
    accounts.set_role(BOB, role)
    browser = log_in(app, BOB)

    assert "/users" not in browser.get("/profile").text
    for path in ("/users", f"/users/{bob.id}", "/users/nobody"):
        assert browser.get(path).status_code == 403
    assert browser.post("/users", data={"email": "new@example.com", "role": "admin"}).status_code == 403
    assert browser.post(f"/users/{bob.id}", data={"do": "save", "role": "admin"}).status_code == 403
    assert [(user.email, user.role) for user in accounts.all()] == [(BOB, role)]


def test_a_user_is_added_with_a_password_that_is_shown_once(app: Flask, admin: FlaskClient, accounts: Accounts):
    with capture_logs() as logs:
        answer = add(admin, email="Bob@Example.com", name="Bob", role="operator")
    page = soup(answer.text)
    password = str(page.select_one("input.link")["value"])

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", password)
    assert "User added" in page.select_one(".made").text
    assert is_in(log_in(app, BOB, password))
    bob = accounts.known(BOB)
    assert (bob.name, bob.role) == ("Bob", Role.operator)
    assert password not in admin.get(f"/users/{bob.id}").text
    (said,) = [entry for entry in logs if entry["event"] == "user_added"]
    assert (said["subject"], said["role"]) == (BOB, "operator")
    assert password not in str(logs)


def test_two_passwords_that_are_made_have_nothing_in_common(admin: FlaskClient):
    made = [soup(add(admin, email=f"{name}@example.com").text).select_one("input.link")["value"] for name in "ab"]

    assert made[0] != made[1]


def test_a_user_is_added_with_a_password_that_was_typed(app: Flask, admin: FlaskClient):
    answer = add(admin, email=BOB, password="staple and another horse")

    assert answer.status_code == 201
    assert "with the password that you entered" in answer.text
    assert "staple" not in answer.text
    assert is_in(log_in(app, BOB, "staple and another horse"))


@pytest.mark.parametrize(
    ("values", "status", "field", "said"),
    [
        ({"email": "bob"}, 422, "email", "Enter an e-mail address"),
        ({"email": ""}, 422, "email", "Enter an e-mail address"),
        ({"email": "ADA@example.com"}, 409, "email", "A user ada@example.com already exists"),
        ({"email": BOB, "name": "x" * 201}, 422, "name", "The name must have at most 200 printable characters"),
        ({"email": BOB, "role": "root"}, 422, "role", "The role must be one of viewer, operator, admin"),
        ({"email": BOB, "password": "short"}, 422, "password", "The password must have 12 to 128 characters"),
        ({"email": BOB, "password": "1234567891011"}, 422, "password", "too common"),
        ({"email": BOB, "password": "bob.bob@example"}, 422, "password", "based on your e-mail address"),
    ],
    ids=str,
)
def test_what_cannot_be_added_is_said_beside_its_field(
    admin: FlaskClient, accounts: Accounts, values: dict[str, str], status: int, field: str, said: str
):
    answer = add(admin, **values)
    page = soup(answer.text)

    assert answer.status_code == status
    wrong = page.select_one("[aria-invalid=true]")
    assert wrong["id"] == field
    told = page.select_one(f"#{field}-wrong")
    assert said in told.text
    assert told["id"] in str(wrong["aria-describedby"]).split()
    assert page.select_one("details.add").has_attr("open")
    assert page.select_one("#email")["value"] == values["email"]
    assert [user.email for user in accounts.all()] == ["ada@example.com"]


def test_a_user_is_disabled_and_enabled(app: Flask, admin: FlaskClient, accounts: Accounts, bob: User):
    theirs = log_in(app, BOB)
    with capture_logs() as logs:
        answer = press(admin, bob, "disable")

    assert (answer.status_code, answer.location) == (303, f"/users/{bob.id}")
    assert not is_in(theirs)
    assert accounts.authenticate(BOB, PASSWORD) is None
    assert "disabled" in soup(admin.get(f"/users/{bob.id}").text).select_one(".facts").text
    assert "disabled" in rows(admin.get("/users").text)[1]
    with capture_logs() as more:
        press(admin, bob, "enable")
    assert accounts.authenticate(BOB, PASSWORD)
    assert not is_in(theirs), "enabling revives no session"
    assert [entry["event"] for entry in logs + more] == ["user_disabled", "user_enabled"]


def test_name_and_role_are_changed(app: Flask, admin: FlaskClient, accounts: Accounts, bob: User):
    theirs = log_in(app, BOB)
    with capture_logs() as logs:
        press(admin, bob, "save", name="Robert")
        assert is_in(theirs), "a name ends nothing"
        press(admin, bob, "save", role="operator")
    now = accounts.known(BOB)

    assert (now.name, now.role) == ("Robert", Role.operator)
    assert not is_in(theirs), "another role comes with another login"
    said = [(entry["event"], entry["subject"], entry["before"], entry["after"]) for entry in logs]
    assert said == [("name_changed", BOB, "Bob", "Robert"), ("role_changed", BOB, "viewer", "operator")]


def test_saving_what_is_there_already_changes_and_says_nothing(app: Flask, admin: FlaskClient, bob: User):
    theirs = log_in(app, BOB)
    with capture_logs() as logs:
        press(admin, bob, "save")

    assert logs == []
    assert is_in(theirs)


def test_what_a_user_cannot_be_is_said_beside_its_field(admin: FlaskClient, accounts: Accounts, bob: User):
    for values, field in (({"name": "x" * 201}, "name"), ({"role": "root"}, "role")):
        answer = press(admin, bob, "save", **values)
        assert answer.status_code == 422
        assert soup(answer.text).select_one("[aria-invalid=true]")["id"] == field
    assert admin.post(f"/users/{bob.id}", data={"do": "explode"}).status_code == 422
    assert accounts.known(BOB) == bob


def test_a_password_is_reset_and_shown_once(app: Flask, admin: FlaskClient, accounts: Accounts, bob: User):
    theirs = log_in(app, BOB)
    with capture_logs() as logs:
        answer = press(admin, bob, "reset")
    password = str(soup(answer.text).select_one("input.link")["value"])

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert not is_in(theirs)
    assert accounts.authenticate(BOB, PASSWORD) is None
    assert accounts.authenticate(BOB, password)
    assert password not in admin.get(f"/users/{bob.id}").text
    assert [(entry["event"], entry["subject"]) for entry in logs] == [("password_reset", BOB)]
    assert password not in str(logs)


def test_nobody_resets_their_own_password_without_the_present_one(admin: FlaskClient, accounts: Accounts, ada: User):
    assert not soup(admin.get(f"/users/{ada.id}").text).select("button[value=reset]")
    answer = admin.post(f"/users/{ada.id}", data={"do": "reset"})

    assert answer.status_code == 409
    assert "on your profile" in soup(answer.text).select_one(".notice[role=alert]").text
    assert accounts.authenticate(ada.email, PASSWORD)


def test_all_sessions_of_a_user_are_ended(app: Flask, admin: FlaskClient, bob: User):
    theirs = [log_in(app, BOB), log_in(app, BOB)]
    with capture_logs() as logs:
        press(admin, bob, "end")

    assert [is_in(browser) for browser in theirs] == [False, False]
    assert is_in(log_in(app, BOB))
    assert [(entry["event"], entry["subject"]) for entry in logs] == [("session_ended", BOB)]


@pytest.mark.parametrize(("do", "values"), [("disable", {}), ("save", {"role": "viewer"})], ids=["disabled", "demoted"])
def test_the_last_admin_stays_one(
    app: Flask, admin: FlaskClient, accounts: Accounts, ada: User, do: str, values: dict[str, str]
):
    # One who is disabled does not count.
    accounts.add("ina@example.com", PASSWORD, role=Role.admin)
    accounts.disable("ina@example.com")
    with capture_logs() as logs:
        answer = press(admin, ada, do, **values)

    assert answer.status_code == 409
    assert "ada@example.com is the last active admin" in soup(answer.text).select_one("[role=alert]").text
    assert is_in(admin)
    assert accounts.known(ada.email) == ada
    assert logs == []
    accounts.enable("ina@example.com")
    assert press(admin, ada, do, **values).status_code == 303
    assert not is_in(admin)


def test_what_somebody_else_has_changed_meanwhile_is_not_changed(
    admin: FlaskClient, accounts: Accounts, ada: User, bob: User
):
    form = fields(soup(admin.get(f"/users/{bob.id}").text).select_one("form:has(button[value=save])"))
    accounts.set_role(BOB, Role.operator)
    for do in ("save", "disable", "end", "reset"):
        answer = admin.post(f"/users/{bob.id}", data=form | {"do": do})
        assert answer.status_code == 409
        assert "has been changed by another admin" in soup(answer.text).select_one("[role=alert]").text
    assert accounts.known(BOB).role is Role.operator
    assert accounts.authenticate(BOB, PASSWORD)
    assert soup(answer.text).select_one("#role option[selected]").text == "operator", "the page shows what is now"


def test_a_user_who_is_not_there_is_said_to_be_gone(admin: FlaskClient):
    assert admin.get("/users/nobody").status_code == 404
    for do in ("save", "disable", "enable", "end", "reset"):
        answer = admin.post("/users/nobody", data={"do": do, "name": "x", "role": "viewer"})
        assert (answer.status_code, "User not found" in answer.text) == (404, True)


def test_an_admin_who_is_none_any_more_finds_every_door_shut(admin: FlaskClient, accounts: Accounts, bob: User):
    accounts.add("ina@example.com", PASSWORD, role=Role.admin)
    accounts.set_role("ada@example.com", Role.viewer)

    assert admin.post(f"/users/{bob.id}", data={"do": "disable"}).location == "/login"
    assert accounts.known(BOB).enabled


def test_a_thousand_users_are_found_by_text_and_by_page(admin: FlaskClient, accounts: Accounts):
    made = [
        {"email": f"user{number:04}@example.com", "name": f"Number {number}", "role": Role.viewer, "password_hash": "x"}
        for number in range(1000)
    ]
    with accounts.session() as session:
        session.execute(insert(UserRow), made)
    first = admin.get("/users")

    assert len(rows(first.text)) == 50
    assert "1 to 50 of 1,001" in first.text
    after = soup(first.text).select_one("a[rel=next]")["href"]
    assert rows(admin.get(str(after)).text)[0].startswith("user0049@example.com")
    assert "1,001 to 1,001 of 1,001" in admin.get("/users?page=21").text
    assert "No users on this page" in admin.get("/users?page=22").text
    assert [row.split()[0] for row in rows(admin.get("/users?q=NUMBER+77").text)] == [
        f"user{number:04}@example.com" for number in (77, *range(770, 780))
    ]
    assert len(rows(admin.get("/users?q=user000").text)) == 10
    for text in ("%", "_", "\\", "nobody"):
        assert "No results" in admin.get("/users", query_string={"q": text}).text
    assert admin.get("/users?page=0").status_code == 422
    assert len(first.data) < 60_000


def test_another_site_changes_nothing(admin: FlaskClient, accounts: Accounts, bob: User):
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    for path, sent in (("/users", {"email": "new@example.com", "role": "admin"}), (f"/users/{bob.id}", {"do": "end"})):
        assert admin.post(path, data=sent, headers=elsewhere).status_code == 403
    assert len(accounts.all()) == 2
    assert accounts.known(BOB) == bob


def test_what_is_shown_is_text(admin: FlaskClient, accounts: Accounts):
    eve = accounts.add("<i>@example.com", PASSWORD, name="<img src=x>")

    for path in ("/users", f"/users/{eve.id}", "/users?q=<script>"):
        assert not re.search("<img|<i>|<script>", admin.get(path).text)
