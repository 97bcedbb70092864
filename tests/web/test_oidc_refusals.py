"""Single sign-on with a provider, a browser or a network that does something wrong: nobody gets in, and all is told."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from bs4 import BeautifulSoup
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask import Flask, Response, redirect
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from joserfc.jwk import OctKey
from sqlalchemy import text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard.accounts.store import Accounts
from dashboard.accounts.throttle import MOST_OF_ADDRESS
from dashboard.app import create_app
from dashboard.oidc.answers import LONGEST_ANSWER
from dashboard.oidc.id_token import LEEWAY
from dashboard.oidc.provider import AT_ONCE, DEADLINE, KEPT, PAUSE, Provider
from dashboard.settings import Settings
from tests.oidc_provider import (
    CLIENT_SECRET,
    DISCOVERY,
    KEYS,
    TOKEN,
    OpenIdProvider,
    new_key,
    provided,
    query_of,
    sent_back,
    sign_on,
)
from tests.postgres import ON_EVERY_DATABASE
from tests.waiting import eventually

pytestmark = pytest.mark.web

BACK = "/login/oidc/callback"
HURRIED = 0.4


class Clock:
    """The time that the dashboard's memory of the provider goes by."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def with_provider(app: Flask, made: Provider) -> Flask:
    """The app with another way of asking the provider."""
    app.extensions["sign_on"].provider.close()
    app.extensions["sign_on"] = replace(app.extensions["sign_on"], provider=made)
    return app


@pytest.fixture
def hurried(sign_on_app: Callable[..., Flask], provider: OpenIdProvider, settings: Settings) -> FlaskClient:
    """A browser at a dashboard that waits for the provider for less than half a second."""
    named = settings.model_copy(update=provider.settings())
    return with_provider(sign_on_app(), Provider(named, deadline=HURRIED)).test_client()


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/api/auth/me").status_code == 200


def said(answer: TestResponse) -> str:
    """What the page says is wrong. It is the login page, with its way to try again."""
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.select_one("h1").text == "Log in"
    assert page.select_one("main a.primary").text == "Log in with Example"
    return page.select_one('[role="alert"]').text


def failures(accounts: Accounts) -> list[tuple[str | None, str]]:
    """Who failed to log in, and why, as the audit log has it."""
    with accounts.session() as session:
        found = session.execute(text("SELECT subject, details FROM audit WHERE event = 'login_failed' ORDER BY id"))
        return [(subject, json.loads(details)["reason"]) for subject, details in found]


def check_refused(
    answer: TestResponse, status: int, reason: str, browser: FlaskClient, accounts: Accounts, *, users: int = 0
) -> None:
    """Nobody was let in or added, the page says so, and the log says why."""
    assert (answer.status_code, [why for _, why in failures(accounts)]) == (status, [reason])
    assert len(said(answer)) > 20
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)
    assert not is_in(browser)
    assert len(accounts.all()) == users


def in_seconds(seconds: int) -> int:
    return int(time.time()) + seconds


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (lambda: {"exp": in_seconds(-LEEWAY - 5)}, "expired"),
        (lambda: {"exp": None}, "wrong_exp"),
        (lambda: {"exp": "tomorrow"}, "wrong_exp"),
        (lambda: {"nbf": in_seconds(LEEWAY + 30)}, "wrong_nbf"),
        (lambda: {"iat": in_seconds(LEEWAY + 30)}, "wrong_iat"),
        (lambda: {"iat": None}, "wrong_iat"),
        (lambda: {"aud": "another"}, "wrong_aud"),
        (lambda: {"aud": ["another", "and another"]}, "wrong_aud"),
        (lambda: {"aud": None}, "wrong_aud"),
        (lambda: {"aud": ["dashboard", "another"]}, "wrong_azp"),
        (lambda: {"azp": "another"}, "wrong_azp"),
        (lambda: {"iss": "https://login.example.org"}, "wrong_iss"),
        (lambda: {"iss": None}, "wrong_iss"),
        (lambda: {"nonce": "another"}, "wrong_nonce"),
        (lambda: {"nonce": None}, "wrong_nonce"),
        (lambda: {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "wrong_at_hash"),
        (lambda: {"sub": None}, "wrong_sub"),
        (lambda: {"sub": ""}, "unusable_subject"),
        (lambda: {"sub": "x" * 256}, "unusable_subject"),
    ],
    ids=str,
)
def test_an_id_token_that_is_not_right_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, claims: Callable[[], dict], reason: str
):
    provider.claims = claims()

    check_refused(sign_on(visitor), 401, reason, visitor, accounts)


