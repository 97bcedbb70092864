"""The pages: each view reads the request and returns a Page."""

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from dashboard.domain.ids import EntityType, parse_entity_id, parse_release_id
from dashboard.domain.narrowing import Narrowing
from dashboard.domain.phases import Phase
from dashboard.live.releases import LiveReleases
from dashboard.pages.base import Page
from dashboard.pages.entity import EntityPage
from dashboard.pages.occurrences import OccurrencesPage
from dashboard.pages.problems import ProblemsPage
from dashboard.pages.release import HierarchyPage, ReleasePage
from dashboard.pages.releases import ReleasesPage
from dashboard.web.errors import invalid_parameter
from dashboard.web.twins import Twins

MAX_PAGE_SIZE = 100
# One visibility call carries at most so many releases: a page further down would take a walk through the namespace.
REACH = 1_000
MAX_OPEN = 500

blueprint = Blueprint("web", __name__)
twins = Twins(blueprint)


@blueprint.get("/")
def home() -> Response:
    """Go to the list."""
    return redirect(url_for("web.releases"))


@twins.route("/releases")
def releases() -> Page:
    """The list, paged."""
    page, page_size = _paging()
    return ReleasesPage.of(_live().page(page, page_size))


@twins.route("/releases/<id:release_id>")
def release(release_id: str) -> Page:
    """One release: its facts, what blocks it, and its tree with most clusters closed."""
    parse_release_id(release_id)
    return ReleasePage.of(_live().release(release_id), _open_ids())


@twins.route("/releases/<id:release_id>/hierarchy")
def hierarchy(release_id: str) -> Page:
    """One release with its whole tree."""
    parse_release_id(release_id)
    return HierarchyPage.of(_live().release(release_id, whole=True), _narrowing())


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>")
def entity(release_id: str, entity_id: str) -> Page:
    """One entity of a release."""
    parse_release_id(release_id)
    parse_entity_id(entity_id)
    return EntityPage.of(_live().release(release_id), entity_id, _open_ids())


@twins.route("/entities/<id:entity_id>")
def occurrences(entity_id: str) -> Page:
    """One entity wherever it occurs."""
    parse_entity_id(entity_id)
    return OccurrencesPage.of(_live().occurrences(entity_id))


@twins.route("/problems")
def problems() -> Page:
    """What is broken now, across releases, grouped by cause."""
    return ProblemsPage.of(_live().problems())


def _live() -> LiveReleases:
    live: LiveReleases = current_app.extensions["releases"]
    return live


def _paging() -> tuple[int, int]:
    page_size = _whole("page_size", 20, MAX_PAGE_SIZE)
    page = _whole("page", 1, REACH)
    if page * page_size > REACH:
        last = REACH // page_size
        reach = f"the list reaches the newest {REACH:,} releases"
        raise invalid_parameter("page", f"takes a whole number from 1 to {last} with page_size {page_size}: {reach}")
    return page, page_size


def _whole(name: str, default: int, most: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise invalid_parameter(name, f"takes a whole number from 1 to {most}")
    return int(text)


def _narrowing() -> Narrowing:
    """What part of the tree is wanted: `depth` levels from the release down, and rows in these phases alone."""
    depth = _whole("depth", len(EntityType), len(EntityType))
    wanted = {name for given in request.args.getlist("phase") for name in given.split(",") if name}
    if unknown := wanted - set(Phase):
        raise invalid_parameter("phase", f"takes {', '.join(Phase)}, and not {', '.join(sorted(unknown))}")
    return Narrowing(depth, frozenset(Phase(name) for name in wanted))


def _open_ids() -> frozenset[str]:
    """The clusters that the viewer has opened: `open` may stand in the address any number of times."""
    ids = request.args.getlist("open")
    if len(ids) > MAX_OPEN:
        raise invalid_parameter("open", f"takes at most {MAX_OPEN} ids")
    return frozenset(ids)
