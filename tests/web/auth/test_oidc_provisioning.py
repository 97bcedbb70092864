"""Whom the provider's word makes a user, which one, and with what role."""

import json
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from dashboard.auth.accounts import Accounts
from dashboard.auth.oidc.identities import IdentityStore
from dashboard.database.models import Role
from tests.support.oidc_provider import OpenIdProvider, sign_on
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL
from tests.support.refused_inputs import said
from tests.support.signed_on import EMAIL, PASSWORD, events, me


@ON_EVERY_DATABASE_IN_FULL
def test_somebody_is_known_by_their_subject_whatever_their_address(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts
):
    sign_on(visitor)
    first = me(visitor)
    visitor.post("/logout")
    provider.person |= {"email": "rita.married@example.com", "name": "Rita M."}
    sign_on(visitor)
    second = me(visitor)

    assert first is not None
    assert second == first | {"name": "Rita M."}
    assert len(accounts.all()) == 1


@ON_EVERY_DATABASE_IN_FULL
def test_another_subject_is_another_user(provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts):
    sign_on(visitor)
    visitor.post("/logout")
    provider.person |= {"sub": "2", "email": "bob@example.com", "name": None}
    sign_on(visitor)

    assert [user.email for user in accounts.all()] == ["bob@example.com", EMAIL]


def test_no_password_lets_in_who_has_none(visitor: FlaskClient, accounts: Accounts):
    sign_on(visitor)

    assert accounts.authenticate(EMAIL, "") is None
    assert accounts.authenticate(EMAIL, accounts.no_password) is None


@ON_EVERY_DATABASE_IN_FULL
def test_a_user_of_the_same_verified_address_is_the_same(visitor: FlaskClient, accounts: Accounts):
    user = accounts.add(EMAIL.upper(), PASSWORD, role=Role.admin)
    sign_on(visitor)
    found = me(visitor)

    assert found is not None
    assert (found["id"], found["role"]) == (user.id, "admin"), "without a mapping, roles are given here"
    assert [event[0] for event in events(accounts)] == ["user_linked", "name_changed", "login_succeeded"]
    assert accounts.authenticate(EMAIL, PASSWORD) is not None, "the password stays"