@pytest.mark.parametrize(
    "claims",
    [lambda: {"exp": in_seconds(-LEEWAY + 20)}, lambda: {"iat": in_seconds(LEEWAY - 20)}, lambda: {"azp": "dashboard"}],
)
def test_clocks_may_be_a_little_apart(provider: OpenIdProvider, visitor: FlaskClient, claims: Callable[[], dict]):
    provider.claims = claims()

    assert sign_on(visitor).status_code == 303


def forged(provider: OpenIdProvider, how: str) -> None:
    """Have the provider's ID tokens signed by somebody else."""
    ways = {
        "another key": lambda: provider.sign_with(new_key(), "RS256"),
        "none": provider.without_signature,
        "the client's secret": lambda: provider.sign_with(OctKey.import_key(CLIENT_SECRET), "HS256"),
        # For who takes the header's word for what kind of key it is.
        "the public key as a secret": lambda: provider.sign_with_secret(provider.key.as_pem(private=False)),
        "nonsense": lambda: setattr(provider, "signed", lambda _claims: "no.token.atall"),
    }
    ways[how]()


@pytest.mark.parametrize(
    "how", ["another key", "none", "the client's secret", "the public key as a secret", "nonsense"]
)
def test_an_id_token_that_the_provider_did_not_sign_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, how: str
):
    forged(provider, how)

    check_refused(sign_on(visitor), 401, "bad_signature", visitor, accounts)


def test_a_secret_among_the_keys_is_no_key(provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts):
    shared = OctKey.generate_key(256, {"kid": "shared"})
    listed = {"keys": [shared.as_dict(private=True), provider.key.as_dict(private=False)]}
    provider.instead[KEYS] = lambda: listed
    provider.sign_with(shared, "HS256", kid="shared")

    assert sign_on(visitor).status_code == 401
    assert not is_in(visitor)


def test_a_key_that_is_new_is_asked_for_once_and_then_known(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask]
):
    app = sign_on_app()
    sign_on(app.test_client())
    provider.rotate()

    assert [sign_on(app.test_client()).status_code for _ in range(2)] == [303, 303]
    assert provider.asked.count(KEYS) == 2


def test_a_key_that_the_provider_does_not_show_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts
):
    provider.sign_with(new_key(), "RS256", kid="never shown")

    check_refused(sign_on(visitor), 401, "unknown_key", visitor, accounts)
    assert provider.asked.count(KEYS) == 2, "once more than for one that is known"


def test_an_answer_without_an_id_token_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts
):
    provider.instead[TOKEN] = lambda: {"access_token": "a", "token_type": "Bearer"}

    check_refused(sign_on(visitor), 401, "no_id_token", visitor, accounts)


@pytest.mark.parametrize(
    "token",
    [
        {"expires_in": []},
        {"expires_at": {}},
        {"expires_in": "soon"},
        {"error": ["x"]},
        {"id_token": 7},
        {"id_token": {}},
    ],
    ids=str,
)
def test_an_answer_that_makes_no_sense_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, token: dict[str, object]
):
    provider.instead[TOKEN] = lambda: {"access_token": "a", "token_type": "Bearer", **token}
    answer = sign_on(visitor)

    assert answer.status_code in {401, 502}
    assert len(said(answer)) > 20
    assert (is_in(visitor), len(failures(accounts))) == (False, 1)


