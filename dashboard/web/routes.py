"""The pages: each view reads the request and returns what is shown: a snapshot, and the page of it."""

from time import monotonic
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from dashboard.accounts.kept import MAX_STARS
from dashboard.domain.entities import Release
from dashboard.domain.filters import MalformedFilter, ReleaseFilter, Slice
from dashboard.domain.ids import parse_entity_id, parse_release_id
from dashboard.domain.inbox import Asked
from dashboard.domain.kiosk import turns
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.live.finder import listing_of
from dashboard.live.history import with_history
from dashboard.live.releases import LiveReleases
from dashboard.live.snapshots import Pair, Snapshot, joined
from dashboard.live.watched import Watched
from dashboard.pages.choose import ChoosePage
from dashboard.pages.compare import ComparePage
from dashboard.pages.entity import EntityPage
from dashboard.pages.find import FindPage
from dashboard.pages.kiosk import KioskPage, TurnsView
from dashboard.pages.matrix import MatrixPage
from dashboard.pages.occurrences import OccurrencesPage
from dashboard.pages.opening import WORDS
from dashboard.pages.panel import Panel, PanelPage
from dashboard.pages.problems import ProblemsPage
from dashboard.pages.release import HierarchyPage, ReleasePage
from dashboard.pages.releases import ReleasesPage
from dashboard.pages.starred import StarredPage
from dashboard.pages.strip import SmallStrip, StripPage
from dashboard.pages.timeline import TimelinePage
from dashboard.web.csv import csv_answer
from dashboard.web.errors import answer, invalid_parameter
from dashboard.web.finding import asked_release, asked_words, page_links
from dashboard.web.kept import the_kept
from dashboard.web.kiosk import asked_turns, tell_next
from dashboard.web.listing import asked_slice, asked_stars, sealing
from dashboard.web.matrix import HEAD, asked_matrix, matrix_lines
from dashboard.web.narrowed import asked_narrowing, asked_order, asked_text
from dashboard.web.shown import Shown
from dashboard.web.twins import Twins

MAX_OPEN = 500
MAX_CHOICES = 50
OF_A_RUN = frozenset(
    {
        *("web.release", "web.hierarchy", "web.strip", "web.timeline", "web.matrix", "web.matrix_csv"),
        *("web.entity", "web.panel"),
    }
)

blueprint = Blueprint("web", __name__)
twins = Twins(blueprint)


@blueprint.get("/")
def home() -> Response:
    """Go to the list: to the view of it that the viewer begins with, if they have chosen one."""
    view = the_kept().default_view(current_user.id)
    return redirect(url_for("web.releases") + (f"?{view.query}" if view else ""))


@twins.route("/releases")
def releases() -> Shown:
    """The list, filtered and paged, or what the viewer has starred."""
    if asked_stars():
        return _starred()
    asked = asked_slice()
    seen = _live().page(asked)
    seal = sealing(asked.filter)
    return Shown(
        Watched("list", asked),
        seen,
        lambda: ReleasesPage.of(seen, asked.filter, seal),
        lambda later: {"counted_at": later.value.counted_at},
    )


def _starred() -> Shown:
    """Kept and shared by the ids alone: who else has starred the same is shown the same."""
    stars = the_kept().stars(current_user.id)
    asked = Slice(page_size=MAX_STARS, filter=ReleaseFilter(ids=stars))
    seen = _live().page(asked)
    return Shown(Watched("list", asked), seen, lambda: StarredPage.of(seen), personal=True)


@twins.route("/releases/<id:release_id>")
def release(release_id: str) -> Shown:
    """One release: its facts, what blocks it, and its tree with most clusters closed, or what of it matches.

    What is selected stands beside the tree.
    """
    what, opened, shut, selected = _watched(release_id), _ids("open"), _ids("shut"), _selected()
    narrowing, order = asked_narrowing(), asked_order()
    wanted = opened - WORDS | ({selected} if selected else set())
    seen = _live().release(release_id, asked_run(), whole=narrowing.picks, opened=wanted)
    if selected:
        what, seen = _with_history(what, seen)
    return Shown(
        what,
        seen,
        lambda: ReleasePage.of(seen, opened, shut, narrowing, order, _panel(seen, selected) if selected else None),
        unfolded=lambda: ReleasePage.unfolded(seen, narrowing, order),
        since=narrowing.since,
    )


