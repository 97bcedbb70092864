"""ID tokens that are not right, and people whom right ones do not let in."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import OctKey

from dashboard.auth.accounts import Accounts
from dashboard.auth.oidc.id_token import CLOCK_LEEWAY_SECONDS
from tests.support.oidc_provider import CLIENT_SECRET, KEYS, TOKEN, OpenIdProvider, new_key, sign_on
from tests.support.refused_inputs import check_refused, failures, is_in, said


def told(claims: dict[str, object]) -> dict[str, object]:
    """The claims, with times that are so far from now."""
    now = int(time.time())
    return {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in claims.items()
    }


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": timedelta(seconds=-CLOCK_LEEWAY_SECONDS - 5)}, "expired"),
        ({"exp": None}, "wrong_exp"),
        ({"exp": "tomorrow"}, "wrong_exp"),
        ({"nbf": timedelta(seconds=CLOCK_LEEWAY_SECONDS + 30)}, "wrong_nbf"),
        ({"iat": timedelta(seconds=CLOCK_LEEWAY_SECONDS + 30)}, "wrong_iat"),
        ({"iat": None}, "wrong_iat"),
        ({"aud": "another"}, "wrong_aud"),
        ({"aud": ["another", "and another"]}, "wrong_aud"),
        ({"aud": None}, "wrong_aud"),
        ({"aud": ["dashboard", "another"]}, "wrong_azp"),
        ({"azp": "another"}, "wrong_azp"),
        ({"iss": "https://login.example.org"}, "wrong_iss"),
        ({"iss": None}, "wrong_iss"),
        ({"nonce": "another"}, "wrong_nonce"),
        ({"nonce": None}, "wrong_nonce"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "wrong_at_hash"),
        ({"sub": None}, "wrong_sub"),
        ({"sub": ""}, "unusable_subject"),
        ({"sub": "x" * 256}, "unusable_subject"),
    ],
    ids=str,
)
def test_an_id_token_that_is_not_right_lets_nobody_in(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, claims: dict[str, object], reason: str
):
    provider.claims = told(claims)

    check_refused(sign_on(visitor), 401, reason, visitor, accounts)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": timedelta(seconds=-CLOCK_LEEWAY_SECONDS + 20)},
        {"iat": timedelta(seconds=CLOCK_LEEWAY_SECONDS - 20)},
        {"azp": "dashboard"},
    ],
    ids=str,
)
def test_clocks_may_be_a_little_apart(provider: OpenIdProvider, visitor: FlaskClient, claims: dict[str, object]):
    provider.claims = told(claims)

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
