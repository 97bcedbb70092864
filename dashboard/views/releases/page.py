"""The list of releases."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any, ClassVar

from pydantic import Field

from dashboard.domain.entities import Release, ReleaseList, Status
from dashboard.domain.filters import LIST_PAGE_SIZE, MAX_OFFSET, STATUS_PHASES, Cursor, ReleaseFilter
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import ids_of
from dashboard.domain.phases import Phase
from dashboard.domain.reconcile import phase_of_status
from dashboard.domain.snapshot import Snapshot
from dashboard.views.releases.overview import OverviewView
from dashboard.views.shared.details import PauseView
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.release_row import ReleaseRow, release_common
from dashboard.views.shared.rows import EntityRow, truncated_fields
from dashboard.web.page_model import Page, PageModel, freshness


class ReleaseItem(PageModel, ReleaseRow):
    """A release in the list, without its tree. `said_at` is set if its reported state is older than the list."""

    type: EntityType
    workflow_id: str
    run_id: str
    workflow_type: str
    status: Status
    started_at: datetime
    closed_at: datetime | None
    pause: PauseView | None = Field(description="Set while it is paused in Temporal.")
    wave_ids: tuple[str, ...]
    said_at: datetime | None
    superseded: bool = Field(description="Whether a newer run of the same release is on the same page.")

    @property
    def unread(self) -> bool:
        """Return whether it has ended well by its own word alone: what is in it was not read."""
        return self.inside is None and self.phase is Phase.SUCCEEDED

    @property
    def run(self) -> str | None:
        """Return the run that the row's link names: an ended one may not be the release's latest for ever."""
        return self.run_id if self.status.closed else None

    @classmethod
    def of(cls, release: Release, *, superseded: bool) -> "ReleaseItem":
        """Return the item of a release."""
        execution = release.execution
        return cls(
            **truncated_fields(release_common(release, row_place("", execution.run_id, 0))),
            workflow_id=execution.workflow_id,
            run_id=execution.run_id,
            workflow_type=execution.workflow_type,
            status=execution.status,
            started_at=execution.started_at,
            closed_at=execution.closed_at,
            pause=PauseView.of(execution),
            wave_ids=ids_of(release.root, EntityType.WAVE),
            said_at=release.said_at,
            superseded=superseded,
        )


def release_items(releases: Sequence[Release], newest: dict[str, datetime]) -> tuple[ReleaseItem, ...]:
    """Return the items of releases; `newest` has the latest start of each id so far, and takes these in."""
    for release in releases:
        newest[release.id] = max(release.execution.started_at, newest.get(release.id, release.execution.started_at))
    return tuple(
        ReleaseItem.of(release, superseded=release.execution.started_at < newest[release.id]) for release in releases
    )


class FilterView(PageModel):
    """The filter of the list, as given. Empty if not given."""

    q: str
    phase: tuple[Phase, ...]
    since: str
    until: str

    @classmethod
    def of(cls, wanted: ReleaseFilter) -> "FilterView":
        """Return the view of a filter."""
        since, until = (moment.text if moment else "" for moment in (wanted.since, wanted.until))
        return cls(q=wanted.q, phase=wanted.phases, since=since, until=until)

    @property
    def parameters(self) -> dict[str, str | tuple[Phase, ...]]:
        """Return the query parameters of the filter."""
        return {name: value for name, value in self if value}


class ListPage(Page):
    """Releases as rows of any list."""

    line: ClassVar[tuple[str, str]] = ("shared/list_items.html", "release")
    called: ClassVar[str]

    items: tuple[ReleaseItem, ...]

    @property
    def title(self) -> str:
        """Return the page title, with the number of releases waiting for approval."""
        waiting = sum(1 for item in self.items if item.overall_phase is Phase.PAUSED)
        return f"{self.called}: {waiting} waiting" if waiting else self.called

    @property
    def worst(self) -> Phase | None:
        """Of what has not ended: what ended badly long ago is no news."""
        going_on = {item.overall_phase for item in self.items if item.phase.unfinished}
        return next((phase for phase in (Phase.PAUSED, Phase.RUNNING) if phase in going_on), None)

    def lines(self) -> Iterator[EntityRow]:
        """Yield the releases."""
        return iter(self.items)


class ReleasesPage(ListPage):
    """A page of the list: releases in progress, newest start first, then ended releases, latest end first."""

    template: ClassVar[str] = "releases/page.html"
    fragment: ClassVar[str] = "releases/_content.html"
    moments: ClassVar[frozenset[str]] = frozenset({"as_of", "counted_at"})
    parts: ClassVar[tuple[str, ...]] = ("releases/_overview.html", "releases/_head.html", "releases/_foot.html")
    called: ClassVar[str] = "Releases"

    total: int
    page: int
    page_size: int
    pages: int = Field(description="Number of pages, at least 1.")
    next: str | None = Field(description="Cursor of the next page, which may be empty.")
    filter: FilterView
    counts: dict[Phase, int] = Field(
        description="Releases by Temporal status that match q, since and until, regardless of the phase filter."
    )
    counted_at: datetime = Field(
        description="Time at which `counts` and `total` were counted, in UTC: seconds before `as_of`."
    )
    counts_exact: bool = Field(
        description="Whether `counts` and `total` are without all runs that another stands for: retried attempts, "
        "earlier runs of a schedule, and what was reset. Elsewhere they are without those that were seen."
    )
    earlier: int = Field(description="Number of such runs excluded from this page.")
    overview: OverviewView | None = Field(description="Only on the first page of the unfiltered list; otherwise null.")
    offset: int = Field(exclude=True)

    @classmethod
    def of(
        cls, snapshot: Snapshot[ReleaseList], wanted: ReleaseFilter, seal: Callable[[Cursor], str]
    ) -> "ReleasesPage":
        """Return the page of a snapshot with this filter; `seal` encodes cursors."""
        listing = snapshot.value
        first = wanted == ReleaseFilter() and not listing.offset
        counts: Counter[Phase] = Counter()
        for status, count in listing.counts.items():
            counts[phase_of_status(status)] += count
        return cls(
            items=release_items(listing.releases, {}),
            total=listing.total,
            page=listing.offset // listing.page_size + 1,
            page_size=listing.page_size,
            pages=max(ceil(listing.total / listing.page_size), 1),
            next=seal(Cursor(listing.next, listing.offset + len(listing.releases))) if listing.next else None,
            filter=FilterView.of(wanted),
            counts=dict(counts),
            counted_at=listing.counted_at,
            counts_exact=listing.exact,
            earlier=listing.earlier,
            overview=OverviewView.of(snapshot) if first and listing.releases else None,
            offset=listing.offset,
            **freshness(snapshot),
        )

    @property
    def frame(self) -> tuple[object, ...]:
        """Return where the list begins."""
        return (self.offset,)

    @property
    def first(self) -> int:
        """Return the number of the first item on this page, from 1."""
        return self.offset + 1

    @property
    def last(self) -> int:
        """Return the number of the last item on this page."""
        return self.first + len(self.items) - 1

    @property
    def segments(self) -> tuple[tuple[Phase, int], ...]:
        """The phases to choose from, with what each would give: those that occur or are chosen, and the usual ones."""
        usual = {Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, *self.filter.phase}
        return tuple(
            (phase, self.counts.get(phase, 0)) for phase in STATUS_PHASES if phase in usual or self.counts.get(phase)
        )

    @property
    def newer(self) -> dict[str, Any] | None:
        """Return the parameters of the page before this one, where it can be found by number."""
        number, rest = divmod(self.offset, self.page_size)
        return self.asking(page=number) if 0 < self.offset <= MAX_OFFSET and not rest else None

    @property
    def older(self) -> dict[str, Any] | None:
        """Return the parameters of the next page: by number within the limit, then by cursor."""
        number, rest = divmod(self.offset + self.page_size, self.page_size)
        if number * self.page_size < self.total and (number + 1) * self.page_size <= MAX_OFFSET and not rest:
            return self.asking(page=number + 1)
        return self.asking(cursor=self.next) if self.next else None

    @property
    def neighbours(self) -> dict[str, Mapping[str, Any]]:
        """Return the neighbouring pages: by number within the limit, then by cursor."""
        around: dict[str, Mapping[str, Any]] = {"first": {}}
        if self.newer:
            around["prev"] = {"page": min(self.newer["page"], self.pages)}
        if self.older:
            around["next"] = {name: self.older[name] for name in ("page", "cursor") if name in self.older}
        if self.pages * self.page_size <= MAX_OFFSET:
            around["last"] = {"page": self.pages}
        return around

    def asking(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - what templates give
        """Return the parameters of the first page with changes to the filter; None or an empty value removes one."""
        page_size = {} if self.page_size == LIST_PAGE_SIZE else {"page_size": self.page_size}
        return {name: value for name, value in (self.filter.parameters | page_size | changes).items() if value}

    @property
    def kept(self) -> tuple[tuple[str, str | int], ...]:
        """Return the form fields that a new search keeps."""
        fields = self.asking(q=None, phase=None).items()
        return (*fields, *(("phase", str(phase)) for phase in self.filter.phase))
