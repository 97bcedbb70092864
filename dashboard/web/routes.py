"""The pages: each view reads the request and returns what is shown: a snapshot, and the page of it.

Those of one release are in `one_release`, registered with these.
"""

from time import monotonic
from typing import Any

from flask import redirect, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from dashboard.accounts.kept import MAX_STARS
from dashboard.domain.filters import MalformedFilter, ReleaseFilter, Slice
from dashboard.domain.ids import is_below_release, parse_release_id
from dashboard.domain.inbox import Asked
from dashboard.domain.kiosk import turns
from dashboard.live.finder import listing_of
from dashboard.live.snapshots import Pair, Snapshot, joined
from dashboard.live.watched import Watched
from dashboard.pages.choose import ChoosePage
from dashboard.pages.compare import ComparePage
from dashboard.pages.find import FindPage
from dashboard.pages.kiosk import KioskPage, TurnsView
from dashboard.pages.occurrences import OccurrencesPage
from dashboard.pages.problems import ProblemsPage
from dashboard.pages.releases import ReleasesPage
from dashboard.pages.starred import StarredPage
from dashboard.pages.tables import problems_table, releases_table, starred_table
from dashboard.web.asked import a_release
from dashboard.web.away import value_or
from dashboard.web.errors import answer, invalid_parameter
from dashboard.web.finding import WORDS, asked_words, page_links
from dashboard.web.kiosk import OF_A_SCREEN, SHOW, WALL, asked_turns, go_to_the_wall, tell_next
from dashboard.web.listing import CURSOR, FILTER, PAGE, SIZE, STARRED, asked_slice, asked_stars, sealing
from dashboard.web.narrowed import LONGEST_TEXT
from dashboard.web.one_release import blueprint, twins
from dashboard.web.operations import described
from dashboard.web.parameters import RunId, Text
from dashboard.web.services import services
from dashboard.web.shown import Shown
from dashboard.web.walk import walked

__all__ = ["blueprint", "twins"]

MAX_CHOICES = 50
IN_TEXT = Text("q", "Problems with this text in their cause, or in the name of an affected entity.", LONGEST_TEXT)
OF_RELEASE = a_release("release", "Problems of this release.")
LEFT, RIGHT = (a_release(side, f"Release on the {side}.") for side in ("left", "right"))
LEFT_RUN, RIGHT_RUN = (
    RunId(f"{side}_run", f"Run on the {side}. Default: the latest run.") for side in ("left", "right")
)
NEAR = a_release("in", "Release that the user is viewing; its pages are added to the results.")


@blueprint.get("/")
def home() -> Response:
    """Go to the list: to the view of it that the viewer begins with, if they have chosen one."""
    view = value_or(None, lambda: services().kept.default_view(current_user.id))
    return redirect(url_for("web.releases") + (f"?{view.query}" if view else ""))


@twins.route("/releases")
@described(ReleasesPage, StarredPage, query=(*FILTER, PAGE, SIZE, CURSOR, STARRED, WALL), may={302}, tables=True)
def releases() -> Shown:
    """List releases, filtered and paged, or the user's starred releases."""
    starred, asked = asked_stars(), asked_slice()
    go_to_the_wall()
    if starred:
        return _starred()
    seen = services().releases.page(asked)
    seal = sealing(asked.filter)
    return Shown(
        Watched("list", asked),
        seen,
        lambda: ReleasesPage.of(seen, asked.filter, seal),
        lambda later: {"counted_at": later.value.counted_at},
        table=lambda: releases_table(walked(services().releases, asked, seen, seal)),
        paged=True,
    )


def _starred() -> Shown:
    """Kept and shared by the ids alone: who else has starred the same is shown the same."""
    stars = services().kept.stars(current_user.id)
    asked = Slice(page_size=MAX_STARS, filter=ReleaseFilter(ids=stars))
    seen = services().releases.page(asked)
    return Shown(
        Watched("list", asked),
        seen,
        lambda: StarredPage.of(seen),
        personal=True,
        table=lambda: starred_table(StarredPage.of(seen)),
    )


@twins.route("/problems")
@described(ProblemsPage, query=(IN_TEXT, OF_RELEASE), tables=True)
def problems() -> Shown:
    """List current problems across releases, grouped by cause."""
    asked = Asked(IN_TEXT.read(), OF_RELEASE.read() or "")
    seen = services().releases.problems(asked.release_id)
    return Shown(
        Watched("problems"), seen, lambda: ProblemsPage.of(seen, asked), table=lambda: problems_table(seen, asked)
    )


@twins.route("/compare")
@described(ComparePage, ChoosePage, query=(LEFT, RIGHT, LEFT_RUN, RIGHT_RUN), may={404})
def compare() -> Shown:
    """Compare two releases. If only one or none is given, list releases to choose from."""
    left, right = LEFT.read(), RIGHT.read()
    runs = LEFT_RUN.read(), RIGHT_RUN.read()
    if left and right:
        sides = (left, runs[0]), (right, runs[1])
        both = services().releases.pair(*sides)
        return Shown(Watched("pair", sides), both, lambda: ComparePage.of(both, runs))
    newest = Slice(MAX_CHOICES)
    listed = services().releases.page(newest)
    return Shown(Watched("list", newest), listed, lambda: ChoosePage.of(listed, left, right, runs))


@twins.route("/find")
@described(FindPage, query=(WORDS, NEAR))
def find() -> Shown:
    """Search pages, releases and entities by name."""
    text, release_id = asked_words(), NEAR.read()
    found = services().releases.find(text, release_id)
    links = tuple(page_links(release_id))
    return Shown(Watched("list", listing_of(text)), found, lambda: FindPage.of(found, text, release_id, links))


@twins.route("/entities/<id:entity_id>")
@described(OccurrencesPage)
def occurrences(entity_id: str) -> Shown:
    """Find an entity across releases. An ID without an entity type is looked up as a release."""
    if not is_below_release(entity_id):
        parse_release_id(entity_id)
    seen = services().releases.occurrences(entity_id)
    return Shown(Watched("occurrences", entity_id), seen, lambda: OccurrencesPage.of(seen))


@twins.route("/kiosk")
@described(KioskPage, query=(*OF_A_SCREEN, SHOW), may={404})
def kiosk() -> Shown:
    """Show a wall screen: releases that need attention or are in progress, one after another."""
    asked, began = asked_turns(), monotonic()
    listed = services().releases.page(asked.slice)
    found = turns(listed.value, listed.as_of)
    shown = found.releases[found.place_of(asked.shown)].id if found.releases else None
    view = TurnsView.of(found, shown, asked.every)
    if shown is None:
        return Shown(Watched("list", asked.slice), listed, lambda: KioskPage.of(listed, None, view, asked.kept))
    # Where this one cannot be read, the others have their turn all the same.
    tell_next(view.next_id, asked)
    seen = services().releases.release(shown, spent=monotonic() - began)
    both: Snapshot[Pair[Any]] = joined(listed, seen)
    what = Watched("wall", (asked.slice, (shown, None)))
    return Shown(what, both, lambda: KioskPage.of(both, seen.value, view, asked.kept))


@blueprint.app_errorhandler(MalformedFilter)
def malformed_filter(exc: MalformedFilter) -> Response:
    """A filter that cannot be used, as any other parameter."""
    return answer(invalid_parameter(exc.field, exc.reason))
