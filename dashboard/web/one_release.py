"""The pages of one release: each view shows it, or an entity of it, in another way."""

from functools import cache
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from dashboard.domain.entities import Release
from dashboard.domain.ids import parse_release_id
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.live.history import with_history
from dashboard.live.snapshots import Snapshot
from dashboard.live.watched import Watched
from dashboard.pages.entity import EntityPage
from dashboard.pages.kiosk import KioskPage
from dashboard.pages.matrix import MatrixPage
from dashboard.pages.opening import WORDS
from dashboard.pages.panel import Panel, PanelPage
from dashboard.pages.release import HierarchyPage, ReleasePage
from dashboard.pages.strip import SmallStrip, StripPage
from dashboard.pages.tables import tree_table
from dashboard.pages.timeline import TimelinePage
from dashboard.web.asked import OPEN, RUN, SELECTED, SHUT, check_entity, watched_release
from dashboard.web.csv import csv_answer
from dashboard.web.kiosk import OF_A_SCREEN, SHOW, WALL, asked_turns, go_to_the_wall
from dashboard.web.matrix import HEAD, OF_A_MATRIX, asked_matrix, matrix_lines
from dashboard.web.media import Form, asked_form
from dashboard.web.narrowed import NARROWING, asked_narrowing, asked_order
from dashboard.web.operations import described
from dashboard.web.services import services
from dashboard.web.shown import Shown
from dashboard.web.twins import Twins

OF_A_RUN = frozenset(
    {
        *("web.release", "web.hierarchy", "web.strip", "web.timeline", "web.matrix", "web.matrix_csv"),
        *("web.entity", "web.panel"),
    }
)

blueprint = Blueprint("web", __name__)
twins = Twins(blueprint)


@twins.route("/releases/<id:release_id>")
@described(ReleasePage, query=(RUN, OPEN, SHUT, SELECTED, *NARROWING, WALL), may={302}, tables=True)
def release(release_id: str) -> Shown:
    """Return a release: its facts, what blocks it, and its tree with most clusters collapsed, or the matching rows.

    `selected` adds the side panel of an entity.
    """
    what, opened, shut, selected = watched_release(release_id), OPEN.read(), SHUT.read(), SELECTED.read()
    narrowing, order, run_id = asked_narrowing(), asked_order(), RUN.read()
    if selected:
        check_entity(release_id, selected)
    go_to_the_wall()
    wanted = opened - WORDS | ({selected} if selected else set())
    whole = narrowing.picks or asked_form() is not Form.JSON
    seen = services().releases.release(release_id, run_id, whole=whole, opened=wanted)
    if selected:
        what, seen = _with_history(what, seen)
    return Shown(
        what,
        seen,
        lambda: ReleasePage.of(seen, opened, shut, narrowing, order, _panel(seen, selected) if selected else None),
        unfolded=lambda: ReleasePage.unfolded(seen, narrowing, order),
        since=narrowing.since,
        # What is closed would be missing in a table that nobody can open.
        table=lambda: tree_table(HierarchyPage.of(seen, narrowing, order)),
    )


@twins.route("/releases/<id:release_id>/hierarchy")
@described(HierarchyPage, query=(RUN, OPEN, *NARROWING), tables=True)
def hierarchy(release_id: str) -> Shown:
    """Return a release with its full tree, or with the expanded part of it if it is too large."""
    what, narrowing, order = watched_release(release_id), asked_narrowing(), asked_order()
    seen = services().releases.release(release_id, RUN.read(), whole=True, opened=OPEN.read())
    page = cache(lambda: HierarchyPage.of(seen, narrowing, order))
    return Shown(what, seen, page, since=narrowing.since, table=lambda: tree_table(page()))


@twins.route("/releases/<id:release_id>/strip")
@described(StripPage, query=(RUN,))
def strip(release_id: str) -> Shown:
    """Return a release as a strip of waves and clusters."""
    what = watched_release(release_id)
    seen = services().releases.release(release_id, RUN.read())
    return Shown(what, seen, lambda: StripPage.of(seen))


@blueprint.get("/releases/<id:release_id>/strip/small")
@described(query=(RUN,))
def small_strip(release_id: str) -> str:
    """Return the strip for a row of the list, or why there is none."""
    watched_release(release_id)
    try:
        small = SmallStrip.of(services().releases.glance(release_id, RUN.read()))
    except SourceUnavailable as exc:
        small = SmallStrip.missing(exc.problem.message)
    except NotFound as exc:
        small = SmallStrip.missing(exc.reason)
    return render_template("partials/_strip_small.html", page=small)