@twins.route("/releases/<id:release_id>/hierarchy")
def hierarchy(release_id: str) -> Shown:
    """One release with its whole tree, or as far as one is opened that is too large for that."""
    what, narrowing, order = _watched(release_id), asked_narrowing(), asked_order()
    seen = _live().release(release_id, asked_run(), whole=True, opened=_ids("open"))
    return Shown(what, seen, lambda: HierarchyPage.of(seen, narrowing, order), since=narrowing.since)


@twins.route("/releases/<id:release_id>/strip")
def strip(release_id: str) -> Shown:
    """One release as a strip of waves and clusters."""
    what = _watched(release_id)
    seen = _live().release(release_id, asked_run())
    return Shown(what, seen, lambda: StripPage.of(seen))


@blueprint.get("/releases/<id:release_id>/strip/small")
def small_strip(release_id: str) -> str:
    """The same for a row of the list, which says in its place why there is none."""
    _watched(release_id)
    try:
        small = SmallStrip.of(_live().glance(release_id, asked_run()))
    except SourceUnavailable as exc:
        small = SmallStrip.missing(exc.problem.message)
    except NotFound as exc:
        small = SmallStrip.missing(exc.reason)
    return render_template("partials/_strip_small.html", page=small)


@twins.route("/releases/<id:release_id>/timeline")
def timeline(release_id: str) -> Shown:
    """One release over time, and an estimate of the rest."""
    what, opened = _watched(release_id), _ids("open")
    seen = _live().release(release_id, asked_run(), whole=True, opened=opened)
    return Shown(what, seen, lambda: TimelinePage.of(seen, opened), unfolded=lambda: TimelinePage.of(seen, every=True))


@twins.route("/releases/<id:release_id>/matrix")
def matrix(release_id: str) -> Shown:
    """The apps of a release by its clusters, or a part of that."""
    what, asked = _watched(release_id), asked_matrix(_ids("open"))
    seen = _live().release(release_id, asked_run(), whole=True, opened=asked.opened)
    return Shown(what, seen, lambda: MatrixPage.of(seen, asked))


@blueprint.get("/releases/<id:release_id>/matrix.csv")
def matrix_csv(release_id: str) -> Response:
    """The same as a table to take away: every page of it."""
    parse_release_id(release_id)
    asked = asked_matrix(_ids("open"))
    seen = _live().release(release_id, asked_run(), whole=True, opened=asked.opened)
    return csv_answer(f"{seen.value.root.name} matrix", seen, HEAD, matrix_lines(seen.value, asked))


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>")
def entity(release_id: str, entity_id: str) -> Shown:
    """One entity of a release."""
    what, opened, shut = _watched(release_id), _ids("open"), _ids("shut")
    narrowing, order = asked_narrowing(), asked_order()
    parse_entity_id(entity_id)
    seen = _live().release(release_id, asked_run(), opened=opened | {entity_id})
    return Shown(
        what,
        seen,
        lambda: EntityPage.of(seen, entity_id, opened, shut, narrowing=narrowing, order=order),
        unfolded=lambda: EntityPage.of(seen, entity_id, every=True, narrowing=narrowing, order=order),
        since=narrowing.since,
    )


@twins.route("/releases/<id:release_id>/entities/<id:entity_id>/panel")
def panel(release_id: str, entity_id: str) -> Shown:
    """What stands beside the tree when this entity is selected."""
    what = _watched(release_id)
    parse_entity_id(entity_id)
    what, seen = _with_history(what, _live().release(release_id, asked_run(), opened=frozenset({entity_id})))
    return Shown(what, seen, lambda: PanelPage.of(seen, _panel(seen, entity_id)))


@twins.route("/entities/<id:entity_id>")
def occurrences(entity_id: str) -> Shown:
    """One entity wherever it occurs."""
    parse_entity_id(entity_id)
    seen = _live().occurrences(entity_id)
    return Shown(Watched("occurrences", entity_id), seen, lambda: OccurrencesPage.of(seen))


@twins.route("/problems")
def problems() -> Shown:
    """What is broken now, across releases, grouped by cause, or what of it is asked for."""
    asked = Asked(asked_text(), _named("release") or "")
    seen = _live().problems()
    return Shown(Watched("problems"), seen, lambda: ProblemsPage.of(seen, asked))