@ON_EVERY_DATABASE_IN_FULL
def test_a_verified_address_that_only_looks_the_same_is_nobody_elses(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    bosses = {email: accounts.add(email, PASSWORD, role=Role.admin) for email in ("kiss@strasse.example", "a@b.de")}
    app = sign_on_app(oidc_default_role="viewer")
    given = (
        "kiss@stra\u00dfe.example",
        "ki\u017fs@strasse.example",
        "\u212aiss@strasse.example",
        "ki\u00df@strasse.example",
    )
    for subject, email in enumerate(given):
        browser = app.test_client()
        provider.person |= {"sub": str(subject), "email": email, "email_verified": True}
        assert sign_on(browser).status_code == 303
        assert (me(browser) or {})["role"] == "viewer", email
    for subject, email in enumerate((" a@b.de", "a@b.de\u00a0", "a@\u0432.de.", "a@b\u3002de"), 10):
        provider.person |= {"sub": str(subject), "email": email}
        sign_on(app.test_client())
    same = app.test_client()
    provider.person |= {"sub": "20", "email": "KISS@Strasse.example"}
    sign_on(same)

    assert (me(same) or {})["id"] == bosses["kiss@strasse.example"].id
    assert same.get_cookie("release_dashboard_device"), "who has signed in so is known, too"
    with accounts.session() as session:
        linked = session.execute(text("SELECT user_id FROM identities WHERE subject < '2' OR subject > '20'")).all()
    assert not {user.id for user in bosses.values()} & {row.user_id for row in linked}
    told = [json.loads(details).get("given") for event, _, details in events(accounts) if event != "name_changed"]
    assert set(told) >= {*given, "KISS@Strasse.example", " a@b.de", "a@b.de\\xa0", "a@b\u3002de"}


@pytest.mark.parametrize("verified", [None, False])
def test_an_address_that_is_not_verified_is_never_linked(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts, verified: bool | None
):
    accounts.add(EMAIL, PASSWORD)
    provider.person["email_verified"] = verified
    answer = sign_on(visitor)

    assert answer.status_code == 403
    assert me(visitor) is None
    assert events(accounts)[-1][0] == "login_failed"


@ON_EVERY_DATABASE_IN_FULL
def test_who_has_been_given_somebodys_old_address_is_not_them(
    provider: OpenIdProvider, visitor: FlaskClient, accounts: Accounts
):
    sign_on(visitor)
    visitor.post("/logout")
    provider.person["sub"] = "somebody new"
    answer = sign_on(visitor)

    assert (answer.status_code, me(visitor)) == (403, None)
    assert "An account with your e-mail address already exists" in said(answer)
    # Until an admin says that they are.
    IdentityStore(accounts).forget(accounts.known(EMAIL))
    assert sign_on(visitor).status_code == 303


def test_where_the_provider_does_not_say_whether_it_is_verified_a_new_user_is_added(
    provider: OpenIdProvider, visitor: FlaskClient
):
    provider.person["email_verified"] = None

    assert sign_on(visitor).status_code == 303


@ON_EVERY_DATABASE_IN_FULL
def test_a_disabled_user_stays_out(visitor: FlaskClient, accounts: Accounts):
    sign_on(visitor)
    accounts.disable(EMAIL)
    assert me(visitor) is None
    answer = sign_on(visitor)

    assert (answer.status_code, me(visitor)) == (403, None)
    assert "disabled" in said(answer)
    assert '"reason": "disabled"' in events(accounts)[-1][2]


@ON_EVERY_DATABASE_IN_FULL
def test_without_a_role_for_new_users_those_alone_get_in_whom_an_admin_has_added(
    sign_on_app: Callable[..., Flask], accounts: Accounts
):
    browser = sign_on_app(oidc_default_role=None).test_client()
    answer = sign_on(browser)
    assert (answer.status_code, accounts.all()) == (403, [])
    assert "You have no account on this dashboard yet" in said(answer)
    accounts.add(EMAIL, PASSWORD)

    assert sign_on(browser).status_code == 303


MAPPING = {"releases-read": "viewer", "releases-run": "operator", "releases-admin": "admin"}


def test_the_role_is_the_highest_that_a_claim_gives_and_follows_it(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    app = sign_on_app(oidc_roles=MAPPING, oidc_role_claim="realm_access.roles", oidc_default_role=None)
    roles = []
    for held in (["releases-run", "x", "releases-read"], ["releases-admin"], ["releases-read"]):
        provider.person["realm_access"] = {"roles": held}
        browser = app.test_client()
        sign_on(browser)
        roles.append((me(browser) or {})["role"])

    assert roles == ["operator", "admin", "viewer"]
    assert [event for event, *_ in events(accounts)].count("role_changed") == 2


@ON_EVERY_DATABASE_IN_FULL
def test_another_role_ends_the_sessions_that_had_the_one_before(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask]
):
    app = sign_on_app(oidc_roles=MAPPING)
    provider.person["groups"] = ["releases-admin"]
    one, other = app.test_client(), app.test_client()
    sign_on(one)
    provider.person["groups"] = ["releases-read"]
    sign_on(other)

    assert me(one) is None
    assert (me(other) or {})["role"] == "viewer"


def test_who_has_lost_every_role_is_refused(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    browser = sign_on_app(oidc_roles=MAPPING, oidc_default_role=None).test_client()
    provider.person["groups"] = ["releases-admin"]
    assert sign_on(browser).status_code == 303
    browser.post("/logout")
    provider.person["groups"] = ["canteen"]
    answer = sign_on(browser)

    assert (answer.status_code, me(browser)) == (403, None)
    assert "did not assign you a role" in said(answer)
    assert '"reason": "no_role"' in events(accounts)[-1][2]


def test_who_matches_nothing_has_the_default_role_again(
    provider: OpenIdProvider, sign_on_app: Callable[..., Flask], accounts: Accounts
):
    accounts.add(EMAIL, PASSWORD, role=Role.admin)
    browser = sign_on_app(oidc_roles=MAPPING, oidc_default_role="viewer").test_client()
    sign_on(browser)

    assert (me(browser) or {})["role"] == "viewer"