@twins.route("/releases/<id:release_id>/timeline")
@described(TimelinePage, query=(RUN, OPEN))
def timeline(release_id: str) -> Shown:
    """Return the timeline of a release, with an estimate of the remaining time."""
    what, opened = watched_release(release_id), OPEN.read()
    seen = services().releases.release(release_id, RUN.read(), whole=True, opened=opened)
    return Shown(what, seen, lambda: TimelinePage.of(seen, opened), unfolded=lambda: TimelinePage.of(seen, every=True))


@twins.route("/releases/<id:release_id>/matrix")
@described(MatrixPage, query=(RUN, OPEN, *OF_A_MATRIX))
def matrix(release_id: str) -> Shown:
    """Return the apps of a release by cluster, one page at a time."""
    what, asked = watched_release(release_id), asked_matrix(OPEN.read())
    seen = services().releases.release(release_id, RUN.read(), whole=True, opened=asked.opened)
    return Shown(what, seen, lambda: MatrixPage.of(seen, asked), paged=True)


@blueprint.get("/releases/<id:release_id>/matrix.csv")
@described(query=(RUN, OPEN, *OF_A_MATRIX))
def matrix_csv(release_id: str) -> Response:
    """Export the matrix as CSV, with all pages."""
    parse_release_id(release_id)
    asked = asked_matrix(OPEN.read())
    seen = services().releases.release(release_id, RUN.read(), whole=True, opened=asked.opened)
    return csv_answer(f"{seen.value.root.name} matrix", seen, HEAD, matrix_lines(seen.value, asked))


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>")
@described(EntityPage, query=(RUN, OPEN, SHUT, *NARROWING))
def entity(release_id: str, entity_id: str) -> Shown:
    """Return an entity of a release."""
    what, opened, shut = watched_release(release_id), OPEN.read(), SHUT.read()
    narrowing, order = asked_narrowing(), asked_order()
    check_entity(release_id, entity_id)
    seen = services().releases.release(release_id, RUN.read(), opened=opened | {entity_id})
    return Shown(
        what,
        seen,
        lambda: EntityPage.of(seen, entity_id, opened, shut, narrowing=narrowing, order=order),
        unfolded=lambda: EntityPage.of(seen, entity_id, every=True, narrowing=narrowing, order=order),
        since=narrowing.since,
    )


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>/panel")
@described(PanelPage, query=(RUN,))
def panel(release_id: str, entity_id: str) -> Shown:
    """Return the side panel of an entity."""
    what = watched_release(release_id)
    check_entity(release_id, entity_id)
    what, seen = _with_history(what, services().releases.release(release_id, RUN.read(), opened=frozenset({entity_id})))
    return Shown(what, seen, lambda: PanelPage.of(seen, _panel(seen, entity_id)))


@twins.route("/kiosk/releases/<id:release_id>")
@described(KioskPage, query=(RUN, *OF_A_SCREEN, SHOW))
def kiosk_release(release_id: str) -> Shown:
    """Show a wall screen with a single release."""
    what, asked = watched_release(release_id), asked_turns()
    seen = services().releases.release(release_id, RUN.read())
    return Shown(what, seen, lambda: KioskPage.of(seen, seen.value, None, asked.kept))


@blueprint.app_url_defaults
def stay_with_the_run(endpoint: str, values: dict[str, Any]) -> None:
    """Links within one run of a release stay with it; `run=None` leads to the latest."""
    here = (request.view_args or {}).get("release_id")
    if endpoint in OF_A_RUN and here and values.get("release_id") == here and (run_id := request.args.get(RUN.name)):
        values.setdefault("run", run_id)


def _with_history(what: Watched, seen: Snapshot[Release]) -> tuple[Watched, Snapshot[Release]]:
    """A release whose page says more than how it stands: what has been seen of it."""
    return Watched("history", what.key), with_history(seen, seen.value.history)


def _panel(seen: Snapshot[Release], entity_id: str) -> Panel:
    release = seen.value
    return Panel.of(seen, entity_id, services().releases.elsewhere(entity_id, release.id, release.execution.run_id))
