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
    """The views above the list, and the star of a release."""
    yield partial_example("views", "all releases", _views_bar())
    yield partial_example("views", "starred", _views_bar(starred=True))
    yield partial_example("views", "one's own, being edited", _views_bar("phase=failed")).opened("own-view")
    yield partial_example("views", "another user's", _views_bar("q=checkout"))
    yield partial_example("views", "a filter, being saved", _views_bar("phase=paused")).opened("new-view")
    yield partial_example("views", "those that others share", _views_bar()).opened("shared-views")
    for starred in (True, False):
        star = Star(release_id="release:checkout-2026-47", starred=starred, here=STYLEGUIDE_PATH)
        yield partial_example("star", "starred" if starred else "not starred", star)


def settings_examples() -> Iterator[Example]:
    """The parts of the settings' page."""
    kept, none = _settings_page(), _settings_page(empty=True)
    refused = kept.model_copy(update={"error": "zone: must be a time zone name", "refused": "Mars/Olympus"})
    yield partial_example("settings_times", "how times are written", kept, "settings")
    yield partial_example("settings_times", "refused", refused, "settings")
    yield partial_example("settings_colours", "light or dark", kept, "settings")
    yield partial_example("settings_views", "views", kept, "settings")
    yield partial_example("settings_views", "no views", none, "settings")
    yield partial_example("settings_stars", "stars", kept, "settings")
    yield partial_example("settings_stars", "no stars", none, "settings")
