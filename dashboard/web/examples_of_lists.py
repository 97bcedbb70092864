"""Examples of what shows many: lists, searches and what is broken."""

from collections.abc import Iterator

from dashboard.domain.entities import Occurrence, Occurrences, Status
from dashboard.domain.filters import ReleaseFilter
from dashboard.domain.phases import Phase
from dashboard.live.snapshots import Snapshot
from dashboard.pages.choose import ChoosePage
from dashboard.pages.find import FindPage, PageLink
from dashboard.pages.occurrences import OccurrencesPage
from dashboard.pages.problems import ProblemsPage
from dashboard.pages.release import ReleasePage
from dashboard.pages.releases import ReleasesPage
from dashboard.pages.starred import StarredPage
from dashboard.pages.strip import SmallStrip
from dashboard.web import samples
from dashboard.web.examples import Example, macro, partial

PAGES = (
    PageLink(name="Timeline", of="checkout-2026-47", href="#search"),
    PageLink(name="Find", of=None, href="#search"),
)


def _list(*, empty: bool = False, wanted: ReleaseFilter | None = None, more: int = 0) -> ReleasesPage:
    releases = () if empty else tuple(samples.of_the_list())
    total = len(releases) + more
    return ReleasesPage.of(samples.listing(*releases, total=total), wanted or ReleaseFilter(), lambda _: "next")


def chips() -> Iterator[Example]:
    """A state as a word with its phase."""
    for row in _list().items:
        yield macro("rows", "chip", f"{row.phase}, says {row.state}", row)


def lists() -> Iterator[Example]:
    """The list, its form, the strips of its rows, and its kin."""
    yield partial("filters", "the form above the list", _list())
    yield partial("releases", "a release in each phase, one with older words", _list(more=80))
    yield partial("strip_small", "a row's strip", SmallStrip.of(samples.seen()))
    yield partial("strip_small", "out of date", SmallStrip.of(samples.seen(stale=True)))
    yield partial("strip_small", "none", SmallStrip.missing("No worker is polling the task queue."))
    choose = ChoosePage.of(samples.listing(*samples.of_the_list()), None, None)
    yield partial("choose", "releases to compare", choose)
    found = samples.release()
    row = next(row for row in found.root.walk() if row.id == "app:payments")
    silent = samples.execution(workflow_id="release:silent", run_id="run-silent")
    gap = Occurrence(silent, samples.entity("app:payments", "", phase=Phase.UNKNOWN, problem=samples.GAP))
    everywhere = Occurrences("app:payments", (Occurrence(found.execution, row),), (gap,), 2, 12)
    page = OccurrencesPage.of(Snapshot(everywhere, samples.NOW, "styleguide"))
    yield partial("occurrences", "an entity in two releases, one not responding", page)


def starred() -> Iterator[Example]:
    """What a viewer has starred."""
    yield partial("starred", "some unavailable", StarredPage.of(samples.starred()))
    yield partial("starred", "out of date", StarredPage.of(samples.starred(stale=True)))
    yield partial("starred", "none", StarredPage.of(samples.listing()))


def searches() -> Iterator[Example]:
    """What is found by name, on its page and in the palette."""
    some = FindPage.of(samples.found(), "payments", None, PAGES)
    away = FindPage.of(samples.found(away=True), "app:payments", None, ())
    none = FindPage.of(samples.nothing_found(), "no results", None, ())
    yield partial("find", "releases, entities and pages", some, "card found")
    yield partial("find", "a whole id, while Temporal is away", away, "card found")
    yield partial("find", "nothing", none, "card found")
    results = partial("find", "", some).drawn
    palette = partial("palette", "what Ctrl+K opens, with results", some).opened("palette")
    place = 'id="palette-found">'
    yield palette.model_copy(update={"drawn": palette.drawn.replace(place, place + results)})


def glances() -> Iterator[Example]:
    """The cards above the list."""
    releases = tuple(samples.of_the_list())
    one = ReleasesPage.of(samples.listing(releases[1]), ReleaseFilter(), lambda _: "")
    old = samples.release(Status.COMPLETED, closed_at=samples.ago(60 * 24 * 3))
    quiet = ReleasesPage.of(samples.listing(old), ReleaseFilter(), lambda _: "")
    yield partial("releases_overview", "something of each", _list())
    yield partial("releases_overview", "one release", one)
    yield partial("releases_overview", "nothing at all", quiet)
    for phase in ("failed", "paused", "retry", "unknown"):
        yield macro("overview", "figure", phase, phase, 3, "of this kind", "#", "and what that means")
    yield macro("overview", "figure", "none", "failed", 0, "of this kind", "#", "")


def inboxes() -> Iterator[Example]:
    """What is broken now."""
    broken = ProblemsPage.of(samples.problems(samples.release()))
    yield partial("problems", "failed, retrying, unknown, waiting", broken)
    yield partial("problems", "no problems", ProblemsPage.of(samples.nothing_broken()))


def empties() -> Iterator[Example]:
    """What stands where there is nothing to show."""
    wanted = ReleaseFilter.parse("shop", ["failed"], "7d", "")
    yield partial("releases_foot", "no release at all", _list(empty=True))
    yield partial("releases_foot", "no results", _list(empty=True, wanted=wanted))
    bare = samples.release(root=samples.entity("release:checkout-2026-47", "in_progress"))
    yield partial("release_foot", "no waves yet", ReleasePage.of(samples.seen(bare)))
