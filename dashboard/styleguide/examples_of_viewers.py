"""Examples of what a viewer keeps for themselves."""

from collections.abc import Iterator

from dashboard.styleguide import samples
from dashboard.styleguide.examples import Example, partial_example
from dashboard.users.preferences.page import SettingsPage, Star, ViewItem, ViewsBar

STYLEGUIDE_PATH = "/styleguide"
VIEWER_NAME = "Ada Example"
OWN_VIEWS = (
    ViewItem(id="v-1", name="Running", query="phase=running", shared=False, default=True, owner=VIEWER_NAME),
    ViewItem(id="v-2", name="Broken", query="phase=failed", shared=True, default=False, owner=VIEWER_NAME),
)
SHARED_VIEWS = (
    ViewItem(id="v-3", name="Checkout", query="q=checkout", shared=True, default=False, owner="Grace Example"),
)
STARRED_IDS = ("release:checkout-2026-47", "release:search-2025-11")


def _views_bar(asked: str = "", *, starred: bool = False) -> ViewsBar:
    return ViewsBar(
        views=OWN_VIEWS, others=SHARED_VIEWS, stars=STARRED_IDS, asked=asked, starred=starred, here=STYLEGUIDE_PATH
    )


def _settings_page(*, empty: bool = False) -> SettingsPage:
    return SettingsPage(
        zone="" if empty else "Europe/Berlin",
        hours=None if empty else 24,
        theme="auto",
        views=() if empty else OWN_VIEWS,
        shared_views=() if empty else SHARED_VIEWS,
        stars=() if empty else STARRED_IDS,
        zones=("Europe/Berlin", "Europe/Paris"),
        now=samples.SAMPLE_NOW,
    )


def view_examples() -> Iterator[Example]:
    """Yield the views above the list, and the star of a release."""
    yield partial_example("users/preferences/_views_bar", "all releases", _views_bar())
    yield partial_example("users/preferences/_views_bar", "starred", _views_bar(starred=True))
    yield partial_example("users/preferences/_views_bar", "one's own, being edited", _views_bar("phase=failed")).opened(
        "own-view"
    )
    yield partial_example("users/preferences/_views_bar", "another user's", _views_bar("q=checkout"))
    yield partial_example("users/preferences/_views_bar", "a filter, being saved", _views_bar("phase=paused")).opened(
        "new-view"
    )
    yield partial_example("users/preferences/_views_bar", "those that others share", _views_bar()).opened(
        "shared-views"
    )
    for starred in (True, False):
        star = Star(release_id="release:checkout-2026-47", starred=starred, here=STYLEGUIDE_PATH)
        yield partial_example("users/preferences/_star", "starred" if starred else "not starred", star)


def settings_examples() -> Iterator[Example]:
    """Yield the parts of the settings' page."""
    kept, none = _settings_page(), _settings_page(empty=True)
    refused = kept.model_copy(update={"error": "zone: must be a time zone name", "refused": "Mars/Olympus"})
    yield partial_example("users/preferences/_times", "how times are written", kept, "settings")
    yield partial_example("users/preferences/_times", "refused", refused, "settings")
    yield partial_example("users/preferences/_colours", "light or dark", kept, "settings")
    yield partial_example("users/preferences/_views", "views", kept, "settings")
    yield partial_example("users/preferences/_views", "no views", none, "settings")
    yield partial_example("users/preferences/_stars", "stars", kept, "settings")
    yield partial_example("users/preferences/_stars", "no stars", none, "settings")
