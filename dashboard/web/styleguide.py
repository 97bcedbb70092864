"""The style guide: every part that pages are made of, in every state, drawn by the templates that draw the pages.

It shows made-up releases and is there where the setting STYLEGUIDE is true, as in the demo; elsewhere it is not.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import ClassVar

from flask import Blueprint, Flask, get_template_attribute, render_template
from markupsafe import Markup

from dashboard.domain.entities import Occurrence, Occurrences, Status
from dashboard.domain.filters import ReleaseFilter
from dashboard.domain.phases import Phase
from dashboard.live.snapshots import Snapshot, joined
from dashboard.pages.base import Model, Page
from dashboard.pages.choose import ChoosePage
from dashboard.pages.compare import ComparePage
from dashboard.pages.entity import EntityPage
from dashboard.pages.matrix import Asked, MatrixPage
from dashboard.pages.occurrences import OccurrencesPage
from dashboard.pages.problems import ProblemsPage
from dashboard.pages.release import ReleasePage
from dashboard.pages.releases import ReleasesPage
from dashboard.pages.strip import SmallStrip, StripPage
from dashboard.pages.timeline import TimelinePage
from dashboard.web import samples
from dashboard.web.contrast import Token, tokens
from dashboard.web.errors import ErrorPage
from dashboard.web.texts import Text
from dashboard.web.told import exact

blueprint = Blueprint("styleguide", __name__)

OPENED = frozenset({"wave:canary", "wave:early", "cluster:us-east-1"})
ERRORS = (
    (401, "not_logged_in", "Your session has ended."),
    (403, "cross_site", "This came from another site, so nothing was done."),
    (404, "entity_not_found", "app:nowhere: the release has no entity with this id."),
    (405, "method_not_allowed", "The method is not allowed for the requested URL."),
    (413, "request_entity_too_large", "The data value transmitted exceeds the capacity limit."),
    (422, "invalid_parameter", "page: takes a whole number from 1 to 50"),
    (429, "too_many_requests", "This user has sent too many requests."),
    (500, "internal_server_error", "The dashboard made a mistake."),
    (503, "temporal_unavailable", "Temporal cannot be reached."),
)
# What examples must not do here: ask the server. Ids are told apart by a number, but for those that are drawn by.
_ASKS = re.compile(r'\s(?:hx-[\w:-]+|data-retry|data-fold|data-lazy|autofocus)(?:="[^"]*")?(?=[\s>])')
_NAMES = re.compile(r'(?<=\s)(id|for|list|aria-labelledby|aria-describedby)="(?!fill-|i-)([^"]+)"')


class Example(Model):
    """One part in one state: what it is, and how the pages' own template draws it."""

    of: str
    state: str
    drawn: str

    @property
    def html(self) -> Markup:
        """As it stands on a page."""
        return Markup(self.drawn)  # noqa: S704 - our own templates drew it


class Section(Model):
    """Examples of one kind."""

    key: str
    title: str
    examples: tuple[Example, ...]


class StyleguidePage(Model):
    """All of them, and the tokens that they are made of."""

    template: ClassVar[str] = "pages/styleguide.html"

    phases: tuple[Phase, ...]
    tokens: tuple[Token, ...]
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """What the browser's tab says."""
        return "Style guide"


def init_app(app: Flask) -> None:
    """Add the page."""
    app.register_blueprint(blueprint)


@blueprint.get("/styleguide")
def styleguide() -> str:
    """Show every part in every state."""
    numbers = count(1)
    sections = (
        Section(key=title.lower().replace(" ", "-"), title=title, examples=tuple(_numbered(drawn(), numbers)))
        for title, drawn in SECTIONS.items()
    )
    page = StyleguidePage(phases=tuple(samples.WORDS), tokens=tokens(), sections=tuple(sections))
    return render_template(page.template, page=page)


def _numbered(examples: Iterator[Example], numbers: Iterator[int]) -> Iterator[Example]:
    for example, number in zip(examples, numbers, strict=False):
        quiet = _ASKS.sub("", example.drawn)
        drawn = _NAMES.sub(lambda found, n=number: f'{found[1]}="{found[2]}-{n}"', quiet)  # type: ignore[misc]
        yield example.model_copy(update={"drawn": drawn})


def _partial(name: str, state: str, page: Model, **given: object) -> Example:
    """A partial as a page includes it, with its moments filled in."""
    text = Text.of(render_template(f"partials/_{name}.html", page=page, **given))
    moment = exact(samples.NOW).encode()
    filled = text.filled({"as_of": moment, "counted_at": moment})
    return Example(of=f"partials/_{name}.html", state=state, drawn=filled.decode())


def _macro(template: str, name: str, state: str, *given: object) -> Example:
    drawn = get_template_attribute(f"macros/{template}.html", name)(*given)
    return Example(of=f"macros/{template}.html: {name}", state=state, drawn=str(drawn))


def _list(*, empty: bool = False, wanted: ReleaseFilter | None = None, more: int = 0) -> ReleasesPage:
    releases = () if empty else tuple(samples.of_the_list())
    total = len(releases) + more
    return ReleasesPage.of(samples.listing(*releases, total=total), wanted or ReleaseFilter(), lambda _: "next")


def _release(*, stale: bool = False) -> ReleasePage:
    return ReleasePage.of(samples.seen(stale=stale), OPENED)


def _chips() -> Iterator[Example]:
    for row in _list().items:
        yield _macro("rows", "chip", f"{row.phase}, says {row.state}", row)


