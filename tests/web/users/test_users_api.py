"""Profile, sessions and users for scripts."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import ApiTokens
from dashboard.database.models import Role, User

PASSWORD = "correct horse battery"
NEW = "staple and another horse"
ADA, BOB = "ada@example.com", "bob@example.com"
Headers = dict[str, str]


@pytest.fixture
def ada(accounts: Accounts) -> User:
    return accounts.add(ADA, PASSWORD, name="Ada", role=Role.admin)


@pytest.fixture
def bob(accounts: Accounts) -> User:
    return accounts.add(BOB, PASSWORD, name="Bob")


def pair_of(app: Flask, email: str) -> dict[str, str]:
    return app.test_client().post("/api/auth/login", json={"username": email, "password": PASSWORD}).get_json()


def bearer_of(app: Flask, email: str) -> Headers:
    return {"Authorization": f"Bearer {pair_of(app, email)['access_token']}"}


def log_in(app: Flask, email: str) -> FlaskClient:
    browser = app.test_client()
    assert browser.post("/login", data={"username": email, "password": PASSWORD}).status_code == 303
    return browser


def personal(accounts: Accounts, user: User, scope: str) -> Headers:
    return {"Authorization": f"Bearer {ApiTokens(accounts.session).add(user, scope, scope)[1]}"}


@pytest.fixture
def admin(app: Flask, ada: User) -> Headers:
    return bearer_of(app, ada.email)


@pytest.fixture
def own(app: Flask, bob: User) -> Headers:
    return bearer_of(app, bob.email)


def error(answer: Any) -> dict[str, Any]:
    return answer.get_json()["error"]


def test_the_profile_is_read_and_its_name_changed(client: FlaskClient, own: Headers, bob: User):
    answer = client.get("/api/profile", headers=own)
    assert {name: answer.get_json()[name] for name in ("id", "email", "name", "role")} == {
        "id": bob.id,
        "email": BOB,
        "name": "Bob",
        "role": "viewer",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    for name in ("Robert", None):
        assert client.patch("/api/profile", headers=own, json={"name": name}).get_json()["name"] == name
        assert client.get("/api/profile", headers=own).get_json()["name"] == name


@pytest.mark.parametrize(
    "sent", [{}, {"name": 5}, {"name": "x" * 201}, {"name": "a\nb"}, {"role": "admin"}, {"name": "A", "role": "admin"}]
)
def test_nothing_of_the_profile_becomes_what_it_cannot_be(client: FlaskClient, own: Headers, sent: dict[str, Any]):
    answer = client.patch("/api/profile", headers=own, json=sent)

    assert (answer.status_code, error(answer)["code"]) == (422, "invalid_field")
    assert error(answer)["fields"]
    assert client.get("/api/profile", headers=own).get_json()["name"] == "Bob"


def test_a_new_password_ends_every_token(client: FlaskClient, app: Flask, accounts: Accounts, bob: User):
    pair, key = pair_of(app, BOB), personal(accounts, bob, "write")
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    browser = log_in(app, BOB)
    answer = client.put("/api/profile/password", headers=bearer, json={"current": PASSWORD, "new": NEW})

    assert (answer.status_code, answer.data) == (204, b"")
    assert "Set-Cookie" not in answer.headers
    for headers in (bearer, key):
        assert client.get("/api/profile", headers=headers).status_code == 401
    assert client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]}).status_code == 401
    assert browser.get("/api/profile").status_code == 401
    assert accounts.authenticate(BOB, NEW)


def test_a_browser_that_changes_the_password_by_it_goes_on(app: Flask, bob: User):
    browser, other = log_in(app, BOB), log_in(app, BOB)
    assert browser.put("/api/profile/password", json={"current": PASSWORD, "new": NEW}).status_code == 204

    assert [each.get("/api/profile").status_code for each in (browser, other)] == [200, 401]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"current": "wrong", "new": NEW}, "current"),
        ({"current": PASSWORD, "new": PASSWORD}, "new"),
        ({"current": PASSWORD, "new": "1234567891011"}, "new"),
        ({"current": PASSWORD, "new": "short"}, "new"),
        ({"current": PASSWORD, "new": "bob.bob@example"}, "new"),
        ({"current": PASSWORD}, "new"),
    ],
    ids=str,
)
def test_a_password_that_cannot_be_is_refused_by_its_field(
    client: FlaskClient, accounts: Accounts, own: Headers, sent: dict[str, str], field: str
):
    answer = client.put("/api/profile/password", headers=own, json=sent)

    assert (answer.status_code, error(answer)["code"]) == (422, "invalid_field")
    assert [wrong["field"] for wrong in error(answer)["fields"]] == [field]
    assert NEW not in answer.text
    assert accounts.authenticate(BOB, PASSWORD)


def test_the_present_password_is_not_found_by_trying(client: FlaskClient, own: Headers):
    for number in range(5):
        client.put("/api/profile/password", headers=own, json={"current": f"wrong {number}", "new": NEW})
    answer = client.put("/api/profile/password", headers=own, json={"current": PASSWORD, "new": NEW})

    assert (answer.status_code, error(answer)["code"]) == (429, "too_many_logins")
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert client.get("/api/profile", headers=own).status_code == 200


def test_sessions_are_listed_and_ended(client: FlaskClient, app: Flask, own: Headers, bob: User):
    browsers = [log_in(app, BOB) for _ in range(3)]
    listed = browsers[0].get("/api/sessions").get_json()["sessions"]
    assert [session["current"] for session in listed].count(True) == 1
    assert not any(one["current"] for one in client.get("/api/sessions", headers=own).get_json()["sessions"])
    other = next(one["id"] for one in listed if not one["current"])
    assert browsers[0].delete(f"/api/sessions/{other}").status_code == 204
    assert error(browsers[0].delete(f"/api/sessions/{other}"))["code"] == "session_not_found"
    assert sorted(browser.get("/api/profile").status_code for browser in browsers) == [200, 200, 401]
    assert browsers[0].delete("/api/sessions").status_code == 204
    assert [browser.get("/api/profile").status_code for browser in browsers] == [200, 401, 401]
    assert client.get("/api/profile", headers=own).status_code == 200, "tokens stay"
    assert client.delete("/api/sessions", headers=own).status_code == 204
    assert browsers[0].get("/api/profile").status_code == 401, "a token has no session to leave"


ADMINS = [
    ("GET", "/api/users", None),
    ("POST", "/api/users", {"email": "new@example.com"}),
    ("GET", "/api/users/{bob}", None),
    ("PATCH", "/api/users/{bob}", {"role": "admin"}),
    ("POST", "/api/users/{bob}/password", {}),
    ("DELETE", "/api/users/{bob}/sessions", None),
]
OWN_CHANGES = [
    ("PUT", "/api/profile/password", {"current": PASSWORD, "new": NEW}),
    ("DELETE", "/api/sessions", None),
    ("DELETE", "/api/sessions/0123456789abcdef", None),
]


@pytest.mark.parametrize("role", [Role.viewer, Role.operator])
def test_users_are_for_admins_alone(client: FlaskClient, app: Flask, accounts: Accounts, bob: User, role: Role):
    accounts.set_role(BOB, role)
    own = bearer_of(app, BOB)
    for method, path, sent in ADMINS:
        answer = client.open(path.format(bob=bob.id), method=method, json=sent, headers=own)
        assert (answer.status_code, error(answer)["code"]) == (403, "admin_needed"), path
    assert [(user.email, user.role) for user in accounts.all()] == [(BOB, role)]


def test_no_copied_token_changes_users_passwords_or_sessions(
    client: FlaskClient, app: Flask, accounts: Accounts, ada: User, bob: User
):
    pair = pair_of(app, ADA)
    renewed = client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]}).get_json()
    tokens = [personal(accounts, ada, "write"), {"Authorization": f"Bearer {renewed['access_token']}"}]
    changes = [asked for asked in (*ADMINS, *OWN_CHANGES) if asked[0] != "GET"]
    browser = log_in(app, BOB)
    for headers in tokens:
        for method, path, sent in changes:
            answer = client.open(path.format(bob=bob.id), method=method, json=sent, headers=headers)
            assert (answer.status_code, error(answer)["code"]) == (403, "password_needed"), path
        assert client.get("/api/users", headers=headers).status_code == 200
        assert client.get("/api/sessions", headers=headers).status_code == 200
    assert accounts.all() == [ada, bob]
    assert browser.get("/api/profile").status_code == 200


def test_a_token_to_read_changes_nothing(client: FlaskClient, accounts: Accounts, ada: User, bob: User):
    headers = personal(accounts, ada, "read")
    changes = [
        asked for asked in (*ADMINS, *OWN_CHANGES, ("PATCH", "/api/profile", {"name": "x"})) if asked[0] != "GET"
    ]
    for method, path, sent in changes:
        answer = client.open(path.format(bob=bob.id), method=method, json=sent, headers=headers)
        assert (answer.status_code, error(answer)["code"]) == (403, "read_only_token"), path
    assert accounts.all() == [ada, bob]


def test_a_user_is_added_changed_and_disabled(client: FlaskClient, accounts: Accounts, admin: Headers):
    sent = {"email": "Bob@example.com", "name": "Bob", "role": "operator"}
    answer = client.post("/api/users", headers=admin, json=sent)
    made = answer.get_json()

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert (made["email"], made["role"], made["disabled"], made["seen_at"]) == (BOB, "operator", False, None)
    assert accounts.authenticate(BOB, made["password"])
    address = f"/api/users/{made['id']}"
    assert made["password"] not in client.get(address, headers=admin).text
    changed = client.patch(address, headers=admin, json={"role": "viewer", "version": made["version"]}).get_json()
    assert (changed["role"], changed["name"]) == ("viewer", "Bob"), "what is left out stays"
    assert client.patch(address, headers=admin, json={"name": None}).get_json()["name"] is None
    disabled = client.patch(address, headers=admin, json={"disabled": True}).get_json()
    assert (disabled["disabled"], accounts.authenticate(BOB, made["password"])) == (True, None)
    assert client.patch(address, headers=admin, json={"disabled": False}).get_json()["disabled"] is False
    assert accounts.authenticate(BOB, made["password"])
    assert client.patch(address, headers=admin, json={}).status_code == 200


def test_a_password_that_is_given_is_not_told(client: FlaskClient, accounts: Accounts, admin: Headers):
    made = client.post("/api/users", headers=admin, json={"email": BOB, "password": PASSWORD})
    assert (made.get_json()["password"], PASSWORD in made.text) == (None, False)
    again = client.post(f"/api/users/{made.get_json()['id']}/password", headers=admin, json={"password": NEW})

    assert (again.get_json()["password"], NEW in again.text) == (None, False)
    assert accounts.authenticate(BOB, NEW)


def test_a_reset_and_an_end_let_nobody_in_any_more(
    client: FlaskClient, app: Flask, accounts: Accounts, admin: Headers, bob: User
):
    def ways_in() -> list[Headers]:
        return [bearer_of(app, BOB), personal(accounts, accounts.known(BOB), "read")]

    browser, ways = log_in(app, BOB), ways_in()
    with capture_logs() as logs:
        assert client.delete(f"/api/users/{bob.id}/sessions", headers=admin).status_code == 204
    for headers in ways:
        assert client.get("/api/profile", headers=headers).status_code == 401
    assert browser.get("/api/profile").status_code == 401
    ways = ways_in()
    with capture_logs() as more:
        answer = client.post(f"/api/users/{bob.id}/password", headers=admin, json={})
    for headers in ways:
        assert client.get("/api/profile", headers=headers).status_code == 401
    password = answer.get_json()["password"]
    assert accounts.authenticate(BOB, password)
    assert [entry["event"] for entry in logs + more] == ["session_ended", "password_reset"]
    assert password not in str(more)


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"email": "bob"}, 422, "email"),
        ({"email": ADA}, 409, "email"),
        ({"email": BOB, "name": "a\nb"}, 422, "name"),
        ({"email": BOB, "role": "root"}, 422, "role"),
        ({"email": BOB, "password": "short"}, 422, "password"),
        ({"email": BOB, "name": "Robert Smithers", "password": "roBert.sMithers"}, 422, "password"),
        ({"email": BOB, "password": "1234567891011"}, 422, "password"),
        ({"email": BOB, "admin": True}, 422, "admin"),
        ({}, 422, "email"),
    ],
    ids=str,
)
def test_who_cannot_be_added_is_refused_by_the_field(
    client: FlaskClient, accounts: Accounts, admin: Headers, sent: dict[str, Any], status: int, field: str
):
    answer = client.post("/api/users", headers=admin, json=sent)

    assert answer.status_code == status
    assert [wrong["field"] for wrong in error(answer)["fields"]] == [field]
    assert len(accounts.all()) == 1


def test_what_stands_against_a_change_has_a_code(
    client: FlaskClient, accounts: Accounts, admin: Headers, ada: User, bob: User
):
    def refused(method: str, path: str, sent: dict[str, Any]) -> tuple[int, str]:
        answer = client.open(path, method=method, headers=admin, json=sent)
        return answer.status_code, error(answer)["code"]

    mine, theirs = f"/api/users/{ada.id}", f"/api/users/{bob.id}"
    assert refused("PATCH", mine, {"disabled": True}) == (409, "last_admin")
    assert refused("PATCH", mine, {"role": "viewer"}) == (409, "last_admin")
    assert refused("POST", f"{mine}/password", {}) == (409, "own_password")
    assert refused("PATCH", theirs, {"disabled": True, "version": "0"}) == (409, "user_changed")
    assert refused("POST", f"{theirs}/password", {"version": "0"}) == (409, "user_changed")
    assert refused("POST", f"{theirs}/password", {"password": "bob.bob@example"})[0] == 422
    for method, path, sent in (
        ("PATCH", "/api/users/nobody", {"disabled": True}),
        ("POST", "/api/users/nobody/password", {}),
        ("POST", "/api/users/nobody/password", {"password": NEW}),
        ("DELETE", "/api/users/nobody/sessions", {}),
        ("GET", "/api/users/nobody", {}),
    ):
        assert refused(method, path, sent) == (404, "user_not_found")
    assert accounts.all() == [ada, bob]


def test_the_list_is_paged_and_says_where_the_others_are(client: FlaskClient, admin: Headers, bob: User):
    answer = client.get("/api/users?page_size=1", headers=admin)
    page = answer.get_json()

    assert [user["email"] for user in page["items"]] == [ADA]
    assert (page["total"], page["page"], page["page_size"]) == (2, 1, 1)
    beside = answer.headers["Link"].split(", ")
    assert '</api/users?page_size=1&page=2>; rel="next"' in beside
    assert [link.partition("rel=")[2] for link in beside] == ['"first"', '"next"', '"last"']
    found = client.get("/api/users?q=BOB", headers=admin).get_json()
    assert [user["email"] for user in found["items"]] == [BOB]
    assert found["items"][0]["seen_at"] is None
    again = client.get(
        "/api/users", headers=admin | {"If-None-Match": client.get("/api/users", headers=admin).headers["ETag"]}
    )
    assert again.status_code == 304
    for bound in ("page=1", "page=10000", "page_size=1", "page_size=200", "q=" + "x" * 200):
        assert client.get(f"/api/users?{bound}", headers=admin).status_code == 200
    for beyond in ("page=0", "page=10001", "page_size=0", "page_size=201", "q=" + "x" * 201):
        assert client.get(f"/api/users?{beyond}", headers=admin).status_code == 422
