"""Single sign-on with a provider that runs: the way there and back, and what it leads to."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.auth.accounts import Accounts
from tests.support.clocks import travel
from tests.support.oidc_provider import KEYS, TOKEN, OpenIdProvider, query_of, sent_back, sign_on
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.support.signed_on import EMAIL, PASSWORD, events, me

BACK = "/login/oidc/callback"


@ON_EVERY_DATABASE_IN_FULL
def test_it_works(visitor: FlaskClient, accounts: Accounts):
    answer = sign_on(visitor, "/releases?page=2")
    found = me(visitor)

    assert (answer.status_code, answer.location) == (303, "/releases?page=2")
    assert found is not None
    assert (found["email"], found["name"], found["role"]) == (EMAIL, "Rita", "viewer")
    assert [event[:2] for event in events(accounts)] == [("user_added", EMAIL), ("login_succeeded", EMAIL)]
    assert '"by": "oidc"' in events(accounts)[1][2]


def test_the_provider_is_asked_as_the_standard_says(visitor: FlaskClient, provider: OpenIdProvider):
    begun = visitor.get("/login/oidc")
    asked = query_of(begun.location)

    assert begun.location.startswith(f"{provider.issuer}/authorize?")
    assert asked.pop("state") != asked.pop("nonce") != asked.pop("code_challenge")
    assert asked == {
        "response_type": "code",
        "client_id": "dashboard",
        "redirect_uri": f"http://localhost{BACK}",
        "scope": "openid email profile",
        "code_challenge_method": "S256",
    }


def test_no_two_logins_have_anything_in_common(sign_on_app: Callable[..., Flask]):
    app = sign_on_app()
    asked = [query_of(app.test_client().get("/login/oidc").location) for _ in range(2)]
    values = [each[name] for each in asked for name in ("state", "nonce", "code_challenge")]

    assert len(set(values)) == 6
    assert all(len(value) == 43 for value in values)


def test_what_is_kept_meanwhile_is_a_cookie_for_this_site_alone_and_ten_minutes(sign_on_app: Callable[..., Flask]):
    browser = sign_on_app().test_client()
    plain = browser.get("/login/oidc").headers["Set-Cookie"]
    secure = browser.get("/login/oidc", base_url="https://localhost").headers["Set-Cookie"]

    assert plain.startswith("release_dashboard_sign_on=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=600"} <= set(plain.split("; "))
    assert secure.startswith("__Host-release_dashboard_sign_on=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=600"} <= set(secure.split("; "))
    assert "Domain" not in secure


def test_over_https_the_provider_sends_back_over_https(visitor: FlaskClient):
    begun = visitor.get("/login/oidc", base_url="https://dash.example.com")
    answer = visitor.get(sent_back(begun.location), base_url="https://dash.example.com")

    assert query_of(begun.location)["redirect_uri"] == f"https://dash.example.com{BACK}"
    assert answer.status_code == 303
    assert visitor.get("/api/auth/me", base_url="https://dash.example.com").status_code == 200


def test_the_cookie_holds_neither_the_verifier_nor_the_nonce(visitor: FlaskClient, provider: OpenIdProvider):
    begun = visitor.get("/login/oidc")
    cookie = visitor.get_cookie("release_dashboard_sign_on")

    assert cookie is not None
    assert not any(value in cookie.value for value in query_of(begun.location).values() if len(value) == 43)
    visitor.get(sent_back(begun.location))
    assert visitor.get_cookie("release_dashboard_sign_on") is None


def test_a_public_client_has_no_secret(provider: OpenIdProvider, sign_on_app: Callable[..., Flask]):
    provider.secret = None

    assert sign_on(sign_on_app().test_client()).status_code == 303


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(provider: OpenIdProvider, visitor: FlaskClient):
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert sign_on(visitor).status_code == 303


def test_who_is_in_already_goes_on(visitor: FlaskClient):
    sign_on(visitor)
    answer = visitor.get("/login/oidc?next=/problems")

    assert (answer.status_code, answer.location) == (302, "/problems")


@pytest.mark.parametrize("target", ["https://example.org", "//example.org", "/\\example.org", "/login/oidc", "/\n/x"])
def test_it_leads_to_no_other_site(visitor: FlaskClient, target: str):
    assert sign_on(visitor, target).location == "/"


def test_a_target_that_no_cookie_can_hold_leads_to_the_start(visitor: FlaskClient):
    awkward = "/" + "".join(sha256(bytes(str(n), "ascii")).hexdigest() for n in range(60))

    assert sign_on(visitor, awkward).location == "/"


def test_the_way_back_from_another_site_counts_as_a_page_that_is_opened(visitor: FlaskClient):
    begun = visitor.get("/login/oidc")
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    assert visitor.get(sent_back(begun.location), headers=headers).status_code == 303


def test_a_new_session_takes_the_place_of_the_one_before(sign_on_app: Callable[..., Flask], accounts: Accounts):
    app = sign_on_app()
    accounts.add("bob@example.com", PASSWORD)
    browser = app.test_client()
    begun = browser.get("/login/oidc")
    browser.post("/login", data={"username": "bob@example.com", "password": PASSWORD})
    cookie = browser.get_cookie("release_dashboard")
    assert cookie is not None
    browser.get(sent_back(begun.location))
    copy = app.test_client()
    copy.set_cookie("release_dashboard", cookie.value)

    assert (me(browser) or {})["email"] == EMAIL
    assert me(copy) is None


def test_nothing_of_it_is_kept_in_a_cache(visitor: FlaskClient):
    begun = visitor.get("/login/oidc")

    assert begun.headers["Cache-Control"] == "no-store"
    assert visitor.get(sent_back(begun.location)).headers["Cache-Control"] == "no-store"


def test_who_came_by_the_provider_may_make_tokens(visitor: FlaskClient):
    sign_on(visitor)
    made = visitor.post("/api/tokens", json={"name": "Deploy job"})

    assert made.status_code == 201
    bearer = {"Authorization": f"Bearer {made.get_json()['token']}"}
    assert visitor.get("/api/auth/me", headers=bearer).status_code == 200


def test_logging_out_ends_the_session_here(visitor: FlaskClient):
    sign_on(visitor)
    visitor.post("/logout")

    assert me(visitor) is None


def test_such_a_session_ends_as_any_other(visitor: FlaskClient):
    with travel("2025-03-01 08:00Z") as now:
        sign_on(visitor)
        now.shift(timedelta(minutes=59))
        assert me(visitor) is not None
        now.shift(timedelta(minutes=1))
        assert me(visitor) is None


def test_what_the_provider_says_of_itself_is_asked_once_for_many_logins(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask]
):
    app = sign_on_app()
    assert provider.asked == [], "nothing is asked before somebody logs in"
    for _ in range(3):
        sign_on(app.test_client())

    assert (len(provider.asked), provider.asked.count(KEYS), provider.asked.count(TOKEN)) == (5, 1, 3)


def test_secrets_of_a_login_are_in_no_log(visitor: FlaskClient, accounts: Accounts, provider: OpenIdProvider):
    with capture_logs() as logs:
        begun = visitor.get("/login/oidc")
        back = sent_back(begun.location)
        visitor.get(back)
        visitor.post("/logout")
        # A provider that repeats the code in its refusal.
        again = visitor.get("/login/oidc")
        visitor.get(f"{BACK}?code=guessed&state={query_of(again.location)['state']}")
    told = f"{logs} {events(accounts)}"

    assert '"reason": "code_refused"' in told
    secrets = {*query_of(begun.location).values(), *query_of(back).values()} - {"code", "S256", "dashboard"}
    for secret in (
        *(value for value in secrets if len(value) > 24 and "http" not in value),
        "guessed",
        provider.secret,
    ):
        assert secret not in told


def test_the_login_page_offers_it_and_keeps_where_it_leads(visitor: FlaskClient):
    page = BeautifulSoup(visitor.get("/login?next=/problems").text, "html.parser")
    button = page.select_one("main a.primary")

    assert button.text == "Sign in with Example"
    assert urlsplit(button["href"]).path == "/login/oidc"
    assert query_of(button["href"]) == {"next": "/problems"}
    assert page.select_one('main form[action="/login"]')


def test_without_it_nothing_is_there(client: FlaskClient):
    assert "oidc" not in client.get("/login").text
    assert client.get("/login/oidc").location == "/login?next=/login/oidc"


def test_passwords_can_be_left_out(sign_on_app: Callable[..., Flask], accounts: Accounts):
    accounts.add(EMAIL, PASSWORD)
    browser = sign_on_app(oidc_password_login=False).test_client()
    given = {"username": EMAIL, "password": PASSWORD}
    page, by_form, by_api = (
        browser.get("/login"),
        browser.post("/login", data=given),
        browser.post("/api/auth/login", data=given),
    )

    assert "Sign in with Example" in page.text
    assert "<form" not in page.text.partition("<main")[2].partition("</main>")[0]
    assert by_form.status_code == by_api.status_code == 403
    assert "Password sign-in is turned off." in by_form.text
    assert by_api.get_json()["error"]["code"] == "password_login_off"
    assert me(browser) is None
    assert sign_on(browser).status_code == 303
    assert "You sign in with Example; change your password there" in browser.get("/profile").text
    assert not BeautifulSoup(browser.get("/profile").text, "html.parser").select('input[type="password"]')
