"""Examples of what shows many: lists, searches and what is broken."""

from collections.abc import Iterator

from dashboard.domain.entities import Occurrence, Occurrences, Status
from dashboard.domain.filters import ReleaseFilter
from dashboard.domain.phases import Phase
from dashboard.domain.snapshot import Snapshot
from dashboard.styleguide import samples
from dashboard.styleguide.examples import Example, macro_example, partial_example
from dashboard.views.compare.choose import ChoosePage
from dashboard.views.entity.occurrences import OccurrencesPage
from dashboard.views.problems.page import ProblemsPage
from dashboard.views.release.page import ReleasePage
from dashboard.views.releases.page import ReleasesPage
from dashboard.views.releases.starred import StarredPage
from dashboard.views.search.page import PageLink, SearchPage
from dashboard.views.strip.page import SmallStrip

PAGE_LINKS = (
    PageLink(name="Timeline", of="checkout-2026-47", href="#search"),
    PageLink(name="Find", of=None, href="#search"),
)


def _list_page(*, empty: bool = False, wanted: ReleaseFilter | None = None, more: int = 0) -> ReleasesPage:
    releases = () if empty else tuple(samples.listed_releases())
    total = len(releases) + more
    return ReleasesPage.of(samples.sample_list(*releases, total=total), wanted or ReleaseFilter(), lambda _: "next")


def chip_examples() -> Iterator[Example]:
    """Yield a state as a word with its phase."""
    for row in _list_page().items:
        yield macro_example("shared/rows", "chip", f"{row.phase}, says {row.state}", row)


def list_examples() -> Iterator[Example]:
    """Yield the list, its form, the strips of its rows, and its kin."""
    yield partial_example("releases/_filters", "the form above the list", _list_page())
    yield partial_example("releases/_content", "a release in each phase, one with older words", _list_page(more=80))
    yield partial_example("strip/_small", "a row's strip", SmallStrip.of(samples.sample_snapshot()))
    yield partial_example("strip/_small", "out of date", SmallStrip.of(samples.sample_snapshot(stale=True)))
    yield partial_example("strip/_small", "none", SmallStrip.missing("No worker is polling the task queue."))
    choose = ChoosePage.of(samples.sample_list(*samples.listed_releases()), None, None)
    yield partial_example("compare/_choose", "releases to compare", choose)
    found = samples.sample_release()
    row = next(row for row in found.root.walk() if row.id == "app:payments")
    silent = samples.sample_execution(workflow_id="release:silent", run_id="run-silent")
    gap = Occurrence(
        silent, samples.sample_entity("app:payments", "", phase=Phase.UNKNOWN, problem=samples.MISSING_PROBLEM)
    )
    everywhere = Occurrences("app:payments", (Occurrence(found.execution, row),), (gap,), 2, 12)
    page = OccurrencesPage.of(Snapshot(everywhere, samples.SAMPLE_NOW, "styleguide"))
    yield partial_example("entity/_occurrences", "an entity in two releases, one not responding", page)


def starred_examples() -> Iterator[Example]:
    """Yield what a viewer has starred."""
    yield partial_example("releases/_starred", "some unavailable", StarredPage.of(samples.starred_releases()))
    yield partial_example("releases/_starred", "out of date", StarredPage.of(samples.starred_releases(stale=True)))
    yield partial_example("releases/_starred", "none", StarredPage.of(samples.sample_list()))


def search_examples() -> Iterator[Example]:
    """Yield what is found by name, on its page and in the palette."""
    some = SearchPage.of(samples.sample_search_results(), "payments", None, PAGE_LINKS)
    away = SearchPage.of(samples.sample_search_results(away=True), "app:payments", None, ())
    none = SearchPage.of(samples.no_search_results(), "no results", None, ())
    yield partial_example("search/_content", "releases, entities and pages", some, "card found")
    yield partial_example("search/_content", "a whole id, while Temporal is away", away, "card found")
    yield partial_example("search/_content", "nothing", none, "card found")
    results = partial_example("search/_content", "", some).drawn
    palette = partial_example("search/_palette", "what Ctrl+K opens, with results", some).opened("palette")
    place = 'id="palette-found">'
    yield palette.model_copy(update={"drawn": palette.drawn.replace(place, place + results)})


def overview_examples() -> Iterator[Example]:
    """Yield the cards above the list."""
    releases = tuple(samples.listed_releases())
    one = ReleasesPage.of(samples.sample_list(releases[1]), ReleaseFilter(), lambda _: "")
    old = samples.sample_release(Status.COMPLETED, closed_at=samples.minutes_before_sample(60 * 24 * 3))
    quiet = ReleasesPage.of(samples.sample_list(old), ReleaseFilter(), lambda _: "")
    yield partial_example("releases/_overview", "something of each", _list_page())
    yield partial_example("releases/_overview", "one release", one)
    yield partial_example("releases/_overview", "nothing at all", quiet)
    for phase in ("failed", "paused", "retry", "unknown"):
        yield macro_example("shared/cards", "figure", phase, phase, 3, "of this kind", "#", "and what that means")
    yield macro_example("shared/cards", "figure", "none", "failed", 0, "of this kind", "#", "")


def problem_examples() -> Iterator[Example]:
    """Yield what is broken now."""
    broken = ProblemsPage.of(samples.sample_problems(samples.sample_release()))
    yield partial_example("problems/_content", "failed, retrying, unknown, waiting", broken)
    yield partial_example("problems/_content", "no problems", ProblemsPage.of(samples.no_problems()))


def empty_examples() -> Iterator[Example]:
    """Yield empty states."""
    wanted = ReleaseFilter.parse("shop", ["failed"], "7d", "")
    yield partial_example("releases/_foot", "no release at all", _list_page(empty=True))
    yield partial_example("releases/_foot", "no results", _list_page(empty=True, wanted=wanted))
    bare = samples.sample_release(root=samples.sample_entity("release:checkout-2026-47", "in_progress"))
    yield partial_example("release/_foot", "no waves yet", ReleasePage.of(samples.sample_snapshot(bare)))
