"""The pages: each view reads the request and returns a Page."""

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from dashboard.domain.filters import MalformedFilter
from dashboard.domain.ids import parse_entity_id, parse_release_id
from dashboard.live.releases import LiveReleases
from dashboard.pages.base import Page
from dashboard.pages.entity import EntityPage
from dashboard.pages.occurrences import OccurrencesPage
from dashboard.pages.release import HierarchyPage, ReleasePage
from dashboard.pages.releases import ReleasesPage
from dashboard.web.errors import answer, invalid_parameter
from dashboard.web.listing import asked_slice, sealing
from dashboard.web.twins import Twins

MAX_OPEN = 500

blueprint = Blueprint("web", __name__)
twins = Twins(blueprint)


@blueprint.get("/")
def home() -> Response:
    """Go to the list."""
    return redirect(url_for("web.releases"))


@twins.route("/releases")
def releases() -> Page:
    """The list, filtered and paged."""
    asked = asked_slice()
    return ReleasesPage.of(_live().page(asked), asked.filter, sealing(asked.filter))


@twins.route("/releases/<id:release_id>")
def release(release_id: str) -> Page:
    """One release: its facts, what blocks it, and its tree with most clusters closed."""
    parse_release_id(release_id)
    return ReleasePage.of(_live().release(release_id), _open_ids())


@twins.route("/releases/<id:release_id>/hierarchy")
def hierarchy(release_id: str) -> Page:
    """One release with its whole tree."""
    parse_release_id(release_id)
    return HierarchyPage.of(_live().release(release_id))


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


@blueprint.app_errorhandler(MalformedFilter)
def malformed_filter(exc: MalformedFilter) -> Response:
    """A filter that cannot be used, as any other parameter."""
    return answer(invalid_parameter(exc.field, exc.reason))


def _live() -> LiveReleases:
    live: LiveReleases = current_app.extensions["releases"]
    return live


def _open_ids() -> frozenset[str]:
    """The clusters that the viewer has opened: `open` may stand in the address any number of times."""
    ids = request.args.getlist("open")
    if len(ids) > MAX_OPEN:
        raise invalid_parameter("open", f"takes at most {MAX_OPEN} ids")
    return frozenset(ids)
