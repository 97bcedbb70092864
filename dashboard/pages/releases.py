"""The list of releases."""

from collections import Counter
from datetime import datetime
from math import ceil
from typing import ClassVar

from pydantic import Field

from dashboard.domain.entities import Release, ReleaseList, Status
from dashboard.domain.ids import MalformedId, parse_release_id
from dashboard.domain.phases import Phase
from dashboard.domain.truth import phase_of_status
from dashboard.live.snapshots import Snapshot
from dashboard.pages.base import Page, freshness
from dashboard.pages.rows import Row, common, key_of


class ReleaseItem(Row):
    """A release in the list, without its tree. `said_at` is set where its words are older than the list."""

    workflow_id: str
    run_id: str
    workflow_type: str
    status: Status
    started_at: datetime
    closed_at: datetime | None
    wave_ids: tuple[str, ...]
    said_at: datetime | None

    @property
    def addressable(self) -> bool:
        """Whether the workflow's id is a release id, so that the release has a page."""
        try:
            parse_release_id(self.id)
        except MalformedId:
            return False
        return True

    @classmethod
    def of(cls, release: Release) -> "ReleaseItem":
        """The item of a release."""
        execution = release.execution
        return cls(
            **common(release.root, key_of("", execution.run_id, 0)),
            workflow_id=execution.workflow_id,
            run_id=execution.run_id,
            workflow_type=execution.workflow_type,
            status=execution.status,
            started_at=execution.started_at,
            closed_at=execution.closed_at,
            wave_ids=release.root.child_ids,
            said_at=release.said_at,
        )


class ReleasesPage(Page):
    """One page of the list, newest first, with how many releases of each phase the whole list has."""

    template: ClassVar[str] = "pages/releases.html"
    fragment: ClassVar[str] = "partials/_releases.html"

    items: tuple[ReleaseItem, ...]
    total: int
    page: int
    page_size: int
    pages: int = Field(description="The number of pages, at least 1.")
    counts: dict[Phase, int] = Field(description="By the status of the execution, for the whole list.")

    @classmethod
    def of(cls, snapshot: Snapshot[ReleaseList]) -> "ReleasesPage":
        """The page of a snapshot."""
        listing = snapshot.value
        counts: Counter[Phase] = Counter()
        for status, count in listing.counts.items():
            counts[phase_of_status(status)] += count
        return cls(
            items=tuple(ReleaseItem.of(release) for release in listing.releases),
            total=listing.total,
            page=listing.page,
            page_size=listing.page_size,
            pages=max(ceil(listing.total / listing.page_size), 1),
            counts=dict(counts),
            **freshness(snapshot),
        )

    @property
    def first(self) -> int:
        """The number of the first item on this page, from 1."""
        return (self.page - 1) * self.page_size + 1

    @property
    def last(self) -> int:
        """The number of the last item on this page."""
        return self.first + len(self.items) - 1
