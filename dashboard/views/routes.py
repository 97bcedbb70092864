"""The pages: each view reads the request and returns a snapshot and its page.

Those of one release are in `one_release`, registered with these.
"""

from time import monotonic
from typing import Any

from flask import redirect, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from dashboard.auth.database_outage import value_or
from dashboard.domain.filters import MalformedFilter, PageRequest, ReleaseFilter
from dashboard.domain.ids import is_below_release, parse_release_id
from dashboard.domain.kiosk import kiosk_rotation
from dashboard.domain.problem_filter import ProblemFilter
from dashboard.domain.snapshot import Snapshot, SnapshotPair, join_snapshots
from dashboard.live.search import search_page_request
from dashboard.live.topic import ListTopic, OccurrencesTopic, PairTopic, ProblemsTopic, ReleaseTopic, WallTopic
from dashboard.users.preferences.store import MAX_STARS
from dashboard.views.compare.choose import ChoosePage
from dashboard.views.compare.page import ComparePage
from dashboard.views.entity.occurrences import OccurrencesPage
from dashboard.views.exports.tables import problems_table, releases_table, starred_table
from dashboard.views.kiosk.page import KioskPage, KioskRotationView
from dashboard.views.kiosk.routes import (
    KIOSK_PARAMETER,
    KIOSK_SHOW_PARAMETER,
    SCREEN_PARAMETERS,
    redirect_to_kiosk,
    remember_next,
    requested_kiosk,
)
from dashboard.views.problems.page import ProblemsPage
from dashboard.views.release.query import release_parameter
from dashboard.views.release.routes import blueprint, twins
from dashboard.views.releases.export_pages import export_pages
from dashboard.views.releases.page import ReleasesPage
from dashboard.views.releases.query import (
    FILTER_PARAMETERS,
    LIST_CURSOR_PARAMETER,
    LIST_PAGE_PARAMETER,
    LIST_PAGE_SIZE_PARAMETER,
    LIST_STARRED_PARAMETER,
    cursor_sealer,
    requested_slice,
    wants_starred,
)
from dashboard.views.releases.starred import StarredPage
from dashboard.views.search.page import SearchPage
from dashboard.views.search.query import SEARCH_PARAMETER, page_links, requested_search
from dashboard.web.errors import error_response, invalid_parameter
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_result import PageResult
from dashboard.web.query_params import MAX_SEARCH_TEXT_LENGTH, RunIdParameter, TextParameter
from dashboard.web.services import services

__all__ = ["blueprint", "twins"]

MAX_CHOICES = 50
PROBLEM_TEXT_PARAMETER = TextParameter(
    "q", "Problems with this text in their cause, or in the name of an affected entity.", MAX_SEARCH_TEXT_LENGTH
)
PROBLEM_RELEASE_PARAMETER = release_parameter("release", "Problems of this release.")
LEFT_PARAMETER, RIGHT_PARAMETER = (release_parameter(side, f"Release on the {side}.") for side in ("left", "right"))
LEFT_RUN_PARAMETER, RIGHT_RUN_PARAMETER = (
    RunIdParameter(f"{side}_run", f"Run on the {side}. Default: the latest run.") for side in ("left", "right")
)
CURRENT_RELEASE_PARAMETER = release_parameter(
    "in", "Release that the user is viewing; its pages are added to the results."
)


@blueprint.get("/")
def home() -> Response:
    """Redirect to the list, or to the viewer's default view."""
    view = value_or(None, lambda: services().kept.default_view(current_user.id))
    return redirect(url_for("web.releases") + (f"?{view.query}" if view else ""))


@twins.route("/releases")
@api_operation(
    ReleasesPage,
    StarredPage,
    query=(
        *FILTER_PARAMETERS,
        LIST_PAGE_PARAMETER,
        LIST_PAGE_SIZE_PARAMETER,
        LIST_CURSOR_PARAMETER,
        LIST_STARRED_PARAMETER,
        KIOSK_PARAMETER,
    ),
    responses={302},
    tables=True,
)
def releases() -> PageResult:
    """List releases, filtered and paged, or the user's starred releases."""
    starred, asked = wants_starred(), requested_slice()
    redirect_to_kiosk()
    if starred:
        return _starred()
    seen = services().releases.page(asked)
    seal = cursor_sealer(asked.filter)
    return PageResult(
        ListTopic(asked),
        seen,
        lambda: ReleasesPage.of(seen, asked.filter, seal),
        lambda later: {"counted_at": later.value.counted_at},
        table=lambda: releases_table(export_pages(services().releases, asked, seen, seal)),
        paged=True,
    )


