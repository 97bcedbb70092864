"""Examples of what shows one release: its tree, what is selected in it, and its pictures."""

from collections.abc import Iterator
from dataclasses import replace

from dashboard.domain.entities import Occurrence, Release, Status
from dashboard.domain.kiosk import kiosk_rotation
from dashboard.domain.snapshot import Snapshot, join_snapshots
from dashboard.styleguide import samples
from dashboard.styleguide.examples import Example, macro_example, partial_example
from dashboard.views.compare.page import ComparePage
from dashboard.views.entity.page import EntityPage
from dashboard.views.entity.panel import Panel, PanelPage
from dashboard.views.kiosk.page import KioskPage, KioskRotationView
from dashboard.views.matrix.page import MatrixPage, MatrixQuery
from dashboard.views.release.page import ReleasePage
from dashboard.views.strip.page import StripPage
from dashboard.views.timeline.page import TimelinePage
from dashboard.web.errors import ErrorPage

EXPANDED_IDS = frozenset({"wave:canary", "wave:early", "cluster:us-east-1"})
SELECTED_ID = "app:again-us"
KIOSK_CLASSES = "kiosk screen wall"


def expanded_release(*, stale: bool = False) -> ReleasePage:
    """Return the page of a release with rows of every kind open."""
    return ReleasePage.of(samples.sample_snapshot(stale=stale), EXPANDED_IDS)


def tree_examples() -> Iterator[Example]:
    """Yield the tree of a release and its header."""
    yield macro_example(
        "shared/tabs", "release_tabs", "the views of a release", "release:checkout-2026-47", "checkout-2026-47"
    )
    yield partial_example("release/_content", "every kind of row in every phase", expanded_release())
    yield partial_example("release/_content", "out of date", expanded_release(stale=True))
    ended = samples.sample_release(Status.TERMINATED)
    yield partial_example("release/_progress", "not blocked", expanded_release())
    yield partial_example(
        "release/_content", "ended: nothing in it is running", ReleasePage.of(samples.sample_snapshot(ended))
    )
    yield partial_example("release/_progress", "ended", ReleasePage.of(samples.sample_snapshot(ended)))
    troubled = ReleasePage.of(samples.sample_snapshot(samples.failing_release()))
    yield partial_example("release/_pending", "failing code, no worker, unassigned activities", troubled)
    earlier = samples.sample_release(run_id="00000000-0000-4000-8000-000000000001")
    old = ReleasePage.of(samples.sample_snapshot(replace(earlier, runs=samples.sample_release().runs)))
    yield partial_example("shared/_runs", "an earlier run", old)


def _panel_example(state: str, entity_id: str, seen: Snapshot[Release], *also_in: Snapshot[Occurrence]) -> Example:
    page = PanelPage.of(seen, Panel.of(seen, entity_id, also_in))
    return partial_example("entity/_panel", state, page, "panel alone card")


def panel_examples() -> Iterator[Example]:
    """Yield the side panel."""
    other = samples.sample_snapshot(samples.sample_release(Status.COMPLETED, workflow_id="release:checkout-2026-46"))
    app = next(row for row in other.value.root.walk() if row.id == "app:payments")
    elsewhere = Snapshot(Occurrence(other.value.execution, app), other.as_of, other.version)
    watched = samples.sample_snapshot(samples.release_with_history(SELECTED_ID))
    yield _panel_example("runs, and what is in it", "cluster:us-east-1", samples.sample_snapshot())
    yield _panel_example("retrying: each cause, and a history with a gap", SELECTED_ID, watched)
    yield _panel_example("done, and in another release", "app:payments", samples.sample_snapshot(), elsewhere)
    yield _panel_example("an id that the release has not", "app:nowhere", samples.sample_snapshot())
    yield _panel_example("out of date", "app:failed-us", samples.sample_snapshot(stale=True))


def entity_examples() -> Iterator[Example]:
    """Yield one entity on a page of its own."""
    for entity_id, state in ((SELECTED_ID, "a retrying app"), ("cluster:us-east-1", "a cluster")):
        yield partial_example(
            "entity/_content", state, EntityPage.of(samples.sample_snapshot(), entity_id, EXPANDED_IDS)
        )


def picture_examples() -> Iterator[Example]:
    """Yield strips, timelines, matrices and comparisons."""
    yield partial_example("strip/_content", "a release as a strip", StripPage.of(samples.sample_snapshot()))
    yield partial_example("timeline/_content", "waves over time", TimelinePage.of(samples.sample_snapshot()))
    matrix = MatrixPage.of(samples.sample_snapshot(), MatrixQuery())
    yield partial_example("matrix/_content", "apps by clusters", matrix)
    yield partial_example("matrix/_pages", "a part of a large one", matrix.model_copy(update={"page": 2, "pages": 3}))
    other = samples.sample_snapshot(samples.sample_release(Status.COMPLETED, workflow_id="release:checkout-2026-46"))
    yield partial_example(
        "compare/_content", "one release and another", ComparePage.of(join_snapshots(other, samples.sample_snapshot()))
    )


def kiosk_examples() -> Iterator[Example]:
    """Yield a wall screen, in a box as small as that is wide."""
    listed, seen = samples.sample_list(*samples.listed_releases()), samples.sample_snapshot()
    found = kiosk_rotation(listed.value, listed.as_of)
    whose = KioskRotationView.of(found, found.releases[0].id, 12)
    yield partial_example(
        "kiosk/_content", "a release that has its turn", KioskPage.of(seen, seen.value, whose, {}), KIOSK_CLASSES
    )
    old = samples.sample_snapshot(stale=True)
    yield partial_example("kiosk/_content", "out of date", KioskPage.of(old, old.value, None, {}), KIOSK_CLASSES)
    ended = samples.sample_list(
        samples.sample_release(Status.COMPLETED, closed_at=samples.minutes_before_sample(60 * 24 * 3))
    )
    nobody = KioskRotationView.of(kiosk_rotation(ended.value, ended.as_of), None, 12)
    yield partial_example("kiosk/_content", "nothing in progress", KioskPage.of(ended, None, nobody, {}), KIOSK_CLASSES)
    away = ErrorPage(
        code="temporal_unavailable",
        message="Temporal cannot be reached.",
        request_id="4f3c21d0a8b97e65",
        status=503,
    )
    yield partial_example("kiosk/_error", "nothing can be shown", away, KIOSK_CLASSES)
