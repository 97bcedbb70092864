"""The pages of one release and its entities."""

from functools import cache
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from dashboard.domain.entities import Release
from dashboard.domain.ids import parse_release_id
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.domain.snapshot import Snapshot
from dashboard.live.change_log import with_history
from dashboard.live.topic import HistoryTopic
from dashboard.views.entity.page import EntityPage
from dashboard.views.entity.panel import Panel, PanelPage
from dashboard.views.exports.tables import tree_table
from dashboard.views.kiosk.page import KioskPage
from dashboard.views.kiosk.routes import (
    KIOSK_PARAMETER,
    KIOSK_SHOW_PARAMETER,
    SCREEN_PARAMETERS,
    redirect_to_kiosk,
    requested_kiosk,
)
from dashboard.views.matrix.page import MatrixPage
from dashboard.views.matrix.query import (
    MATRIX_CSV_HEADER,
    MATRIX_PARAMETERS,
    matrix_csv_rows,
    requested_matrix,
)
from dashboard.views.release.initial_expansion import EXPAND_KEYWORDS
from dashboard.views.release.page import HierarchyPage, ReleasePage
from dashboard.views.release.query import (
    RELEASE_OPEN_PARAMETER,
    RELEASE_RUN_PARAMETER,
    RELEASE_SELECTED_PARAMETER,
    RELEASE_SHUT_PARAMETER,
    check_entity,
    requested_release,
)
from dashboard.views.release.tree_query import TREE_PARAMETERS, requested_sort_order, requested_tree_filter
from dashboard.views.strip.page import SmallStrip, StripPage
from dashboard.views.timeline.page import TimelinePage
from dashboard.web.export.csv_writer import csv_response
from dashboard.web.negotiation import Format, requested_format
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_result import PageResult
from dashboard.web.services import services
from dashboard.web.twins import Twins

RUN_ENDPOINTS = frozenset(
    {
        *("web.release", "web.hierarchy", "web.strip", "web.timeline", "web.matrix", "web.matrix_csv"),
        *("web.entity", "web.panel"),
    }
)

blueprint = Blueprint("web", __name__)
twins = Twins(blueprint)


@twins.route("/releases/<id:release_id>")
@api_operation(
    ReleasePage,
    query=(
        RELEASE_RUN_PARAMETER,
        RELEASE_OPEN_PARAMETER,
        RELEASE_SHUT_PARAMETER,
        RELEASE_SELECTED_PARAMETER,
        *TREE_PARAMETERS,
        KIOSK_PARAMETER,
    ),
    responses={302},
    tables=True,
)
def release(release_id: str) -> PageResult:
    """Return a release: its facts, what blocks it, and its tree with most clusters collapsed, or the matching rows.

    `selected` adds the side panel of an entity.
    """
    what, selected = requested_release(release_id), RELEASE_SELECTED_PARAMETER.read()
    opened, shut = RELEASE_OPEN_PARAMETER.read(), RELEASE_SHUT_PARAMETER.read()
    tree_filter, order, run_id = requested_tree_filter(), requested_sort_order(), RELEASE_RUN_PARAMETER.read()
    if selected:
        check_entity(release_id, selected)
    redirect_to_kiosk()
    wanted = opened - EXPAND_KEYWORDS | ({selected} if selected else set())
    whole = tree_filter.picks or requested_format() is not Format.JSON
    seen = services().releases.release(release_id, run_id, whole=whole, opened=wanted)
    if selected:
        seen = with_history(seen, seen.value.history)
    return PageResult(
        HistoryTopic(what) if selected else what,
        seen,
        lambda: ReleasePage.of(seen, opened, shut, tree_filter, order, _panel(seen, selected) if selected else None),
        unfolded=lambda: ReleasePage.unfolded(seen, tree_filter, order),
        since=tree_filter.since,
        # Exports cannot be expanded, so include collapsed rows.
        table=lambda: tree_table(HierarchyPage.of(seen, tree_filter, order)),
    )


@twins.route("/releases/<id:release_id>/hierarchy")
@api_operation(HierarchyPage, query=(RELEASE_RUN_PARAMETER, RELEASE_OPEN_PARAMETER, *TREE_PARAMETERS), tables=True)
def hierarchy(release_id: str) -> PageResult:
    """Return a release with its full tree, or with the expanded part of it if it is too large."""
    what, tree_filter, order = requested_release(release_id), requested_tree_filter(), requested_sort_order()
    seen = services().releases.release(
        release_id, RELEASE_RUN_PARAMETER.read(), whole=True, opened=RELEASE_OPEN_PARAMETER.read()
    )
    page = cache(lambda: HierarchyPage.of(seen, tree_filter, order))
    return PageResult(what, seen, page, since=tree_filter.since, table=lambda: tree_table(page()))


@twins.route("/releases/<id:release_id>/strip")
@api_operation(StripPage, query=(RELEASE_RUN_PARAMETER,))
def strip(release_id: str) -> PageResult:
    """Return a release as a strip of waves and clusters."""
    what = requested_release(release_id)
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read())
    return PageResult(what, seen, lambda: StripPage.of(seen))