def _starred() -> PageResult:
    """Return the starred releases, cached by their IDs: users with the same stars share them."""
    stars = services().kept.stars(current_user.id)
    asked = PageRequest(page_size=MAX_STARS, filter=ReleaseFilter(ids=stars))
    seen = services().releases.page(asked)
    return PageResult(
        ListTopic(asked),
        seen,
        lambda: StarredPage.of(seen),
        personal=True,
        table=lambda: starred_table(StarredPage.of(seen)),
    )


@twins.route("/problems")
@api_operation(ProblemsPage, query=(PROBLEM_TEXT_PARAMETER, PROBLEM_RELEASE_PARAMETER), tables=True)
def problems() -> PageResult:
    """List current problems across releases, grouped by cause."""
    asked = ProblemFilter(PROBLEM_TEXT_PARAMETER.read(), PROBLEM_RELEASE_PARAMETER.read() or "")
    seen = services().releases.problems(asked.release_id)
    return PageResult(
        ProblemsTopic(), seen, lambda: ProblemsPage.of(seen, asked), table=lambda: problems_table(seen, asked)
    )


@twins.route("/compare")
@api_operation(
    ComparePage,
    ChoosePage,
    query=(LEFT_PARAMETER, RIGHT_PARAMETER, LEFT_RUN_PARAMETER, RIGHT_RUN_PARAMETER),
    responses={404},
)
def compare() -> PageResult:
    """Compare two releases. If only one or none is given, list releases to choose from."""
    left, right = LEFT_PARAMETER.read(), RIGHT_PARAMETER.read()
    runs = LEFT_RUN_PARAMETER.read(), RIGHT_RUN_PARAMETER.read()
    if left and right:
        both = services().releases.pair((left, runs[0]), (right, runs[1]))
        what = PairTopic(ReleaseTopic(left, runs[0]), ReleaseTopic(right, runs[1]))
        return PageResult(what, both, lambda: ComparePage.of(both, runs))
    newest = PageRequest(MAX_CHOICES)
    listed = services().releases.page(newest)
    return PageResult(ListTopic(newest), listed, lambda: ChoosePage.of(listed, left, right, runs))


@twins.route("/find")
@api_operation(SearchPage, query=(SEARCH_PARAMETER, CURRENT_RELEASE_PARAMETER))
def find() -> PageResult:
    """Search pages, releases and entities by name."""
    text, release_id = requested_search(), CURRENT_RELEASE_PARAMETER.read()
    found = services().releases.find(text, release_id)
    links = tuple(page_links(release_id))
    return PageResult(
        ListTopic(search_page_request(text)), found, lambda: SearchPage.of(found, text, release_id, links)
    )


@twins.route("/entities/<id:entity_id>")
@api_operation(OccurrencesPage)
def occurrences(entity_id: str) -> PageResult:
    """Find an entity across releases. An ID without an entity type is looked up as a release."""
    if not is_below_release(entity_id):
        parse_release_id(entity_id)
    seen = services().releases.occurrences(entity_id)
    return PageResult(OccurrencesTopic(entity_id), seen, lambda: OccurrencesPage.of(seen))


@twins.route("/kiosk")
@api_operation(KioskPage, query=(*SCREEN_PARAMETERS, KIOSK_SHOW_PARAMETER), responses={404})
def kiosk() -> PageResult:
    """Show a wall screen: releases that need attention or are in progress, one after another."""
    asked, began = requested_kiosk(), monotonic()
    listed = services().releases.page(asked.slice)
    found = kiosk_rotation(listed.value, listed.as_of)
    shown = found.releases[found.place_of(asked.shown)].id if found.releases else None
    view = KioskRotationView.of(found, shown, asked.every)
    if shown is None:
        return PageResult(ListTopic(asked.slice), listed, lambda: KioskPage.of(listed, None, view, asked.kept))
    # Where this one cannot be read, the others have their turn all the same.
    remember_next(view.next_id, asked)
    seen = services().releases.release(shown, spent=monotonic() - began)
    both: Snapshot[SnapshotPair[Any]] = join_snapshots(listed, seen)
    what = WallTopic(ListTopic(asked.slice), ReleaseTopic(shown))
    return PageResult(what, both, lambda: KioskPage.of(both, seen.value, view, asked.kept))


@blueprint.app_errorhandler(MalformedFilter)
def malformed_filter(exc: MalformedFilter) -> Response:
    """Return the error for an invalid filter."""
    return error_response(invalid_parameter(exc.field, exc.reason))
