"""Examples of the profile and of user management."""

from collections.abc import Iterator
from datetime import timedelta

from dashboard.styleguide import samples
from dashboard.styleguide.examples import Example, macro_example, partial_example
from dashboard.users.admin.page import UserItem, UserPage, UsersPage
from dashboard.users.profile.page import ProfilePage, ProfileView, SessionItem

ACCOUNT_CREATED_AT = samples.SAMPLE_NOW - timedelta(days=40)
ADMIN_USER = UserItem(
    id="u-1",
    email="ada@example.com",
    name="Ada Example",
    role="admin",
    disabled=False,
    created_at=ACCOUNT_CREATED_AT,
    disabled_at=None,
    seen_at=samples.SAMPLE_NOW,
    version="1",
)
DISABLED_USER = ADMIN_USER.model_copy(
    update={
        "id": "u-2",
        "email": "grace@example.com",
        "name": None,
        "role": "viewer",
        "disabled": True,
        "disabled_at": samples.SAMPLE_NOW,
        "seen_at": None,
    }
)
CURRENT_SESSION = SessionItem(
    id="s-1",
    device="Firefox on Linux",
    address="192.0.2.7",
    created_at=samples.SAMPLE_NOW - timedelta(hours=2),
    seen_at=samples.SAMPLE_NOW,
    expires_at=samples.SAMPLE_NOW + timedelta(hours=1),
    kept=False,
    current=True,
)
PHONE_SESSION = CURRENT_SESSION.model_copy(
    update={"id": "s-2", "device": "Safari on iPhone", "kept": True, "current": False}
)


def _profile(*sessions: SessionItem) -> ProfilePage:
    who = ProfileView(
        id=ADMIN_USER.id,
        email=ADMIN_USER.email,
        name=ADMIN_USER.name,
        role=ADMIN_USER.role,
        created_at=ADMIN_USER.created_at,
    )
    return ProfilePage(profile=who, sessions=sessions)


def profile_examples() -> Iterator[Example]:
    """Yield the parts of the profile's page."""
    page = _profile(CURRENT_SESSION, PHONE_SESSION)
    yield partial_example("users/profile/_name", "a name", page, "settings")
    refused = page.model_copy(update={"wrong": {"name": "The name must have only printable characters."}, "typed": "A"})
    yield partial_example("users/profile/_name", "refused", refused, "settings")
    yield partial_example("users/profile/_password", "a new password", page, "settings")
    refused = page.model_copy(update={"wrong": {"current": "The current password is wrong."}})
    yield partial_example("users/profile/_password", "refused", refused, "settings")
    yield partial_example("users/profile/_sessions", "two browsers", page, "settings")
    yield partial_example("users/profile/_sessions", "this one alone", _profile(CURRENT_SESSION), "settings")


def user_examples() -> Iterator[Example]:
    """Yield the parts of the pages of users."""
    page = UsersPage(items=(ADMIN_USER, DISABLED_USER), total=120, page=2, page_size=50, q="example")
    yield partial_example("users/admin/_add", "a form that waits", page)
    wrong = {"email": "A user ada@example.com already exists."}
    typed = {"email": ADMIN_USER.email, "name": "", "role": "viewer"}
    yield partial_example("users/admin/_add", "refused", page.model_copy(update={"wrong": wrong, "typed": typed}))
    yield partial_example("users/admin/_list", "a page of several", page)
    yield partial_example(
        "users/admin/_list", "a page beyond the last", page.model_copy(update={"items": (), "page": 9})
    )
    yield macro_example(
        "shared/identity",
        "identity",
        "an address that looks like another's",
        "\N{CYRILLIC SMALL LETTER A}da\u200b@example.com",
    )
    yield partial_example("users/admin/_list", "nobody", page.model_copy(update={"items": (), "total": 0, "page": 1}))
    for state, user, own in (("oneself", ADMIN_USER, True), ("a disabled user", DISABLED_USER, False)):
        yield partial_example("users/admin/_role", state, UserPage(user=user, own=own), "settings")
        yield partial_example("users/admin/_access", state, UserPage(user=user, own=own), "settings")
