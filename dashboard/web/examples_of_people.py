"""Examples of one's own profile, and of users as admins are shown them."""

from collections.abc import Iterator
from datetime import timedelta

from dashboard.pages.profile import ProfilePage, ProfileView, SessionItem
from dashboard.pages.users import UserItem, UserPage, UsersPage
from dashboard.web import samples
from dashboard.web.examples import Example, macro, partial

BEGUN = samples.NOW - timedelta(days=40)
ADA = UserItem(
    id="u-1",
    email="ada@example.com",
    name="Ada Example",
    role="admin",
    disabled=False,
    created_at=BEGUN,
    disabled_at=None,
    seen_at=samples.NOW,
    version="1",
)
GONE = ADA.model_copy(
    update={
        "id": "u-2",
        "email": "grace@example.com",
        "name": None,
        "role": "viewer",
        "disabled": True,
        "disabled_at": samples.NOW,
        "seen_at": None,
    }
)
HERE = SessionItem(
    id="s-1",
    device="Firefox on Linux",
    address="192.0.2.7",
    created_at=samples.NOW - timedelta(hours=2),
    seen_at=samples.NOW,
    expires_at=samples.NOW + timedelta(hours=1),
    kept=False,
    current=True,
)
PHONE = HERE.model_copy(update={"id": "s-2", "device": "Safari on iPhone", "kept": True, "current": False})


def _profile(*sessions: SessionItem) -> ProfilePage:
    who = ProfileView(id=ADA.id, email=ADA.email, name=ADA.name, role=ADA.role, created_at=ADA.created_at)
    return ProfilePage(profile=who, sessions=sessions)


def profiles() -> Iterator[Example]:
    """The parts of the profile's page."""
    page = _profile(HERE, PHONE)
    yield partial("profile_name", "a name", page, "settings")
    refused = page.model_copy(update={"wrong": {"name": "The name must have only printable characters."}, "typed": "A"})
    yield partial("profile_name", "refused", refused, "settings")
    yield partial("profile_password", "a new password", page, "settings")
    refused = page.model_copy(update={"wrong": {"current": "The current password is wrong."}})
    yield partial("profile_password", "refused", refused, "settings")
    yield partial("profile_sessions", "two browsers", page, "settings")
    yield partial("profile_sessions", "this one alone", _profile(HERE), "settings")


def users() -> Iterator[Example]:
    """The parts of the pages of users."""
    page = UsersPage(items=(ADA, GONE), total=120, page=2, page_size=50, q="example")
    yield partial("users_add", "a form that waits", page)
    wrong = {"email": "A user ada@example.com already exists."}
    typed = {"email": ADA.email, "name": "", "role": "viewer"}
    yield partial("users_add", "refused", page.model_copy(update={"wrong": wrong, "typed": typed}))
    yield partial("users_list", "a page of several", page)
    yield partial("users_list", "a page beyond the last", page.model_copy(update={"items": (), "page": 9}))
    yield macro(
        "identity",
        "identity",
        "an address that looks like another's",
        "\N{CYRILLIC SMALL LETTER A}da\u200b@example.com",
    )
    yield partial("users_list", "nobody", page.model_copy(update={"items": (), "total": 0, "page": 1}))
    for state, user, own in (("oneself", ADA, True), ("a disabled user", GONE, False)):
        yield partial("user_role", state, UserPage(user=user, own=own), "settings")
        yield partial("user_access", state, UserPage(user=user, own=own), "settings")
