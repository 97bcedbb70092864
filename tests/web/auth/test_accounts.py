"""The users: added, found, let in, changed and disabled."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from argon2 import PasswordHasher

from dashboard.auth.accounts import Accounts, EmailTaken, InvalidUser, UserNotFound
from dashboard.auth.passwords import PasswordHashing
from dashboard.database.models import Role
from dashboard.settings.model import Settings
from tests.support.postgres import ON_EVERY_DATABASE_IN_FULL

pytestmark = ON_EVERY_DATABASE_IN_FULL

EMAIL = "rita@example.com"
PASSWORD = "correct horse battery"


def test_a_user_comes_back_as_added(accounts: Accounts):
    before = datetime.now(UTC)
    user = accounts.add(EMAIL, PASSWORD, name="Rita", role=Role.operator)

    assert accounts.by_id(user.id) == accounts.by_email(EMAIL) == user
    assert (user.email, user.name, user.role, user.disabled_at, user.epoch) == (EMAIL, "Rita", Role.operator, None, 0)
    assert before <= user.created_at <= datetime.now(UTC)
    assert user.created_at.tzinfo is UTC


def test_a_user_is_a_value_that_cannot_be_changed(accounts: Accounts):
    user = accounts.add(EMAIL, PASSWORD)

    with pytest.raises(FrozenInstanceError):
        user.role = Role.admin  # type: ignore[misc]
    assert PASSWORD not in repr(user)
    assert "argon2" not in repr(user)


def test_a_user_is_a_viewer_without_a_name_unless_said(accounts: Accounts):
    user = accounts.add(EMAIL, PASSWORD, name="  ")

    assert (user.role, user.name) == (Role.viewer, None)


def test_nobody_is_none(accounts: Accounts):
    assert accounts.by_email(EMAIL) is None
    assert accounts.by_id("u1") is None
    assert accounts.all() == []


@pytest.mark.parametrize("typed", ["Rita@Example.COM", "  rita@example.com\n", "RITA@EXAMPLE.COM"])
def test_an_address_is_one_however_it_is_typed(accounts: Accounts, typed: str):
    user = accounts.add(typed, PASSWORD)

    assert user.email == EMAIL
    assert accounts.by_email(EMAIL) == user
    assert accounts.authenticate(typed, PASSWORD) == user
    with pytest.raises(EmailTaken, match=r"A user rita@example.com already exists"):
        accounts.add(EMAIL, PASSWORD)


@pytest.mark.parametrize(
    "typed", ["ada@example.com", "a@b", "ada+x@example.co.uk", "ada.l@例え.jp", "o'neil@example.com"]
)
def test_what_looks_like_an_address_is_taken(accounts: Accounts, typed: str):
    # A domain is kept as DNS has it.
    assert accounts.add(typed, PASSWORD).email == typed.replace("例え", "xn--r8jz45g")
    assert accounts.authenticate(typed, PASSWORD)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a@b@c",
        "a b@c",
        "a\n@b",
        "a\x1b[31m@b",
        "a\0@b",
        "\ud800@b",
        "a@" + "b" * 300,
    ],
)
def test_what_is_no_address_is_refused(accounts: Accounts, typed: str):
    with pytest.raises(InvalidUser, match=r"such as name@example.com"):
        accounts.add(typed, PASSWORD)


@pytest.mark.parametrize("name", ["x" * 201, "Rita\x1b[31m", "Ri\nta", "\u202eatiR"])
def test_a_name_that_cannot_be_shown_is_refused(accounts: Accounts, name: str):
    with pytest.raises(InvalidUser, match="at most 200 printable characters"):
        accounts.add(EMAIL, PASSWORD, name=name)


def test_all_users_are_listed_by_address(accounts: Accounts):
    for email in ("c@example.com", "a@example.com", "b@example.com"):
        accounts.add(email, PASSWORD)

    assert [user.email for user in accounts.all()] == ["a@example.com", "b@example.com", "c@example.com"]


def test_ensure_adds_a_user_once_and_leaves_what_it_finds(accounts: Accounts):
    first = accounts.ensure(EMAIL, "admin123", name="Demo", role=Role.admin)
    again = accounts.ensure(EMAIL, "another password", name="Other", role=Role.viewer)

    assert again == first
    assert accounts.authenticate(EMAIL, "admin123") == first
    assert accounts.authenticate(EMAIL, "another password") is None


def test_the_right_password_is_the_user(accounts: Accounts):
    user = accounts.add(EMAIL, PASSWORD)

    assert accounts.authenticate(EMAIL, PASSWORD) == user


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "wrong horse battery"),
        (EMAIL, ""),
        (EMAIL, PASSWORD + " "),
        (EMAIL, PASSWORD.upper()),
        ("bob@example.com", PASSWORD),
        ("", ""),
        ("rita", PASSWORD),
        ("' OR 1=1 --@x", PASSWORD),
        ("\ud800@example.com", "\ud800"),
        ("a\0@example.com", "\0"),
    ],
)
def test_any_other_pair_is_nobody(accounts: Accounts, email: str, password: str):
    accounts.add(EMAIL, PASSWORD)

    assert accounts.authenticate(email, password) is None


def test_every_refusal_is_the_same_work(settings: Settings, open_accounts: Callable[..., Accounts]):
    hasher = CountingHasher()
    accounts = open_accounts(settings.accounts_url, PasswordHashing(hasher))
    accounts.prepare()
    accounts.add(EMAIL, PASSWORD)
    accounts.add("gone@example.com", PASSWORD)
    accounts.disable("gone@example.com")

    tries = [
        (EMAIL, "wrong"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("no address", PASSWORD),
    ]
    for count, (email, password) in enumerate(tries, start=1):
        assert accounts.authenticate(email, password) is None
        assert hasher.verified == count


def test_a_new_password_replaces_the_old_and_begins_an_epoch(accounts: Accounts):
    user = accounts.add(EMAIL, PASSWORD)
    changed = accounts.set_password(EMAIL, "another long password")

    assert changed.epoch == user.epoch + 1
    assert accounts.authenticate(EMAIL, PASSWORD) is None
    assert accounts.authenticate(EMAIL, "another long password") == changed


def test_a_disabled_user_stays_known_and_out(accounts: Accounts):
    user = accounts.add(EMAIL, PASSWORD)
    disabled = accounts.disable(EMAIL)

    assert disabled.disabled_at is not None
    assert disabled.disabled_at.tzinfo is UTC
    assert not disabled.enabled
    assert disabled.epoch == user.epoch + 1
    assert accounts.authenticate(EMAIL, PASSWORD) is None
    assert accounts.by_id(user.id) == disabled


def test_disabling_again_keeps_the_first_time(accounts: Accounts):
    accounts.add(EMAIL, PASSWORD)
    first = accounts.disable(EMAIL)

    assert accounts.disable(EMAIL).disabled_at == first.disabled_at


def test_a_new_password_does_not_let_a_disabled_user_in(accounts: Accounts):
    accounts.add(EMAIL, PASSWORD)
    accounts.disable(EMAIL)
    accounts.set_password(EMAIL, "another long password")

    assert accounts.authenticate(EMAIL, "another long password") is None


def test_changes_touch_nobody_else(accounts: Accounts):
    bob = accounts.add("bob@example.com", PASSWORD)
    accounts.add(EMAIL, PASSWORD)
    accounts.set_password(EMAIL, "another long password")
    accounts.disable(EMAIL)

    assert accounts.by_email("bob@example.com") == bob
    assert accounts.authenticate("bob@example.com", PASSWORD) == bob


def test_nobody_cannot_be_changed(accounts: Accounts):
    for change in (accounts.disable, lambda email: accounts.set_password(email, PASSWORD)):
        with pytest.raises(UserNotFound, match=f"User {EMAIL} not found"):
            change(EMAIL)


class CountingHasher(PasswordHasher):
    """Argon2 that knows how often it verified."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.verified += 1
        return super().verify(hash, password)
