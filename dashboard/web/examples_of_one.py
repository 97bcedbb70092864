"""Examples of what shows one release: its tree, what is selected in it, and its pictures."""

from collections.abc import Iterator
from dataclasses import replace

from dashboard.domain.entities import Occurrence, Release, Status
from dashboard.domain.kiosk import turns
from dashboard.live.snapshots import Snapshot, joined
from dashboard.pages.compare import ComparePage
from dashboard.pages.entity import EntityPage
from dashboard.pages.kiosk import KioskPage, TurnsView
from dashboard.pages.matrix import Asked, MatrixPage
from dashboard.pages.panel import Panel, PanelPage
from dashboard.pages.release import ReleasePage
from dashboard.pages.strip import StripPage
from dashboard.pages.timeline import TimelinePage
from dashboard.web import samples
from dashboard.web.errors import ErrorPage
from dashboard.web.examples import Example, macro, partial

OPENED = frozenset({"wave:canary", "wave:early", "cluster:us-east-1"})
SELECTED = "app:again-us"
WALL = "kiosk screen wall"


def opened_release(*, stale: bool = False) -> ReleasePage:
    """The page of a release with rows of every kind open."""
    return ReleasePage.of(samples.seen(stale=stale), OPENED)


def trees() -> Iterator[Example]:
    """A release as a tree, and what stands above it."""
    yield macro("tabs", "release_tabs", "the views of a release", "release:checkout-2026-47", "checkout-2026-47")
    yield partial("release", "every kind of row in every phase", opened_release())
    yield partial("release", "out of date", opened_release(stale=True))
    ended = samples.release(Status.TERMINATED)
    yield partial("how_far", "not blocked", opened_release())
    yield partial("release", "ended: nothing in it is running", ReleasePage.of(samples.seen(ended)))
    yield partial("how_far", "ended", ReleasePage.of(samples.seen(ended)))
    troubled = ReleasePage.of(samples.seen(samples.troubled()))
    yield partial("pending", "failing code, no worker, unassigned activities", troubled)
    earlier = samples.release(run_id="00000000-0000-4000-8000-000000000001")
    old = ReleasePage.of(samples.seen(replace(earlier, runs=samples.release().runs)))
    yield partial("runs", "an earlier run", old)


def _panel(state: str, entity_id: str, seen: Snapshot[Release], *also_in: Snapshot[Occurrence]) -> Example:
    page = PanelPage.of(seen, Panel.of(seen, entity_id, also_in))
    return partial("panel", state, page, "panel alone card")


def panels() -> Iterator[Example]:
    """What stands beside a tree."""
    other = samples.seen(samples.release(Status.COMPLETED, workflow_id="release:checkout-2026-46"))
    app = next(row for row in other.value.root.walk() if row.id == "app:payments")
    elsewhere = Snapshot(Occurrence(other.value.execution, app), other.as_of, other.version)
    watched = samples.seen(samples.watched(SELECTED))
    yield _panel("runs, and what is in it", "cluster:us-east-1", samples.seen())
    yield _panel("retrying: each cause, and a history with a gap", SELECTED, watched)
    yield _panel("done, and in another release", "app:payments", samples.seen(), elsewhere)
    yield _panel("an id that the release has not", "app:nowhere", samples.seen())
    yield _panel("out of date", "app:failed-us", samples.seen(stale=True))


def entities() -> Iterator[Example]:
    """One entity on a page of its own."""
    for entity_id, state in ((SELECTED, "a retrying app"), ("cluster:us-east-1", "a cluster")):
        yield partial("entity", state, EntityPage.of(samples.seen(), entity_id, OPENED))


def pictures() -> Iterator[Example]:
    """A release to look at."""
    yield partial("strip_page", "a release as a strip", StripPage.of(samples.seen()))
    yield partial("timeline", "waves over time", TimelinePage.of(samples.seen()))
    matrix = MatrixPage.of(samples.seen(), Asked())
    yield partial("matrix", "apps by clusters", matrix)
    yield partial("matrix_pages", "a part of a large one", matrix.model_copy(update={"page": 2, "pages": 3}))
    other = samples.seen(samples.release(Status.COMPLETED, workflow_id="release:checkout-2026-46"))
    yield partial("compare", "one release and another", ComparePage.of(joined(other, samples.seen())))


def walls() -> Iterator[Example]:
    """A wall screen, in a box as small as that is wide."""
    listed, seen = samples.listing(*samples.of_the_list()), samples.seen()
    found = turns(listed.value, listed.as_of)
    whose = TurnsView.of(found, found.releases[0].id, 12)
    yield partial("kiosk", "a release that has its turn", KioskPage.of(seen, seen.value, whose, {}), WALL)
    old = samples.seen(stale=True)
    yield partial("kiosk", "out of date", KioskPage.of(old, old.value, None, {}), WALL)
    ended = samples.listing(samples.release(Status.COMPLETED, closed_at=samples.ago(60 * 24 * 3)))
    nobody = TurnsView.of(turns(ended.value, ended.as_of), None, 12)
    yield partial("kiosk", "nothing in progress", KioskPage.of(ended, None, nobody, {}), WALL)
    away = ErrorPage(
        code="temporal_unavailable",
        message="Temporal cannot be reached.",
        request_id="4f3c21d0a8b97e65",
        status=503,
    )
    yield partial("kiosk_error", "nothing can be shown", away, WALL)
