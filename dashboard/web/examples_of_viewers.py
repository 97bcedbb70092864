"""Examples of what a viewer keeps for themselves."""

from collections.abc import Iterator

from dashboard.pages.kept import SettingsPage, Star, ViewItem, ViewsBar
from dashboard.web import samples
from dashboard.web.examples import Example, partial

HERE = "/styleguide"
ME = "Ada Example"
OWN = (
    ViewItem(id="v-1", name="Running", query="phase=running", shared=False, default=True, owner=ME),
    ViewItem(id="v-2", name="Broken", query="phase=failed", shared=True, default=False, owner=ME),
)
OTHERS = (ViewItem(id="v-3", name="Checkout", query="q=checkout", shared=True, default=False, owner="Grace Example"),)
STARS = ("release:checkout-2026-47", "release:search-2025-11")


def _bar(asked: str = "", *, starred: bool = False) -> ViewsBar:
    return ViewsBar(views=OWN, others=OTHERS, stars=STARS, asked=asked, starred=starred, here=HERE)


def _settings(*, empty: bool = False) -> SettingsPage:
    return SettingsPage(
        zone="" if empty else "Europe/Berlin",
        hours=None if empty else 24,
        theme="auto",
        views=() if empty else OWN,
        shared_views=() if empty else OTHERS,
        stars=() if empty else STARS,
        zones=("Europe/Berlin", "Europe/Paris"),
        now=samples.NOW,
    )


def views() -> Iterator[Example]:
    """The views above the list, and the star of a release."""
    yield partial("views", "all releases", _bar())
    yield partial("views", "starred", _bar(starred=True))
    yield partial("views", "one's own, being edited", _bar("phase=failed")).opened("own-view")
    yield partial("views", "another user's", _bar("q=checkout"))
    yield partial("views", "a filter, being saved", _bar("phase=paused")).opened("new-view")
    yield partial("views", "those that others share", _bar()).opened("shared-views")
    for starred in (True, False):
        star = Star(release_id="release:checkout-2026-47", starred=starred, here=HERE)
        yield partial("star", "starred" if starred else "not starred", star)


def settings() -> Iterator[Example]:
    """The parts of the settings' page."""
    kept, none = _settings(), _settings(empty=True)
    refused = kept.model_copy(update={"error": "zone: must be a time zone name", "refused": "Mars/Olympus"})
    yield partial("settings_times", "how times are written", kept, "settings")
    yield partial("settings_times", "refused", refused, "settings")
    yield partial("settings_colours", "light or dark", kept, "settings")
    yield partial("settings_views", "views", kept, "settings")
    yield partial("settings_views", "no views", none, "settings")
    yield partial("settings_stars", "stars", kept, "settings")
    yield partial("settings_stars", "no stars", none, "settings")