def _lists() -> Iterator[Example]:
    yield _partial("filters", "the form above the list", _list())
    yield _partial("releases", "a release in each phase, one with older words", _list(more=80))
    yield _partial("strip_small", "a row's strip", SmallStrip.of(samples.seen()))
    yield _partial("strip_small", "not the latest", SmallStrip.of(samples.seen(stale=True)))
    yield _partial("strip_small", "none", SmallStrip.missing("No worker is polling the task queue."))
    choose = ChoosePage.of(samples.listing(*samples.of_the_list()), None, None)
    yield _partial("choose", "releases to compare", choose)
    found = samples.release()
    row = next(row for row in found.root.walk() if row.id == "app:payments")
    silent = samples.execution(workflow_id="release:silent", run_id="run-silent")
    gap = Occurrence(silent, samples.entity("app:payments", "", phase=Phase.UNKNOWN, problem=samples.GAP))
    everywhere = Occurrences("app:payments", (Occurrence(found.execution, row),), (gap,), 2, 12)
    page = OccurrencesPage.of(Snapshot(everywhere, samples.NOW, "styleguide"))
    yield _partial("occurrences", "an entity in two releases, one silent", page)


def _glances() -> Iterator[Example]:
    releases = tuple(samples.of_the_list())
    one = ReleasesPage.of(samples.listing(releases[1]), ReleaseFilter(), lambda _: "")
    old = samples.release(Status.COMPLETED, closed_at=samples.ago(60 * 24 * 3))
    quiet = ReleasesPage.of(samples.listing(old), ReleaseFilter(), lambda _: "")
    yield _partial("releases_overview", "something of each", _list())
    yield _partial("releases_overview", "one release", one)
    yield _partial("releases_overview", "nothing at all", quiet)
    for phase in ("failed", "paused", "retry", "unknown"):
        yield _macro("overview", "figure", phase, phase, 3, "of this kind", "#", "and what that means")
    yield _macro("overview", "figure", "none", "failed", 0, "of this kind", "#", "")


def _trees() -> Iterator[Example]:
    yield _partial("release", "every kind of row in every phase", _release())
    yield _partial("release", "not the latest", _release(stale=True))
    ended = samples.release(Status.TERMINATED)
    yield _partial("release", "ended: nothing in it runs on", ReleasePage.of(samples.seen(ended)))
    yield _partial(
        "pending", "its own code fails, no worker, loose ends", ReleasePage.of(samples.seen(samples.troubled()))
    )
    earlier = samples.release(run_id="00000000-0000-4000-8000-000000000001")
    old = ReleasePage.of(samples.seen(replace(earlier, runs=samples.release().runs)))
    yield _partial("runs", "an earlier run", old)


def _entities() -> Iterator[Example]:
    for entity_id, state in (("app:again-us", "an app that is tried again"), ("cluster:us-east-1", "a cluster")):
        yield _partial("entity", state, EntityPage.of(samples.seen(), entity_id, OPENED))


def _pictures() -> Iterator[Example]:
    yield _partial("strip_page", "a release as a strip", StripPage.of(samples.seen()))
    yield _partial("timeline", "waves over time", TimelinePage.of(samples.seen()))
    matrix = MatrixPage.of(samples.seen(), Asked())
    yield _partial("matrix", "apps by clusters", matrix)
    yield _partial("matrix_pages", "a part of a large one", matrix.model_copy(update={"page": 2, "pages": 3}))
    other = samples.seen(samples.release(Status.COMPLETED, workflow_id="release:checkout-2026-46"))
    yield _partial("compare", "one release and another", ComparePage.of(joined(other, samples.seen())))


def _inboxes() -> Iterator[Example]:
    yield _partial(
        "problems", "gave up, retried, not known, waiting", ProblemsPage.of(samples.problems(samples.release()))
    )
    yield _partial("problems", "nothing is broken", ProblemsPage.of(samples.nothing_broken()))


def _empties() -> Iterator[Example]:
    wanted = ReleaseFilter.parse("shop", ["failed"], "7d", "")
    yield _partial("releases_foot", "no release at all", _list(empty=True))
    yield _partial("releases_foot", "none of what was asked for", _list(empty=True, wanted=wanted))
    bare = samples.release(root=samples.entity("release:checkout-2026-47", "in_progress"))
    yield _partial("release_foot", "no waves yet", ReleasePage.of(samples.seen(bare)))


def _notices() -> Iterator[Example]:
    page = _release(stale=True)
    yield _partial("freshness", "not the latest", page)
    yield _partial("problem", "a gap", page, problem=samples.GAP)
    yield _partial("problem", "only not read so far", page, problem=samples.NOT_OPENED)
    yield _partial("failure_line", "a failure", page, message=samples.LONG, calm=False)
    yield _partial("failure_line", "what was said, of no failure", page, message=samples.LONG, calm=True)
    yield _partial("details", "other fields", page, details={"ticket": "REL-4711"}, key="details")
    for status, code, message in ERRORS:
        retry_after = 5 if status == 503 else None
        error = ErrorPage(
            code=code, message=message, request_id="4f3c21d0a8b97e65", status=status, retry_after=retry_after
        )
        yield _partial("error", f"{status} {code}", error)


def _frames() -> Iterator[Example]:
    page: Page = _release()
    yield _partial("as_of", "how old a page is", page)
    yield _partial("header", "the top of every page", page)


SECTIONS: dict[str, Callable[[], Iterator[Example]]] = {
    "Chips": _chips,
    "At a glance": _glances,
    "Lists": _lists,
    "Trees": _trees,
    "Entities": _entities,
    "Pictures": _pictures,
    "Problems": _inboxes,
    "Notices and errors": _notices,
    "Nothing there": _empties,
    "Frame": _frames,
}
