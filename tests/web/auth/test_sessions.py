"""The session: its cookie, what ends it, and where the guard sends who has none."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.database.models import ApiTokenRow, RefreshTokenRow, Role, User
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.clocks import travel
from tests.support.postgres import ON_EVERY_DATABASE

pytestmark = ON_EVERY_DATABASE

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


def test_over_https_the_cookie_can_come_from_this_host_alone(app: Flask, client: FlaskClient, user: User):
    data = {"username": user.email, "password": PASSWORD}
    cookie = client.post("/login", data=data, base_url="https://localhost").headers["Set-Cookie"]

    assert cookie.startswith("__Host-release_dashboard=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert client.get("/api/auth/me", base_url="https://localhost").status_code == 200
    # Under its plain name, another site of the same domain might have set it.
    other = app.test_client()
    other.set_cookie("release_dashboard", cookie.partition("=")[2].partition(";")[0])
    assert other.get("/api/auth/me", base_url="https://localhost").status_code == 401


def test_the_cookie_is_a_secret_of_which_the_database_has_only_the_hash(logged_in: FlaskClient, settings: Settings):
    secret = secret_of(logged_in)

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert [row[0] for row in rows(settings)] == [sha256(secret.encode()).hexdigest()]
    assert secret not in str(ask(settings, "SELECT * FROM sessions"))


def test_what_the_database_has_opens_nothing(client: FlaskClient, logged_in: FlaskClient, settings: Settings):
    client.set_cookie("release_dashboard", rows(settings)[0][0])

    assert not is_in(client)


def test_every_login_has_an_id_of_its_own_and_ends_the_one_before(app: Flask, client: FlaskClient, user: User):
    client.set_cookie("release_dashboard", "planted")
    log_in(client, user.email)
    first = secret_of(client)
    log_in(client, user.email)
    second = secret_of(client)

    assert len({"planted", first, second}) == 3
    assert [is_in(copy_of(app, secret)) for secret in ("planted", first, second)] == [False, False, True]


def test_another_user_takes_the_session_over(logged_in: FlaskClient, accounts: Accounts):
    accounts.add("bob@example.com", PASSWORD)
    log_in(logged_in, "bob@example.com")

    assert logged_in.get("/api/auth/me").get_json()["email"] == "bob@example.com"


def test_logout_ends_the_session_for_a_copy_of_its_cookie_too(app: Flask, logged_in: FlaskClient, user: User):
    copy, other = copy_of(app, secret_of(logged_in)), app.test_client()
    log_in(other, user.email)
    answer = logged_in.post("/logout")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert logged_in.get_cookie("release_dashboard") is None
    assert not is_in(copy)
    assert copy.get("/releases").location == "/login?next=/releases"
    assert is_in(other)


def test_a_logout_that_cannot_be_written_down_does_not_seem_to_have_happened(
    logged_in: FlaskClient, settings: Settings
):
    change(settings, "ALTER TABLE sessions RENAME TO away")
    assert logged_in.post("/logout").status_code == 503
    change(settings, "ALTER TABLE away RENAME TO sessions")

    assert is_in(logged_in)


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
    logged_in: FlaskClient, settings: Settings, user: User
):
    change(settings, "UPDATE users SET disabled_at = '2025-01-01'")

    assert not is_in(logged_in)


def test_a_session_of_an_earlier_epoch_lets_nobody_in(logged_in: FlaskClient, settings: Settings):
    # As where a login and a change of password meet, and the session is written last.
    change(settings, "UPDATE users SET epoch = epoch + 1")

    assert not is_in(logged_in)


def test_enabling_again_revives_no_session(logged_in: FlaskClient, accounts: Accounts, user: User):
    accounts.disable(user.email)
    accounts.enable(user.email)

    assert not is_in(logged_in)
    assert log_in(logged_in, user.email).status_code == 303


def test_another_role_comes_with_another_login(logged_in: FlaskClient, accounts: Accounts, user: User):
    accounts.set_role(user.email, Role.admin)
    assert not is_in(logged_in)
    log_in(logged_in, user.email)

    assert logged_in.get("/api/auth/me").get_json()["role"] == "admin"


def test_a_laptop_may_change_its_network_and_its_browsers_version(logged_in: FlaskClient):
    answer = logged_in.get("/api/auth/me", headers={"User-Agent": "another/2", "X-Forwarded-For": "192.0.2.7"})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_renewed_account_of_the_same_address_is_another_user(
    logged_in: FlaskClient, accounts: Accounts, settings: Settings, user: User
):
    change(settings, "DELETE FROM users")
    accounts.add(user.email, PASSWORD)

    assert not is_in(logged_in)


def test_a_session_ends_after_an_hour_without_its_user(app: Flask, user: User):
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        log_in(browser, user.email)
        now.shift(timedelta(minutes=59))
        assert is_in(browser)
        now.shift(timedelta(minutes=1))
        assert not is_in(browser)


def test_how_long_a_session_waits_is_a_setting(settings: Settings, accounts: Accounts, user: User):
    app = create_app(settings.model_copy(update={"session_idle_minutes": 5}), accounts=accounts)
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        log_in(browser, user.email)
        for _ in range(3):
            now.shift(timedelta(minutes=4))
            assert browser.get("/login").status_code == 302
        now.shift(timedelta(minutes=5))
        assert not is_in(browser)


def test_a_session_ends_after_twelve_hours_whatever_its_user_does(app: Flask, user: User):
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        log_in(browser, user.email)
        for _ in range(12 * 4 - 1):
            now.shift(timedelta(minutes=15))
            assert browser.get("/login").status_code == 302
        now.shift(timedelta(minutes=15))
        assert not is_in(browser)


POLL = {"HX-Request": "true", "HX-Source": "div#live", "HX-PTag": "x"}
OF_A_HAND = [
    ("GET", "/login", {}),
    ("GET", "/login", {"HX-Request": "true", "HX-Source": "ul#wave-a-rows"}),
    ("GET", "/login", {"HX-Request": "true", "HX-Source": "form"}),
    ("POST", "/stars", {"HX-Request": "true"}),
]
BY_ITSELF = [
    ("GET", "/login", POLL),
    ("GET", "/login", {"HX-Request": "true", "HX-Source": "aside#panel"}),
    ("GET", "/login", {"HX-Request": "true", "HX-Source": "span#release-a-strip"}),
    ("GET", "/login", {"HX-Request": "true"}),
    ("GET", "/api/auth/me", {}),
    ("GET", "/live/releases", {}),
    ("GET", "/kiosk", {}),
    ("GET", "/nowhere", {}),
    ("GET", "/static/css/dashboard.css", {}),
]


@pytest.mark.parametrize(
    ("asked", "lasts"), [*((asked, True) for asked in OF_A_HAND), *((asked, False) for asked in BY_ITSELF)], ids=str
)
def test_what_an_open_page_asks_by_itself_keeps_no_session_alive(
    app: Flask, user: User, asked: tuple[str, str, dict[str, str]], lasts: bool
):
    method, path, headers = asked
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        log_in(browser, user.email)
        now.shift(timedelta(minutes=50))
        form = {"add": "release:a"} if method == "POST" else None
        browser.open(path, method=method, headers=headers, data=form, buffered=True)
        now.shift(timedelta(minutes=50))
        assert is_in(browser) == lasts


def test_only_every_few_minutes_it_is_written_down_who_was_here(app: Flask, settings: Settings, user: User):
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        log_in(browser, user.email)
        first = rows(settings)
        for _ in range(4):
            now.shift(timedelta(minutes=1))
            browser.get("/login")
        assert rows(settings) == first
        now.shift(timedelta(minutes=1))
        browser.get("/login")
        assert rows(settings) != first


def test_sessions_are_listed_and_ended_one_by_one_and_all_together(
    app: Flask, accounts: Accounts, user: User, logged_in: FlaskClient
):
    sessions, bob = services(app).sessions, accounts.add("bob@example.com", PASSWORD)
    others = [app.test_client() for _ in range(3)]
    for browser in others:
        log_in(browser, user.email)
    bobs = app.test_client()
    log_in(bobs, bob.email)
    listed = [session.id for session in sessions.of(user)]
    mine, last = hash_secret(secret_of(logged_in)), hash_secret(secret_of(others[2]))

    assert (len(listed), {mine, last} <= set(listed), len(sessions.of(bob))) == (4, True, 1)
    assert not sessions.end(bob, last), "it is not bob's"
    assert sessions.end(user, last)
    assert not sessions.end(user, last)
    assert [is_in(browser) for browser in others] == [True, True, False]
    assert sessions.end_all(user, but=mine) == 2
    assert [is_in(browser) for browser in (*others, logged_in, bobs)] == [False, False, False, True, True]
    assert [session.id for session in sessions.of(user)] == [mine]
    assert sessions.end_all(user) == 1
    assert sessions.of(user) == []


def test_sessions_that_have_expired_are_swept_away(app: Flask, settings: Settings, user: User):
    sessions = services(app).sessions
    with travel("2025-03-01 08:00Z") as now:
        for _ in range(3):
            log_in(app.test_client(), user.email)
        now.shift(timedelta(hours=1))
        assert sessions.of(user) == []
        log_in(app.test_client(), user.email)
        assert len(rows(settings)) == 1
        now.shift(timedelta(hours=1))
        assert sessions.sweep() == 1
    assert rows(settings) == []


def test_what_ends_sessions_ends_tokens_that_carry_no_epoch(app: Flask, accounts: Accounts, user: User):
    bob = accounts.add("bob@example.com", PASSWORD)
    now = datetime.now(UTC)
    with accounts.session() as session:
        for number, owner in enumerate((user, bob)):
            key = {"user_id": owner.id, "token_hash": str(number), "created_at": now}
            session.add(ApiTokenRow(name="ci", scope="read", **key))
            session.add(RefreshTokenRow(family="f", epoch=0, expires_at=now, **key))
    accounts.set_password(user.email, "another long password")
    with accounts.session() as session:
        for table in (ApiTokenRow, RefreshTokenRow):
            revoked = dict(map(tuple, session.execute(select(table.user_id, table.revoked_at))))
            assert (revoked[user.id] is not None, revoked[bob.id]) == (True, None)


def test_who_wants_to_be_kept_signed_in_is_for_thirty_days_without_a_visit(app: Flask, user: User):
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        cookie = log_in(browser, user.email, keep="on").headers["Set-Cookie"]
        for _ in range(2):
            now.shift(timedelta(days=29))
            assert browser.get("/login").status_code == 302
        now.shift(timedelta(days=30))
        assert not is_in(browser)

    assert "; Max-Age=7776000;" in cookie


def test_nobody_is_kept_signed_in_for_more_than_ninety_days(app: Flask, user: User):
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        log_in(browser, user.email, keep="on")
        secret = secret_of(browser)
        for _ in range(8):
            now.shift(timedelta(days=11))
            assert copy_of(app, secret).get("/login").status_code == 302
        now.shift(timedelta(days=2))
        assert not is_in(copy_of(app, secret))


@pytest.mark.parametrize("cookie", ["", "x", "eyJfdXNlcl9pZCI6IjEuMCJ9.Z8L8wA.forged", "é", "." * 4000, "%00", "\\377"])
def test_a_cookie_that_we_did_not_give_is_nobody(client: FlaskClient, user: User, cookie: str):
    client.set_cookie("release_dashboard", cookie)

    assert not is_in(client)
    assert client.get("/releases").location == "/login?next=/releases"


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
            "Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.6 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
            "Safari/605.1.15",
            "Safari on macOS",
        ),
        ("curl/8.14.1", "curl"),
        ("", "Unknown"),
        ("<script>alert(1)</script>", "Unknown"),
        ("x" * 5000, "x" * 40),
    ],
    ids=range(9),
)
def test_a_session_says_from_which_device_and_address_it_is(
    app: Flask, client: FlaskClient, user: User, agent: str, shown: str
):
    data = {"username": user.email, "password": PASSWORD}
    client.post("/login", data=data, headers={"User-Agent": agent}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    (session,) = services(app).sessions.of(user)

    assert (session.device, session.address) == (shown, "192.0.2.7")


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


def secret_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("release_dashboard")
    assert cookie is not None
    return cookie.value


def copy_of(app: Flask, secret: str) -> FlaskClient:
    """Another browser with a copy of a cookie."""
    browser = app.test_client()
    browser.set_cookie("release_dashboard", secret)
    return browser


def change(settings: Settings, statement: str) -> None:
    ask(settings, statement)


def rows(settings: Settings) -> list[tuple[object, ...]]:
    return ask(settings, "SELECT id_hash, seen_at FROM sessions")


def ask(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(settings.accounts_url)
    with engine.begin() as connection:
        answer = connection.exec_driver_sql(statement)
        found = [tuple(row) for row in answer] if answer.returns_rows else []
    engine.dispose()
    return found
