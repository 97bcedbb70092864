"""A provider that is away, slow, or answers with something else: nobody waits for long, and all is told."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask, Response, redirect
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.auth.oidc.provider import (
    FAILURE_PAUSE_SECONDS,
    MAX_CONCURRENT_PROVIDER_REQUESTS,
    METADATA_TTL_SECONDS,
    PROVIDER_DEADLINE_SECONDS,
    OidcProvider,
)
from dashboard.auth.oidc.responses import MAX_RESPONSE_BYTES
from dashboard.concurrency.bulkhead import BULKHEAD_SIZE
from dashboard.server.uvicorn_server import SERVER_THREADS
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.oidc_provider import DISCOVERY, KEYS, TOKEN, OpenIdProvider, provided, sent_back, sign_on
from tests.support.refused_inputs import check_refused, failures, said
from tests.support.replaced_services import replace_services
from tests.support.waiting import eventually

HURRIED = 0.4


class Clock:
    """The time that the dashboard's memory of the provider goes by."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def with_provider(app: Flask, made: OidcProvider) -> Flask:
    """The app with another way of asking the provider."""
    sign_on = services(app).sign_on
    sign_on.provider.close()
    replace_services(app, sign_on=replace(sign_on, provider=made))
    return app


@pytest.fixture
def hurried(sign_on_app: Callable[..., Flask], provider: OpenIdProvider, settings: Settings) -> FlaskClient:
    """A browser at a dashboard that waits for the provider for less than half a second."""
    named = settings.model_copy(update=provider.settings())
    return with_provider(sign_on_app(), OidcProvider(named, deadline=HURRIED)).test_client()


def huge() -> ResponseReturnValue:
    return Response(
        iter([b'{"padding": "'] + [b"x" * 8192] * (2 * MAX_RESPONSE_BYTES // 8192)), mimetype="application/json"
    )


FAULTS: dict[str, tuple[Callable[[], ResponseReturnValue], int, str]] = {
    "a failure": (lambda: ("no", 500), 503, "provider_failed"),
    "too many": (lambda: ("no", 429), 503, "provider_failed"),
    "no JSON": (lambda: "<html>", 502, "malformed_answer"),
    "JSON cut short": (lambda: '{"issuer": ', 502, "malformed_answer"),
    "JSON as deep as a well": (lambda: "[" * 100_000, 502, "malformed_answer"),
    "a list": (list, 502, "malformed_answer"),
    "nothing": (lambda: "", 502, "malformed_answer"),
    "much too much": (huge, 502, "answer_too_large"),
    "a redirect": (lambda: redirect("http://127.0.0.1:1/elsewhere"), 502, "redirected"),
    "something packed": (lambda: ("x", 200, {"Content-Encoding": "gzip"}), 502, "packed_answer"),
    "not found": (lambda: ("no", 404), 502, "unexpected_status"),
}


@pytest.mark.parametrize("path", [DISCOVERY, KEYS, TOKEN])
@pytest.mark.parametrize("what", FAULTS)
def test_a_provider_that_answers_with_something_else_is_told_of(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, path: str, what: str
):
    provider.instead[path], status, reason = FAULTS[what]
    answer = visitor.get("/login/oidc") if path == DISCOVERY else sign_on(visitor)

    check_refused(answer, status, reason, visitor, accounts)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://login.example.org"}, "another_issuer"),
        ({"issuer": None}, "another_issuer"),
        ({"authorization_endpoint": None}, "unusable_metadata"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "unusable_metadata"),
        ({"token_endpoint": "http://login.example.org/token"}, "unusable_metadata"),
        ({"jwks_uri": 7}, "unusable_metadata"),
        ({"jwks_uri": "https://[::1"}, "malformed_answer"),
    ],
    ids=str,
)
def test_a_provider_that_says_something_impossible_of_itself_is_not_asked_further(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, metadata: dict[str, object], reason: str
):
    provider.metadata = metadata

    check_refused(visitor.get("/login/oidc"), 502, reason, visitor, accounts)
    # Whoever comes in the next seconds does not have it asked again.
    assert visitor.get("/login/oidc").status_code == 503
    assert (provider.asked, len(failures(accounts))) == ([DISCOVERY], 1)


@pytest.mark.parametrize("keys", [{}, {"keys": 7}, {"keys": []}, {"keys": [{"kty": "RSA"}]}, {"keys": ["x"]}], ids=str)
def test_keys_that_cannot_be_used_are_told_of(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, keys: dict[str, object]
):
    provider.instead[KEYS] = lambda: keys

    check_refused(sign_on(visitor), 502, "malformed_keys", visitor, accounts)


