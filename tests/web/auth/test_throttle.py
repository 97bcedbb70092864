"""Failed logins: after how many nobody may try any more, for how long, and who is not concerned."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.known_devices import DEVICE_COOKIE_NAME, known_device
from dashboard.auth.throttle import (
    MAX_FAILURES_PER_SITE,
    MAX_STRANGER_FAILURES,
    MAX_STRANGER_FAILURES_PER_USER,
    LoginThrottle,
    TooManyLoginFailures,
)
from dashboard.database.models import User
from dashboard.settings.model import Settings
from tests.support.clocks import travel
from tests.support.postgres import ON_EVERY_DATABASE

pytestmark = ON_EVERY_DATABASE

PASSWORD = "correct horse battery"


@pytest.fixture
def throttle(accounts: Accounts) -> LoginThrottle:
    return LoginThrottle(accounts)


def log_in(
    client: FlaskClient, email: str, password: str, address: str = "192.0.2.1", path: str = "/login", **headers: str
) -> TestResponse:
    data = {"username": email, "password": password}
    return client.post(path, data=data, headers=headers, environ_base={"REMOTE_ADDR": address})


def fail(throttle: LoginThrottle, count: int, email: str = "rita@example.com", address: str = "192.0.2.1") -> None:
    for _ in range(count):
        throttle.admit(email, address)


def is_admitted(throttle: LoginThrottle, email: str = "rita@example.com", address: str = "192.0.2.1") -> bool:
    try:
        throttle.forgive(throttle.admit(email, address))
    except TooManyLoginFailures:
        return False
    return True


def test_after_five_failures_the_right_password_is_refused_too(client: FlaskClient, user: User):
    statuses = [log_in(client, user.email, "wrong").status_code for _ in range(6)]
    answer = log_in(client, user.email, PASSWORD, path="/api/auth/login")
    page = log_in(client, user.email, PASSWORD)

    assert statuses == [401] * 5 + [429]
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "too_many_logins")
    assert page.status_code == 429
    assert all(295 <= int(each.headers["Retry-After"]) <= 300 for each in (answer, page))
    alert = BeautifulSoup(page.text, "html.parser").select_one('[role="alert"]')
    assert alert.text == "Too many failed sign-ins. Try again in 5 minutes."
    assert page.headers["Cache-Control"] == answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in page.headers


def test_pages_and_api_count_together(client: FlaskClient, user: User):
    for path in ("/login", "/api/auth/login", "/login", "/api/auth/login", "/login"):
        assert log_in(client, user.email, "wrong", path=path).status_code == 401

    assert log_in(client, user.email, PASSWORD).status_code == 429


def test_it_ends_by_itself_five_minutes_after_the_failures(client: FlaskClient, user: User):
    with travel("2025-03-01 08:00Z") as now:
        for _ in range(5):
            log_in(client, user.email, "wrong")
            now.shift(timedelta(seconds=30))
        # Trying on does not make it longer.
        assert [log_in(client, user.email, PASSWORD).headers["Retry-After"] for _ in range(8)] == ["150"] * 8
        now.shift(timedelta(seconds=149))
        assert log_in(client, user.email, PASSWORD).headers["Retry-After"] == "1"
        now.shift(timedelta(seconds=1))
        assert log_in(client, user.email, PASSWORD).status_code == 303


def test_who_is_in_stays_in_and_others_may_come(
    app: Flask, client: FlaskClient, logged_in: FlaskClient, accounts: Accounts, user: User
):
    accounts.add("bob@example.com", PASSWORD)
    for _ in range(6):
        log_in(client, user.email, "wrong")

    assert logged_in.get("/api/auth/me").status_code == 200
    assert log_in(client, "bob@example.com", PASSWORD).status_code == 303
    assert log_in(app.test_client(), user.email, PASSWORD, address="192.0.2.2").status_code == 303


def test_an_unknown_user_is_counted_like_one_who_is_known(client: FlaskClient, user: User):
    answers = [log_in(client, email, "wrong") for email in (user.email, "nobody@example.com") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {401}
    refused = [log_in(client, email, "wrong", address="192.0.2.1") for email in (user.email, "nobody@example.com")]

    assert [answer.status_code for answer in refused] == [429, 429]


def test_ten_failures_close_an_address_for_all_users(throttle: LoginThrottle):
    for number in range(10):
        throttle.admit(f"user{number}@example.com", "192.0.2.1")

    assert not is_admitted(throttle, "another@example.com")
    assert is_admitted(throttle, "another@example.com", "192.0.2.2")


def test_a_thousand_failures_close_the_login_for_all(throttle: LoginThrottle, accounts: Accounts):
    assert MAX_STRANGER_FAILURES == 1000
    spread(accounts, MAX_STRANGER_FAILURES - 1)
    assert is_admitted(throttle)
    throttle.admit("rita@example.com", "192.0.2.1")

    assert not is_admitted(throttle, "another@example.com", "198.51.100.1")


def test_logins_that_succeed_are_not_counted(throttle: LoginThrottle):
    fail(throttle, 4)
    for _ in range(20):
        assert is_admitted(throttle)
    fail(throttle, 1)

    assert not is_admitted(throttle)


def test_many_tries_at_once_are_no_more_than_one_after_another(throttle: LoginThrottle):
    def admitted(_: int) -> bool:
        try:
            throttle.admit("rita@example.com", "192.0.2.1")
        except TooManyLoginFailures:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(admitted, range(48))) == 5


def test_many_who_come_at_once_from_one_address_do_not_shut_one_another_out(app: Flask, accounts: Accounts):
    users = [accounts.add(f"user{number}@example.com", PASSWORD) for number in range(24)]
    with ThreadPoolExecutor(len(users)) as pool:
        statuses = set(pool.map(lambda user: log_in(app.test_client(), user.email, PASSWORD).status_code, users))

    assert statuses == {303}


@pytest.mark.integration
def test_processes_count_together(settings: Settings, throttle: LoginThrottle):
    script = (
        "import sys; from dashboard.auth.accounts import Accounts; from dashboard.auth.throttle import LoginThrottle\n"
        "throttle = LoginThrottle(Accounts(sys.argv[1]))\n"
        "for _ in range(2): throttle.admit('rita@example.com', '192.0.2.1')"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, settings.accounts_url], check=True, timeout=60)
    fail(throttle, 1)

    assert not is_admitted(throttle)


@pytest.mark.parametrize("typed", ["RITA@example.com", "  rita@example.com "])
def test_an_address_is_one_however_it_is_typed(throttle: LoginThrottle, typed: str):
    fail(throttle, 5, typed)

    assert not is_admitted(throttle)


def test_what_is_typed_into_the_wrong_field_is_not_kept(throttle: LoginThrottle, accounts: Accounts):
    for typed in ("correct horse battery", "another secret"):
        throttle.admit(typed, "192.0.2.1")
    with accounts.session() as session:
        kept = session.execute(text("SELECT DISTINCT user_key FROM login_failures")).all()

    assert kept == [("",)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
        ("x" * 300, "x" * 300, True),
        ("192.0.2.1:4711", "192.0.2.1:4712", True),
        ("[2001:db8::1]:4711", "[2001:db8::2]:4712", True),
        ("[2001:db8:0:1::1]:80", "[2001:db8::1]:80", False),
        ("[::ffff:192.0.2.1]:80", " 192.0.2.1:81", True),
        ("[fe80::1%eth0]:80", "fe80::1", True),
        ("unknown", "_hidden:7", True),
        ("192.0.2.0/24", "999.0.2.1:1", True),
    ],
    ids=range(15),
)
def test_an_address_is_one_machines_or_one_networks(throttle: LoginThrottle, one: str, other: str, same: bool):
    fail(throttle, 5, address=one)

    assert is_admitted(throttle, address=other) != same


def test_a_site_of_many_networks_is_counted_as_one_too(throttle: LoginThrottle):
    for number in range(MAX_FAILURES_PER_SITE):
        throttle.admit(f"user{number}@example.com", f"[2001:db8:7:{number:x}::1]:443")

    assert not is_admitted(throttle, "another@example.com", "2001:db8:7:ffff::1")
    assert is_admitted(throttle, "another@example.com", "2001:db8:8::1")


def test_a_user_is_not_guessed_from_many_places(throttle: LoginThrottle):
    throttle.remember("rita@example.com", "192.0.2.1")
    for number in range(MAX_STRANGER_FAILURES_PER_USER):
        throttle.admit("rita@example.com", f"198.51.100.{number}")

    assert not is_admitted(throttle, "RITA@example.com", "203.0.113.1")
    assert is_admitted(throttle, "bob@example.com", "203.0.113.1")
    assert is_admitted(throttle, "rita@example.com", "192.0.2.1:4711")
    fail(throttle, 5)
    assert not is_admitted(throttle), "a known place has a bound of its own"


def test_no_number_of_strangers_shuts_out_who_has_signed_in_lately(
    app: Flask, accounts: Accounts, user: User, throttle: LoginThrottle
):
    accounts.add("bob@example.com", PASSWORD)
    browser = app.test_client()
    assert log_in(browser, user.email, PASSWORD).status_code == 303
    spread(accounts, MAX_STRANGER_FAILURES)
    elsewhere, new = "198.51.100.1", "staple and another horse"

    assert log_in(app.test_client(), user.email, PASSWORD, elsewhere).status_code == 429
    assert log_in(app.test_client(), "bob@example.com", PASSWORD).status_code == 429
    assert log_in(browser, "bob@example.com", PASSWORD).status_code == 429, "the device is known for its user alone"
    sent = {"current": PASSWORD, "new": new, "again": new}
    assert browser.post("/profile/password", data=sent, environ_base={"REMOTE_ADDR": elsewhere}).status_code == 200
    browser.post("/logout")
    assert log_in(app.test_client(), user.email, new).status_code == 303, "by the place"
    assert log_in(browser, user.email, new, "198.51.100.2").status_code == 303, "by the device"
    throttle.check_sign_on(elsewhere)


def test_a_device_has_a_bound_of_its_own(app: Flask, user: User):
    devices = [device_of(signed_in(app, user, f"192.0.2.{number}")) for number in range(5)]
    # From ever other addresses, and with the cookie alone: sessions know their user by themselves.
    statuses = [by_device(app, user, devices[0], "wrong", f"198.51.100.{number}") for number in range(6)]
    assert statuses == [401] * 5 + [429]
    assert by_device(app, user, devices[0], PASSWORD, "203.0.113.1") == 429
    assert by_device(app, user, devices[1], PASSWORD, "203.0.113.2") == 303
    for device in devices[1:4]:
        assert [by_device(app, user, device, "wrong", "203.0.113.3") for _ in range(5)] == [401] * 5

    assert by_device(app, user, devices[4], PASSWORD, "203.0.113.4") == 429, "all copies together"
    assert log_in(app.test_client(), user.email, PASSWORD, "203.0.113.5").status_code == 303, "who has none"


def test_the_cookie_of_a_device_is_rotated_ends_and_lets_nobody_in(app: Flask, settings: Settings, user: User):
    with travel("2025-03-01 08:00Z") as now:
        browser = app.test_client()
        login = log_in(browser, user.email, PASSWORD)
        (written,) = (value for value in login.headers.getlist("Set-Cookie") if DEVICE_COOKIE_NAME in value)
        first = device_of(browser)
        log_in(browser, user.email, PASSWORD)
        second = device_of(browser)
        assert {"HttpOnly", "SameSite=Lax", "Max-Age=2592000", "Path=/"} <= set(written.split("; "))
        assert first != second
        assert with_device(app, second).get("/api/auth/me").status_code == 401
        assert is_known(app, second, user.email)
        assert not is_known(app, second, "bob@example.com")
        for worthless in (f"{second[:-2]}AA", f"x{second}", "x.y.z", "x" * 4000):
            assert not is_known(app, worthless, user.email)
        renewed = {"secret_key": SecretStr("n" * 40), "secret_key_previous": settings.secret_key}
        assert is_known(create_app(settings.model_copy(update=renewed)), second, user.email)
        renewed["secret_key_previous"] = None
        assert not is_known(create_app(settings.model_copy(update=renewed)), second, user.email)
        now.shift(timedelta(days=31))
        assert not is_known(app, second, user.email)
    secure = app.test_client()
    secure.post("/login", data={"username": user.email, "password": PASSWORD}, base_url="https://localhost")
    cookie = secure.get_cookie(f"__Host-{DEVICE_COOKIE_NAME}")
    assert cookie
    assert cookie.secure


@pytest.mark.parametrize("told", ["198.51.100.7:{}", "unknown{}", "[2001:db8::7]:{}", "{}" + "x" * 300])
def test_what_a_proxy_adds_to_an_address_makes_no_new_one(
    settings: Settings, accounts: Accounts, user: User, told: str
):
    client = create_app(settings.model_copy(update={"trusted_proxies": 1}), accounts=accounts).test_client()
    headers = [{"X-Forwarded-For": told.format(number)} for number in range(6)]

    assert [log_in(client, user.email, "wrong", **each).status_code for each in headers] == [401] * 5 + [429]


def test_what_is_too_old_to_count_is_swept_away(throttle: LoginThrottle, accounts: Accounts):
    with travel("2025-03-01 08:00Z") as now:
        fail(throttle, 5)
        now.shift(timedelta(minutes=5))
        fail(throttle, 1)
    with accounts.session() as session:
        assert session.scalar(text("SELECT count(*) FROM login_failures")) == 1


def test_what_is_refused_writes_nothing(throttle: LoginThrottle, accounts: Accounts, settings: Settings):
    fail(throttle, 5)
    with accounts.session() as session:
        before = session.execute(text("SELECT id, at FROM login_failures ORDER BY id")).all()
    assert not is_admitted(throttle)
    with accounts.session() as session:
        assert session.execute(text("SELECT id, at FROM login_failures ORDER BY id")).all() == before


@pytest.mark.parametrize(("proxies", "believed"), [(0, False), (1, True)])
def test_an_address_is_believed_only_from_proxies_that_are_trusted(
    settings: Settings, accounts: Accounts, user: User, proxies: int, believed: bool
):
    client = create_app(settings.model_copy(update={"trusted_proxies": proxies}), accounts=accounts).test_client()
    statuses = [
        log_in(client, user.email, "wrong", **{"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(6)
    ]
    with capture_logs() as logs:
        log_in(client, "nobody@example.com", "wrong", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.77"})

    assert statuses == [401] * 5 + [401 if believed else 429]
    assert logs[0]["address"] == ("198.51.100.77" if believed else "192.0.2.1")


def test_what_is_refused_is_logged_as_throttled(client: FlaskClient, user: User):
    with capture_logs() as logs:
        for _ in range(6):
            log_in(client, user.email, "wrong horse battery")

    assert [entry["event"] for entry in logs] == ["login_failed"] * 5 + ["login_throttled"]
    assert logs[-1]["address"] == "192.0.2.1"
    assert "horse" not in str(logs)


def signed_in(app: Flask, user: User, address: str) -> FlaskClient:
    browser = app.test_client()
    assert log_in(browser, user.email, PASSWORD, address).status_code == 303
    return browser


def device_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie(DEVICE_COOKIE_NAME)
    assert cookie
    return cookie.value


def with_device(app: Flask, cookie: str) -> FlaskClient:
    """A browser that has nothing but this cookie."""
    browser = app.test_client()
    browser.set_cookie(DEVICE_COOKIE_NAME, cookie)
    return browser


def by_device(app: Flask, user: User, cookie: str, password: str, address: str) -> int:
    return log_in(with_device(app, cookie), user.email, password, address).status_code


def is_known(app: Flask, cookie: str, email: str) -> bool:
    with app.test_request_context(headers={"Cookie": f"{DEVICE_COOKIE_NAME}={cookie}"}):
        return bool(known_device(email))


def spread(accounts: Accounts, count: int) -> None:
    """So many failures, each of another user at another address."""
    insert = text("INSERT INTO login_failures (at, user_key, address) VALUES (:at, :key, :key)")
    # As the column writes it.
    now = text("SELECT at FROM login_failures")
    throttle = LoginThrottle(accounts)
    attempt = throttle.admit("first@example.com", "203.0.113.1")
    with accounts.session() as session:
        (at,) = session.execute(now).one()
        session.execute(insert, [{"at": at, "key": str(number)} for number in range(count)])
    throttle.forgive(attempt)