@pytest.mark.parametrize(
    "header", [{"alg": []}, {"alg": None}, {"kid": 7}, {"kid": []}, {"crit": ["exp"]}, {"b64": False}], ids=str
)
def test_a_header_that_makes_no_sense_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, header: dict[str, object]
):
    provider.without_signature(**header)
    answer = sign_on(visitor)

    assert (answer.status_code, is_in(visitor), len(failures(accounts))) == (401, False, 1)


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ({"email": None}, "no_email"),
        ({"email": 7}, "no_email"),
        ({"email": "nobody in particular"}, "unusable_email"),
        ({"email": "rita@example.com\x00"}, "unusable_email"),
        ({"email_verified": False}, "email_not_verified"),
        ({"email_verified": "false"}, "email_not_verified"),
        ({"email_verified": 1}, "email_not_verified"),
    ],
    ids=str,
)
def test_somebody_without_an_address_of_their_own_is_refused(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, person: dict[str, object], reason: str
):
    provider.claims = person

    check_refused(sign_on(visitor), 403, reason, visitor, accounts)


def test_a_name_that_cannot_be_shown_is_left_out(provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts):
    provider.claims = {"name": "R\x1b[31mita"}

    assert sign_on(visitor).status_code == 303
    assert accounts.all()[0].name is None


def test_an_answer_for_another_browser_is_refused_in_this_one(sign_on_app: Callable[..., Flask], accounts: Accounts):
    app = sign_on_app()
    attacker, victim, underway = app.test_client(), app.test_client(), app.test_client()
    back = sent_back(attacker.get("/login/oidc").location)
    with capture_logs() as logs:
        stray = victim.get(back)
    underway.get("/login/oidc")
    answer = underway.get(back)

    assert (stray.status_code, is_in(victim)) == (401, False)
    assert "not begun in this browser" in said(stray)
    assert [entry["event"] for entry in logs] == ["sign_on_not_begun"]
    check_refused(answer, 401, "wrong_state", underway, accounts)


def test_a_login_that_was_disturbed_can_still_be_finished(visitor: FlaskClient):
    begun = visitor.get("/login/oidc")
    assert visitor.get(f"{BACK}?code=a&state=b").status_code == 401

    assert visitor.get(sent_back(begun.location)).status_code == 303


@ON_EVERY_DATABASE
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
    with time_machine.travel("2025-03-01 08:00Z", tick=False) as now:
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
        (f"code={'x' * 5000}", 401, "no_code"),
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


