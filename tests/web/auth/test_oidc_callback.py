"""The way back from the provider: in another browser, again, too late, too often, or without a code."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts
from dashboard.auth.oidc.flow import MAX_FLOWS_PER_BROWSER
from dashboard.auth.throttle import MAX_FAILURES_PER_NETWORK
from tests.support.clocks import travel
from tests.support.oidc_provider import TOKEN, OpenIdProvider, query_of, sent_back, sign_on
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.support.refused_inputs import BACK, check_refused, failures, is_in, said
from tests.support.signed_on import events


def test_an_answer_for_another_browser_is_refused_in_this_one(sign_on_app: Callable[..., Flask], accounts: Accounts):
    app = sign_on_app()
    attacker, victim, underway = app.test_client(), app.test_client(), app.test_client()
    back = sent_back(attacker.get("/login/oidc").location)
    with capture_logs() as logs:
        stray = victim.get(back)
    underway.get("/login/oidc")
    answer = underway.get(back)

    assert (stray.status_code, is_in(victim)) == (401, False)
    assert "started in another browser" in said(stray)
    assert [entry["event"] for entry in logs] == ["sign_on_not_begun"]
    assert (answer.status_code, is_in(underway)) == (401, False)
    assert events(accounts) == [("login_outdated", None, '{"by": "oidc"}')], "of the browser that had begun one alone"


def test_logins_that_are_begun_in_several_tabs_can_all_be_finished_each_where_it_leads(visitor: FlaskClient):
    begun = [visitor.get(f"/login/oidc?next=/releases?q={n}").location for n in range(4)]

    assert [visitor.get(sent_back(begun[n])).location for n in (0, 2, 3, 1)] == [
        f"/releases?q={n}" for n in (0, 2, 3, 1)
    ]
    assert visitor.get_cookie("release_dashboard_sign_on") is None, "nothing is under way any more"


def test_a_browser_keeps_the_newest_logins_and_begins_the_others_again(visitor: FlaskClient):
    begun = [visitor.get(f"/login/oidc?next=/{'x' * 600}{n}").location for n in range(MAX_FLOWS_PER_BROWSER + 4)]
    cookie = visitor.get_cookie("release_dashboard_sign_on")

    assert cookie is not None
    assert len(cookie.value) < 4_000
    assert visitor.get(sent_back(begun[0])).status_code == 401
    assert visitor.get(sent_back(begun[-1])).status_code == 303
    assert visitor.get(sent_back(begun[-2])).status_code == 303


def test_to_begin_again_is_no_failure_however_often_and_shuts_nobody_out(
    sign_on_app: Callable[..., Flask], accounts: Accounts
):
    app = sign_on_app()
    stray = sent_back(app.test_client().get("/login/oidc").location)
    told = []
    for _ in range(MAX_FAILURES_PER_NETWORK + 3):
        browser = app.test_client()
        browser.get("/login/oidc")
        told.append(browser.get(stray))

    assert {answer.status_code for answer in told} == {401}
    assert "Start again" in said(told[-1])
    assert BeautifulSoup(told[-1].text, "html.parser").select_one("main a.primary")["href"].startswith("/login/oidc")
    assert failures(accounts) == []
    assert [event for event, _, _ in events(accounts)] == ["login_outdated"], "one row of an address in a minute"
    assert sign_on(app.test_client()).status_code == 303


def test_a_failed_login_that_is_loaded_again_is_one_failure(visitor: FlaskClient, accounts: Accounts):
    state = query_of(visitor.get("/login/oidc").location)["state"]
    statuses = [visitor.get(f"{BACK}?code=guessed&state={state}").status_code for _ in range(3)]

    assert (statuses, len(failures(accounts))) == ([401] * 3, 1)


def test_the_way_back_in_a_tab_whose_login_is_finished_leads_to_the_start(visitor: FlaskClient):
    begun = visitor.get("/login/oidc?next=/problems")
    back = sent_back(begun.location)
    assert visitor.get(back).location == "/problems"

    again = visitor.get(back)
    assert (again.status_code, again.location) == (303, "/")


def test_a_login_that_was_disturbed_can_still_be_finished(visitor: FlaskClient):
    begun = visitor.get("/login/oidc")
    assert visitor.get(f"{BACK}?code=a&state=b").status_code == 401

    assert visitor.get(sent_back(begun.location)).status_code == 303


@ON_EVERY_DATABASE_IN_FULL
def test_an_answer_counts_once_for_a_copy_of_the_cookie_too(sign_on_app: Callable[..., Flask], accounts: Accounts):
    app = sign_on_app()
    browser, copy = app.test_client(), app.test_client()
    begun = browser.get("/login/oidc")
    cookie = browser.get_cookie("release_dashboard_sign_on")
    assert cookie is not None
    copy.set_cookie(cookie.key, cookie.value)
    browser.get(sent_back(begun.location))
    # With a code of its own, for the same login.
    answer = copy.get(sent_back(begun.location))

    check_refused(answer, 401, "used_before", copy, accounts, users=1)


@ON_EVERY_DATABASE_IN_FULL
def test_of_two_answers_at_the_same_moment_one_counts(sign_on_app: Callable[..., Flask]):
    app = sign_on_app()
    first = app.test_client()
    begun = first.get("/login/oidc")
    cookie = first.get_cookie("release_dashboard_sign_on")
    assert cookie is not None

    def finish(back: str) -> int:
        browser = app.test_client()
        browser.set_cookie(cookie.key, cookie.value)
        return browser.get(back).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(finish, [sent_back(begun.location) for _ in range(4)])) == [303, 401, 401, 401]


def test_a_code_is_redeemed_once(visitor: FlaskClient, sign_on_app: Callable[..., Flask], accounts: Accounts):
    code = query_of(sent_back(visitor.get("/login/oidc").location))["code"]
    other = sign_on_app().test_client()
    begun = query_of(other.get("/login/oidc").location)
    # Somebody else's: their verifier fits it not.
    answer = other.get(f"{BACK}?code={code}&state={begun['state']}")

    check_refused(answer, 401, "code_refused", other, accounts)


def test_ten_minutes_after_it_began_a_login_cannot_be_finished(visitor: FlaskClient):
    with travel("2025-03-01 08:00Z") as now:
        begun = visitor.get("/login/oidc")
        # A copy that a browser's own clock does not end.
        cookie = visitor.get_cookie("release_dashboard_sign_on")
        assert cookie is not None
        now.shift(timedelta(minutes=10, seconds=1))
        visitor.set_cookie(cookie.key, cookie.value)
        answer = visitor.get(sent_back(begun.location))

    assert answer.status_code == 401
    assert "ten minutes" in said(answer)


@pytest.mark.parametrize(
    "change", [lambda value: value[:-2] + "xx", lambda value: "a" + value, lambda _: "é", lambda _: ""]
)
def test_a_cookie_that_was_changed_is_none(visitor: FlaskClient, change: Callable[[str], str]):
    begun = visitor.get("/login/oidc")
    cookie = visitor.get_cookie("release_dashboard_sign_on")
    assert cookie is not None
    visitor.set_cookie(cookie.key, change(cookie.value))

    assert visitor.get(sent_back(begun.location)).status_code == 401


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("error=access_denied&error_description=no", 403, "access_denied"),
        ("error=login_required", 401, "login_required"),
        ("error=server_error", 401, "server_error"),
        ("error=<script>alert(1)</script>&code=a", 401, "unknown_error"),
        ("", 401, "no_code"),
        ("code=", 401, "no_code"),
        (f"code={'x' * 4001}", 401, "no_code"),
        ("code=caf%C3%A9", 401, "no_code"),
        ("code=a&iss=https://login.example.org", 401, "answer_of_another"),
    ],
)
def test_what_the_provider_answers_instead_of_a_code_is_told(
    visitor: FlaskClient, accounts: Accounts, query: str, status: int, reason: str
):
    state = query_of(visitor.get("/login/oidc").location)["state"]
    answer = visitor.get(f"{BACK}?state={state}&{query}")

    check_refused(answer, status, reason, visitor, accounts)
    assert "<script>alert" not in answer.text


def fail(app: Flask, count: int, address: str = "192.0.2.1") -> list[int]:
    """The statuses of so many logins with a code that nobody has given."""
    statuses = []
    for _ in range(count):
        browser = app.test_client()
        state = query_of(browser.get("/login/oidc").location)["state"]
        path, environ = f"{BACK}?code=guessed&state={state}", {"REMOTE_ADDR": address}
        statuses.append(browser.get(path, environ_base=environ).status_code)
    return statuses


@ON_EVERY_DATABASE_IN_FULL
def test_a_flood_of_answers_is_stopped_and_reaches_the_provider_no_more(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    app = sign_on_app()
    with travel("2025-03-01 08:00Z") as now:
        assert fail(app, MAX_FAILURES_PER_NETWORK + 3) == [401] * MAX_FAILURES_PER_NETWORK + [429] * 3
        assert (provider.asked.count(TOKEN), len(failures(accounts))) == (
            MAX_FAILURES_PER_NETWORK,
            MAX_FAILURES_PER_NETWORK,
        )
        browser = app.test_client()
        state = query_of(browser.get("/login/oidc").location)["state"]
        told = browser.get(f"{BACK}?code=a&state={state}", environ_base={"REMOTE_ADDR": "192.0.2.1"})
        assert (told.headers["Retry-After"], "Try again in 5 minutes" in said(told)) == ("300", True)
        assert fail(app, 1, "192.0.2.2") == [401], "others are not concerned"
        now.shift(timedelta(minutes=5))
        assert fail(app, 1) == [401]


def test_failed_answers_keep_nobody_from_logging_in_with_a_password(
    sign_on_app: Callable[..., Flask], accounts: Accounts
):
    app = sign_on_app()
    accounts.add("bob@example.com", "correct horse battery")
    fail(app, MAX_FAILURES_PER_NETWORK, "127.0.0.1")
    given = {"username": "bob@example.com", "password": "correct horse battery"}

    assert app.test_client().post("/login", data=given).status_code == 303


def test_other_sites_cannot_shut_anybody_out_or_fill_the_log(sign_on_app: Callable[..., Flask], accounts: Accounts):
    app = sign_on_app()
    mark = accounts.change_token()
    # As by pictures of another site: without the cookie, which is not sent with those.
    statuses = {app.test_client().get(f"{BACK}?error=access_denied&state=x").status_code for _ in range(30)}

    assert (statuses, failures(accounts), accounts.change_token()) == ({401}, [], mark)
    assert sign_on(app.test_client()).status_code == 303