@blueprint.get("/releases/<id:release_id>/strip/small")
@api_operation(query=(RELEASE_RUN_PARAMETER,))
def small_strip(release_id: str) -> str:
    """Return the strip for a row of the list, or why there is none."""
    requested_release(release_id)
    try:
        small = SmallStrip.of(services().releases.peek(release_id, RELEASE_RUN_PARAMETER.read()))
    except SourceUnavailable as exc:
        small = SmallStrip.missing(exc.problem.message)
    except NotFound as exc:
        small = SmallStrip.missing(exc.reason)
    return render_template("strip/_small.html", page=small)


@twins.route("/releases/<id:release_id>/timeline")
@api_operation(TimelinePage, query=(RELEASE_RUN_PARAMETER, RELEASE_OPEN_PARAMETER))
def timeline(release_id: str) -> PageResult:
    """Return the timeline of a release, with an estimate of the remaining time."""
    what, opened = requested_release(release_id), RELEASE_OPEN_PARAMETER.read()
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read(), whole=True, opened=opened)
    return PageResult(
        what, seen, lambda: TimelinePage.of(seen, opened), unfolded=lambda: TimelinePage.of(seen, every=True)
    )


@twins.route("/releases/<id:release_id>/matrix")
@api_operation(MatrixPage, query=(RELEASE_RUN_PARAMETER, RELEASE_OPEN_PARAMETER, *MATRIX_PARAMETERS))
def matrix(release_id: str) -> PageResult:
    """Return the apps of a release by cluster, one page at a time."""
    what, asked = requested_release(release_id), requested_matrix(RELEASE_OPEN_PARAMETER.read())
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read(), whole=True, opened=asked.opened)
    return PageResult(what, seen, lambda: MatrixPage.of(seen, asked), paged=True)


@blueprint.get("/releases/<id:release_id>/matrix.csv")
@api_operation(query=(RELEASE_RUN_PARAMETER, RELEASE_OPEN_PARAMETER, *MATRIX_PARAMETERS))
def matrix_csv(release_id: str) -> Response:
    """Export the matrix as CSV, with all pages."""
    parse_release_id(release_id)
    asked = requested_matrix(RELEASE_OPEN_PARAMETER.read())
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read(), whole=True, opened=asked.opened)
    return csv_response(f"{seen.value.root.name} matrix", seen, MATRIX_CSV_HEADER, matrix_csv_rows(seen.value, asked))


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>")
@api_operation(
    EntityPage, query=(RELEASE_RUN_PARAMETER, RELEASE_OPEN_PARAMETER, RELEASE_SHUT_PARAMETER, *TREE_PARAMETERS)
)
def entity(release_id: str, entity_id: str) -> PageResult:
    """Return an entity of a release."""
    what, opened, shut = requested_release(release_id), RELEASE_OPEN_PARAMETER.read(), RELEASE_SHUT_PARAMETER.read()
    tree_filter, order = requested_tree_filter(), requested_sort_order()
    check_entity(release_id, entity_id)
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read(), opened=opened | {entity_id})
    return PageResult(
        what,
        seen,
        lambda: EntityPage.of(seen, entity_id, opened, shut, tree_filter=tree_filter, order=order),
        unfolded=lambda: EntityPage.of(seen, entity_id, every=True, tree_filter=tree_filter, order=order),
        since=tree_filter.since,
    )


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>/panel")
@api_operation(PanelPage, query=(RELEASE_RUN_PARAMETER,))
def panel(release_id: str, entity_id: str) -> PageResult:
    """Return the side panel of an entity."""
    what = requested_release(release_id)
    check_entity(release_id, entity_id)
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read(), opened=frozenset({entity_id}))
    seen = with_history(seen, seen.value.history)
    return PageResult(HistoryTopic(what), seen, lambda: PanelPage.of(seen, _panel(seen, entity_id)))


@twins.route("/kiosk/releases/<id:release_id>")
@api_operation(KioskPage, query=(RELEASE_RUN_PARAMETER, *SCREEN_PARAMETERS, KIOSK_SHOW_PARAMETER))
def kiosk_release(release_id: str) -> PageResult:
    """Show a wall screen with a single release."""
    what, asked = requested_release(release_id), requested_kiosk()
    seen = services().releases.release(release_id, RELEASE_RUN_PARAMETER.read())
    return PageResult(what, seen, lambda: KioskPage.of(seen, seen.value, None, asked.kept))


@blueprint.app_url_defaults
def stay_with_the_run(endpoint: str, values: dict[str, Any]) -> None:
    """Keep the run in links within an earlier run; `run=None` links to the latest."""
    here = (request.view_args or {}).get("release_id")
    if (
        endpoint in RUN_ENDPOINTS
        and here
        and values.get("release_id") == here
        and (run_id := request.args.get(RELEASE_RUN_PARAMETER.name))
    ):
        values.setdefault("run", run_id)


def _panel(seen: Snapshot[Release], entity_id: str) -> Panel:
    release = seen.value
    return Panel.of(seen, entity_id, services().releases.elsewhere(entity_id, release.id, release.execution.run_id))