def huge() -> ResponseReturnValue:
    return Response(
        iter([b'{"padding": "'] + [b"x" * 8192] * (2 * LONGEST_ANSWER // 8192)), mimetype="application/json"
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
    assert provider.asked == [DISCOVERY]


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
    app = with_provider(create_app(named, accounts=accounts), Provider(named, clock=clock))
    browser = app.test_client()
    assert browser.get("/login").status_code == 200
    check_refused(browser.get("/login/oidc"), 503, "provider_unreachable", browser, accounts)
    with provided(first.port):
        # It is left alone for a moment, and those who come then are told at once.
        told = browser.get("/login/oidc")
        assert (told.status_code, len(failures(accounts))) == (503, 1)
        assert "does not answer" in said(told)
        clock.now += PAUSE
        assert sign_on(browser).status_code == 303
    app.extensions["sign_on"].provider.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of this machine by an authority of its own, and its key: two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, SHA256())
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(signed.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(files[0]), str(files[1])


def test_over_https_a_provider_has_to_have_a_certificate_that_is_trusted(
    settings: Settings, accounts: Accounts, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    with provided(host="localhost", certificate=certificate) as provider:
        named = settings.model_copy(update=provider.settings())
        statuses = []
        for trusted in (None, certificate[0]):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", trusted)
            app = create_app(named, accounts=accounts)
            browser = app.test_client()
            begun = browser.get("/login/oidc")
            statuses.append(begun.status_code)
            if begun.status_code == 302:
                statuses.append(browser.get(sent_back(begun.location)).status_code)
            app.extensions["sign_on"].provider.close()

    assert statuses == [503, 302, 303]
    assert failures(accounts) == [(None, "provider_unreachable")]


def dripping() -> ResponseReturnValue:
    """A byte now and then: each of them comes in time."""

    def bytes_now_and_then() -> object:
        for _ in range(200):
            time.sleep(0.05)
            yield b" "

    return Response(bytes_now_and_then())


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
    assert DEADLINE <= 5
    hurried.application.extensions["sign_on"].provider.close()


def test_those_who_wait_for_the_provider_leave_the_server_to_others(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], settings: Settings, accounts: Accounts
):
    provider.instead[DISCOVERY] = provider.hang
    named = settings.model_copy(update=provider.settings())
    app = with_provider(sign_on_app(), Provider(named, deadline=15))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(app.test_client().get, "/login/oidc") for _ in range(AT_ONCE)]
        eventually(lambda: len(provider.asked) == AT_ONCE, 10)
        begun = time.monotonic()
        refused = [app.test_client().get("/login/oidc") for _ in range(10)]
        took = time.monotonic() - begun
        assert not any(future.done() for future in waiting)
        provider.released.set()
        statuses = [future.result().status_code for future in waiting]

    assert {answer.status_code for answer in refused} == {503}
    assert "Many are logging in" in said(refused[0])
    assert took < 5
    assert statuses == [503] * AT_ONCE
    # Who was not even asked for leaves no trace in what is kept for good.
    assert len(failures(accounts)) == len(provider.asked) == AT_ONCE
    app.extensions["sign_on"].provider.close()


def test_what_is_known_of_the_provider_is_asked_anew_after_ten_minutes(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], settings: Settings
):
    clock = Clock()
    named = settings.model_copy(update=provider.settings())
    app = with_provider(sign_on_app(), Provider(named, clock=clock))
    sign_on(app.test_client())
    clock.now += KEPT
    sign_on(app.test_client())

    assert provider.asked == [DISCOVERY, TOKEN, KEYS] * 2
    app.extensions["sign_on"].provider.close()


def fail(app: Flask, count: int, address: str = "192.0.2.1") -> list[int]:
    """The statuses of so many logins with a code that nobody has given."""
    statuses = []
    for _ in range(count):
        browser = app.test_client()
        state = query_of(browser.get("/login/oidc").location)["state"]
        path, environ = f"{BACK}?code=guessed&state={state}", {"REMOTE_ADDR": address}
        statuses.append(browser.get(path, environ_base=environ).status_code)
    return statuses


@ON_EVERY_DATABASE
def test_a_flood_of_answers_is_stopped_and_reaches_the_provider_no_more(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    app = sign_on_app()
    with time_machine.travel("2025-03-01 08:00Z", tick=False) as now:
        assert fail(app, MOST_OF_ADDRESS + 3) == [401] * MOST_OF_ADDRESS + [429] * 3
        assert (provider.asked.count(TOKEN), len(failures(accounts))) == (MOST_OF_ADDRESS, MOST_OF_ADDRESS)
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
    fail(app, MOST_OF_ADDRESS, "127.0.0.1")
    given = {"username": "bob@example.com", "password": "correct horse battery"}

    assert app.test_client().post("/login", data=given).status_code == 303


def test_other_sites_cannot_shut_anybody_out_or_fill_the_log(sign_on_app: Callable[..., Flask], accounts: Accounts):
    app = sign_on_app()
    mark = accounts.mark()
    # As by pictures of another site: without the cookie, which is not sent with those.
    statuses = {app.test_client().get(f"{BACK}?error=access_denied&state=x").status_code for _ in range(30)}

    assert (statuses, failures(accounts), accounts.mark()) == ({401}, [], mark)
    assert sign_on(app.test_client()).status_code == 303


def test_settings_that_ask_for_it_without_the_extra_say_what_to_install(tmp_path: object):
    script = (
        "import sys; sys.modules['authlib'] = None\n"
        "from dashboard.app import create_app\n"
        "from dashboard.settings import SettingsError, load_settings\n"
        "try: create_app(load_settings())\n"
        "except SettingsError as exc: print(exc)\n"
    )
    named = {"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_ID": "dashboard", "DATA_DIR": str(tmp_path)}
    argv = [sys.executable, "-c", script]
    told = subprocess.run(argv, env=named, capture_output=True, text=True, timeout=60, check=True)
    without = subprocess.run(
        argv, env={"DATA_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True
    )

    assert "pip install 'release-dashboard[oidc]'" in told.stdout
    assert without.stdout == ""