def test_a_provider_that_does_not_know_the_dashboard_is_told_of(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    browser = sign_on_app().test_client()
    provider.secret = "another one"

    check_refused(sign_on(browser), 502, "client_refused", browser, accounts)


def test_a_dashboard_starts_while_the_provider_is_away_and_finds_it_when_it_is_back(
    settings: Settings, accounts: Accounts
):
    clock = Clock()
    with provided() as first:
        named = settings.model_copy(update=first.settings())
    app = with_provider(create_app(named, accounts=accounts), OidcProvider(named, clock=clock))
    browser = app.test_client()
    assert browser.get("/login").status_code == 200
    check_refused(browser.get("/login/oidc"), 503, "provider_unreachable", browser, accounts)
    with provided(first.port):
        # It is left alone for a moment, and those who come then are told at once.
        told = browser.get("/login/oidc")
        assert (told.status_code, len(failures(accounts))) == (503, 1)
        assert "is unavailable" in said(told)
        clock.now += FAILURE_PAUSE_SECONDS
        assert sign_on(browser).status_code == 303
    services(app).sign_on.provider.close()


def dripping() -> ResponseReturnValue:
    """A byte now and then: each of them comes in time."""

    def bytes_now_and_then() -> object:
        for _ in range(200):
            time.sleep(0.05)
            yield b" "

    return Response(bytes_now_and_then())


@pytest.mark.timing
@pytest.mark.parametrize("path", [DISCOVERY, KEYS, TOKEN])
@pytest.mark.parametrize("how", ["silent", "dripping"])
def test_a_provider_that_takes_its_time_is_not_waited_for(
    provider: OpenIdProvider, hurried: FlaskClient, accounts: Accounts, path: str, how: str
):
    provider.instead[path] = provider.hang if how == "silent" else dripping
    begun = time.monotonic()
    answer = hurried.get("/login/oidc") if path == DISCOVERY else sign_on(hurried)
    took = time.monotonic() - begun

    check_refused(answer, 503, "provider_timed_out", hurried, accounts)
    assert took < HURRIED + 1.5
    assert PROVIDER_DEADLINE_SECONDS <= 5
    services(hurried.application).sign_on.provider.close()


def test_a_login_that_meets_an_outage_which_others_met_can_be_finished_after_it(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], settings: Settings, accounts: Accounts
):
    clock = Clock()
    named = settings.model_copy(update=provider.settings())
    app = with_provider(sign_on_app(), OidcProvider(named, deadline=HURRIED, clock=clock))
    first, second = app.test_client(), app.test_client()
    backs = [sent_back(browser.get("/login/oidc").location) for browser in (first, second)]
    provider.instead[TOKEN] = provider.hang
    met = [browser.get(back).status_code for browser, back in zip((first, second), backs, strict=True)]
    del provider.instead[TOKEN]
    asked = provider.asked.count(TOKEN)
    clock.now += FAILURE_PAUSE_SECONDS

    assert (met, asked, len(failures(accounts))) == ([503, 503], 1, 1)
    assert [browser.get(back).status_code for browser, back in zip((first, second), backs, strict=True)] == [401, 303]
    services(app).sign_on.provider.close()


def test_those_who_wait_for_the_provider_leave_the_server_to_others(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], settings: Settings, accounts: Accounts
):
    provider.instead[DISCOVERY] = provider.hang
    named = settings.model_copy(update=provider.settings())
    app = with_provider(sign_on_app(), OidcProvider(named, deadline=60))
    with ThreadPoolExecutor(MAX_CONCURRENT_PROVIDER_REQUESTS) as pool:
        waiting = [pool.submit(app.test_client().get, "/login/oidc") for _ in range(MAX_CONCURRENT_PROVIDER_REQUESTS)]
        eventually(lambda: len(provider.asked) == MAX_CONCURRENT_PROVIDER_REQUESTS, 60)
        refused = [app.test_client().get("/login/oidc") for _ in range(10)]
        assert not any(future.done() for future in waiting), "nobody was sent away only when the others were through"
        provider.released.set()
        statuses = [future.result().status_code for future in waiting]

    assert {answer.status_code for answer in refused} == {503}
    assert "Too many concurrent sign-ins" in said(refused[0])
    assert MAX_CONCURRENT_PROVIDER_REQUESTS < SERVER_THREADS - BULKHEAD_SIZE, (
        "the rest of the server's threads wait for nobody"
    )
    assert statuses == [503] * MAX_CONCURRENT_PROVIDER_REQUESTS
    # Who was not even asked for leaves no trace in what is kept for good.
    assert len(failures(accounts)) == len(provider.asked) == MAX_CONCURRENT_PROVIDER_REQUESTS
    services(app).sign_on.provider.close()


def test_what_is_known_of_the_provider_is_asked_anew_after_ten_minutes(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], settings: Settings
):
    clock = Clock()
    named = settings.model_copy(update=provider.settings())
    app = with_provider(sign_on_app(), OidcProvider(named, clock=clock))
    for seconds in (0, METADATA_TTL_SECONDS - 1, 1):
        clock.now += seconds
        sign_on(app.test_client())

    assert provider.asked == [DISCOVERY, TOKEN, KEYS, TOKEN, DISCOVERY, TOKEN, KEYS]
    assert METADATA_TTL_SECONDS <= 600
    services(app).sign_on.provider.close()
