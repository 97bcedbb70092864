"""What users keep for themselves: each their own, bounded, and gone with the user."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from dashboard.auth.accounts import Accounts
from dashboard.database.models import User, UserRow
from dashboard.users.preferences.store import (
    MAX_LISTED_SHARED_VIEWS,
    MAX_STARS,
    MAX_VIEW_QUERY_LENGTH,
    MAX_VIEWS,
    InvalidPreference,
    Preferences,
    PreferencesStore,
    SavedView,
    ViewNotFound,
    normalize_zone,
    time_zone_names,
)
from tests.support.harness import CHEAP, PASSWORD, UNHURRIED


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    accounts = Accounts(f"sqlite:///{tmp_path / 'accounts.db'}", CHEAP, UNHURRIED)
    accounts.prepare()
    yield accounts
    accounts.close()


@pytest.fixture
def kept(accounts: Accounts) -> PreferencesStore:
    return PreferencesStore(accounts)


@pytest.fixture
def rita(accounts: Accounts) -> User:
    return accounts.add("rita@example.com", PASSWORD, name="Rita")


@pytest.fixture
def zoe(accounts: Accounts) -> User:
    return accounts.add("zoe@example.com", PASSWORD)


def test_who_has_said_nothing_sees_times_as_the_browser_writes_them(kept: PreferencesStore, rita: User):
    assert kept.preferences(rita.id) == Preferences("", None)


def test_times_are_kept_for_each_user(kept: PreferencesStore, rita: User, zoe: User):
    kept.set_preferences(rita.id, Preferences("europe/berlin ", 24))
    kept.set_preferences(zoe.id, Preferences("America/New_York", 12))
    kept.set_preferences(zoe.id, Preferences("", 12))
    assert kept.preferences(rita.id) == Preferences("Europe/Berlin", 24)
    assert kept.preferences(zoe.id) == Preferences("", 12)


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "Europe", "Factory", "localtime", "UTC+1", "a\0b"])
def test_a_zone_that_is_none_is_refused(kept: PreferencesStore, rita: User, zone: str):
    with pytest.raises(InvalidPreference, match="zone: must be a time zone name such as Europe/Berlin"):
        kept.set_preferences(rita.id, Preferences(zone))
    assert kept.preferences(rita.id) == Preferences()


def test_every_zone_that_is_offered_is_taken():
    assert {"Europe/Berlin", "UTC", "Asia/Kolkata"} <= set(time_zone_names().values())
    assert [normalize_zone(name) for name in time_zone_names().values()] == list(time_zone_names().values())


@pytest.mark.parametrize("hours", [0, 13, 1200])
def test_hours_are_12_or_24(kept: PreferencesStore, rita: User, hours: int):
    with pytest.raises(InvalidPreference, match="hours: must be 12 or 24"):
        kept.set_preferences(rita.id, Preferences("", hours))


def test_views_are_the_users_own_by_name(kept: PreferencesStore, rita: User, zoe: User):
    second = kept.add_view(rita.id, " payments ", "q=pay")
    first = kept.add_view(rita.id, "Failed today", "phase=failed&since=24h")
    kept.add_view(zoe.id, "payments", "q=release%3Apay")
    assert kept.views(rita.id) == (
        SavedView(first, "Failed today", "phase=failed&since=24h", shared=False, default=False, owner="Rita"),
        SavedView(second, "payments", "q=pay", shared=False, default=False, owner="Rita"),
    )
    assert [view.query for view in kept.views(zoe.id)] == ["q=release%3Apay"]
    assert kept.views_of_others(zoe.id) == ()


def test_a_shared_view_is_shown_to_all_others_with_whose_it_is(
    kept: PreferencesStore, accounts: Accounts, rita: User, zoe: User
):
    view = kept.add_view(zoe.id, "Ours", "q=a", shared=True)
    assert kept.views_of_others(rita.id) == (
        SavedView(view, "Ours", "q=a", shared=True, default=False, owner=zoe.email),
    )
    assert kept.views_of_others(zoe.id) == ()
    accounts.disable(zoe.email)
    assert kept.views_of_others(rita.id) == ()


def test_only_its_owner_changes_or_removes_a_view(kept: PreferencesStore, rita: User, zoe: User):
    view = kept.add_view(rita.id, "Ours", "q=a", shared=True)
    with pytest.raises(ViewNotFound):
        kept.change_view(zoe.id, view, "Mine", "q=b", shared=False)
    with pytest.raises(ViewNotFound):
        kept.set_default(zoe.id, view)
    kept.remove_view(zoe.id, view)
    assert [(view.name, view.query) for view in kept.views(rita.id)] == [("Ours", "q=a")]
    kept.change_view(rita.id, view, "Other", "q=b", shared=False)
    assert [(view.name, view.query, view.shared) for view in kept.views(rita.id)] == [("Other", "q=b", False)]
    kept.remove_view(rita.id, view)
    kept.remove_view(rita.id, view)
    assert kept.views(rita.id) == ()


def test_one_view_is_the_default_until_another_is_or_it_is_removed(kept: PreferencesStore, rita: User):
    views = [kept.add_view(rita.id, name, "q=a") for name in "ab"]
    kept.set_preferences(rita.id, Preferences("UTC", None))
    for view in views:
        kept.set_default(rita.id, view)
        assert [view.id for view in kept.views(rita.id) if view.default] == [view]
    kept.remove_view(rita.id, views[1])
    assert kept.default_view(rita.id) is None
    kept.set_default(rita.id, views[0])
    kept.set_default(rita.id, None)
    assert kept.default_view(rita.id) is None
    assert kept.preferences(rita.id) == Preferences("UTC", None)


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\nb", "a\x00b", "a\u2028b", "a\u202eb"])
def test_a_name_is_short_and_can_be_printed(kept: PreferencesStore, rita: User, name: str):
    with pytest.raises(InvalidPreference, match="name: must have 1 to 60 printable characters"):
        kept.add_view(rita.id, name, "q=a")


@pytest.mark.parametrize("query", ["", "x" * (MAX_VIEW_QUERY_LENGTH + 1)])
def test_a_filter_is_bounded(kept: PreferencesStore, rita: User, query: str):
    with pytest.raises(InvalidPreference, match="query: must be a filter"):
        kept.add_view(rita.id, "name", query)


def test_a_name_is_given_once(kept: PreferencesStore, rita: User):
    kept.add_view(rita.id, "a", "q=a")
    other = kept.add_view(rita.id, "b", "q=a")
    with pytest.raises(InvalidPreference, match="name: a view named a already exists"):
        kept.add_view(rita.id, " a", "q=b")
    with pytest.raises(InvalidPreference, match="already exists"):
        kept.change_view(rita.id, other, "a", "q=b", shared=False)


def test_views_are_bounded_those_of_all_others_too(kept: PreferencesStore, accounts: Accounts, rita: User, zoe: User):
    for number in range(MAX_VIEWS):
        kept.add_view(rita.id, f"{number}", "q=a", shared=True)
    with pytest.raises(InvalidPreference, match="limit of 50 views reached"):
        kept.add_view(rita.id, "more", "q=a")
    kept.add_view(accounts.add("bob@example.com", PASSWORD).id, "newest", "q=a", shared=True)
    shown = kept.views_of_others(zoe.id)
    assert len(shown) == MAX_LISTED_SHARED_VIEWS
    assert shown[0].name == "newest"


def test_stars_are_the_users_own_and_each_is_there_once(kept: PreferencesStore, rita: User, zoe: User):
    for release in ("release:b", "release:a", "release:b"):
        kept.star(rita.id, release)
    kept.star(zoe.id, "release:c")
    assert kept.stars(rita.id) == ("release:a", "release:b")
    kept.unstar(rita.id, "release:a")
    kept.unstar(rita.id, "release:c")
    assert kept.stars(rita.id) == ("release:b",)
    assert kept.stars(zoe.id) == ("release:c",)


def test_there_are_never_more_stars_than_are_kept(kept: PreferencesStore, rita: User):
    for number in range(MAX_STARS):
        kept.star(rita.id, f"release:{number:03}")
    kept.star(rita.id, kept.stars(rita.id)[0])
    with pytest.raises(InvalidPreference, match="star: limit of 100 stars reached"):
        kept.star(rita.id, "release:more")
    assert len(kept.stars(rita.id)) == MAX_STARS


def test_all_that_a_user_kept_goes_with_the_user(kept: PreferencesStore, accounts: Accounts, rita: User, zoe: User):
    for user in (rita, zoe):
        kept.star(user.id, "release:a")
        kept.set_default(user.id, kept.add_view(user.id, "a", "q=a", shared=True))
    with accounts.session() as session:
        session.execute(delete(UserRow).where(UserRow.id == rita.id))
    assert kept.stars(rita.id) == kept.views(rita.id) == kept.views_of_others(zoe.id) == ()
    assert kept.default_view(rita.id) is None
    assert kept.stars(zoe.id) == ("release:a",)