@twins.route("/compare")
def compare() -> Shown:
    """What is different from one release to another; releases to choose from where not both are named."""
    left, right = _named("left"), _named("right")
    runs = asked_run("left_run"), asked_run("right_run")
    if left and right:
        sides = (left, runs[0]), (right, runs[1])
        both = _live().pair(*sides)
        return Shown(Watched("pair", sides), both, lambda: ComparePage.of(both, runs))
    newest = Slice(MAX_CHOICES)
    listed = _live().page(newest)
    return Shown(Watched("list", newest), listed, lambda: ChoosePage.of(listed, left, right, runs))


@twins.route("/find")
def find() -> Shown:
    """Pages, releases and entities that have a text in their names."""
    text, release_id = asked_words(), asked_release()
    found = _live().find(text, release_id)
    links = tuple(page_links(release_id))
    return Shown(Watched("list", listing_of(text)), found, lambda: FindPage.of(found, text, release_id, links))


@twins.route("/kiosk")
def kiosk() -> Shown:
    """A wall screen: what needs somebody and what moves, one release after another."""
    asked, began = asked_turns(), monotonic()
    listed = _live().page(asked.slice)
    found = turns(listed.value, listed.as_of)
    shown = found.releases[found.place_of(asked.shown)].id if found.releases else None
    view = TurnsView.of(found, shown, asked.every)
    if shown is None:
        return Shown(Watched("list", asked.slice), listed, lambda: KioskPage.of(listed, None, view, asked.kept))
    # Where this one cannot be read, the others have their turn all the same.
    tell_next(view.next_id, asked)
    seen = _live().release(shown, spent=monotonic() - began)
    both: Snapshot[Pair[Any]] = joined(listed, seen)
    what = Watched("wall", (asked.slice, (shown, None)))
    return Shown(what, both, lambda: KioskPage.of(both, seen.value, view, asked.kept))


@twins.route("/kiosk/releases/<id:release_id>")
def kiosk_release(release_id: str) -> Shown:
    """A wall screen that stays with one release."""
    what, asked = _watched(release_id), asked_turns()
    seen = _live().release(release_id, asked_run())
    return Shown(what, seen, lambda: KioskPage.of(seen, seen.value, None, asked.kept))


@blueprint.app_url_defaults
def stay_with_the_run(endpoint: str, values: dict[str, Any]) -> None:
    """Links within one run of a release stay with it; `run=None` leads to the latest."""
    run_id = request.args.get("run") if endpoint in OF_A_RUN else None
    if run_id and request.view_args and values.get("release_id") == request.view_args.get("release_id"):
        values.setdefault("run", run_id)


@blueprint.app_errorhandler(MalformedFilter)
def malformed_filter(exc: MalformedFilter) -> Response:
    """A filter that cannot be used, as any other parameter."""
    return answer(invalid_parameter(exc.field, exc.reason))


def _live() -> LiveReleases:
    live: LiveReleases = current_app.extensions["releases"]
    return live


def _watched(release_id: str) -> Watched:
    """The release that is asked for, in the run that is; raises MalformedId, or Refused with 422."""
    parse_release_id(release_id)
    return Watched("release", (release_id, asked_run()))


def _selected() -> str | None:
    """The entity that is selected, if any; raises MalformedId."""
    text = request.args.get("selected")
    return str(parse_entity_id(text)) if text else None


def _with_history(what: Watched, seen: Snapshot[Release]) -> tuple[Watched, Snapshot[Release]]:
    """A release whose page says more than how it stands: what has been seen of it."""
    return Watched("history", what.key), with_history(seen, seen.value.history)


def _panel(seen: Snapshot[Release], entity_id: str) -> Panel:
    return Panel.of(seen, entity_id, _live().elsewhere(entity_id, seen.value.execution.run_id))


def _named(name: str) -> str | None:
    """The release that a parameter names, such as one side of a comparison; None for none. Raises MalformedId."""
    text = request.args.get(name, "").strip()
    return str(parse_release_id(text)) if text else None


def asked_run(name: str = "run") -> str | None:
    """The run that is asked for; the latest if none is."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError as exc:
        raise invalid_parameter(name, "takes a run id, as runs give it, such as 01234567-89ab-cdef-…") from exc


def _ids(name: str) -> frozenset[str]:
    """The rows that the viewer has opened (`open`) or closed (`shut`): each may stand in the address many times."""
    ids = request.args.getlist(name)
    if len(ids) > MAX_OPEN:
        raise invalid_parameter(name, f"takes at most {MAX_OPEN} ids")
    return frozenset(ids)
