"""The cards above the list: releases needing attention, waiting for approval, in progress, and recently finished."""

from datetime import datetime

from pydantic import Field

from dashboard.domain.entities import Release, ReleaseList
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import ids_of
from dashboard.domain.overall import overall_state
from dashboard.domain.overview import Overview, overview
from dashboard.domain.phases import Phase
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.truncation import truncate
from dashboard.web.page_model import PageModel

# Releases named on a card; the rest is counted.
MAX_NAMED_RELEASES = 3


class CardRelease(PageModel):
    """A release on a card: its state in words, since when, and the cause of a problem, if any."""

    release_id: str
    run_id: str | None = Field(description="Run ID, for a release that has ended.")
    name: str
    word: str
    since: datetime | None
    scheduled_for: datetime | None
    cause: str | None

    @classmethod
    def of(cls, release: Release) -> "CardRelease":
        """Return the view of a release."""
        execution, root, found = release.execution, release.root, overall_state(release)
        own = (root.phase if root.overruled else root.state or "unknown").replace("_", " ")
        return cls(
            release_id=release.id,
            run_id=execution.run_id if execution.status.closed else None,
            name=root.name,
            word=found.label or (found.note if found.waits else own),
            since=release.stuck.since if release.stuck else execution.closed_at or root.updated_at,
            scheduled_for=release.scheduled_for,
            cause=truncate(root.error or (found.note if found.attention else "")) or None,
        )


class OverviewCard(PageModel):
    """The number of releases of one kind, and the first of them."""

    count: int
    named: tuple[CardRelease, ...]
    more: int

    @classmethod
    def of(cls, releases: tuple[Release, ...]) -> "OverviewCard":
        """Return the card of these releases."""
        named = tuple(CardRelease.of(release) for release in releases[:MAX_NAMED_RELEASES])
        return cls(count=len(releases), named=named, more=len(releases) - len(named))


class OverviewView(PageModel):
    """The overview of the first page of the unfiltered list.

    Retries within a release are reported by `/problems` only.
    """

    listed: int = Field(
        description="Number of releases checked: the first of the list, and of those that "
        "ended within 24 hours the last 50 that failed and the last 50 that completed."
    )
    open_whole: bool = Field(description="Whether these include every release that has not ended.")
    needs_somebody: OverviewCard = Field(
        description="Failed since `ended_since`, in whole or in part, or left running."
    )
    waits_for_somebody: OverviewCard = Field(
        description="Paused or waiting for approval, themselves or in one of their parts."
    )
    stuck: OverviewCard = Field(description="Running without changes for a long time, and with nothing pending.")
    moves: OverviewCard
    scheduled: OverviewCard = Field(description="Scheduled to start in the future, soonest first.")
    moving_waves: int = Field(description="Number of waves of the releases in progress, as far as known.")
    untold: int = Field(
        description="Number of releases in progress whose state is unknown; Temporal reports them as running."
    )
    ended_since: datetime = Field(description="24 hours before `as_of`.")
    ended: dict[Phase, int] = Field(description="Finished since then, by phase.")
    ended_whole: bool = Field(description="Whether these are all that have finished since then.")

    @classmethod
    def of(cls, snapshot: Snapshot[ReleaseList]) -> "OverviewView":
        """Return the overview of the first page of the whole list."""
        seen = overview(snapshot.value, snapshot.as_of)
        return cls(
            listed=seen.listed,
            open_whole=seen.open_whole,
            needs_somebody=OverviewCard.of(seen.needy),
            waits_for_somebody=OverviewCard.of(seen.waiting),
            stuck=OverviewCard.of(seen.still),
            moves=OverviewCard.of(seen.moving),
            scheduled=OverviewCard.of(seen.scheduled),
            moving_waves=sum(len(ids_of(release.root, EntityType.WAVE)) for release in seen.moving),
            untold=_untold(seen),
            ended_since=seen.since,
            ended={phase: seen.ended[phase] for phase in Phase if seen.ended.get(phase)},
            ended_whole=seen.ended_whole,
        )

    @property
    def whole(self) -> bool:
        """Return whether no relevant release is on a later page."""
        return self.open_whole and self.ended_whole

    @property
    def quiet(self) -> bool:
        """Return whether there is nothing to say of any of them."""
        open_ones = self.needs_somebody.count + self.waits_for_somebody.count + self.stuck.count + self.moves.count
        return not (open_ones or self.scheduled.count or self.ended_count)

    @property
    def ended_count(self) -> int:
        """Return how many have ended since then."""
        return sum(self.ended.values())


def _untold(seen: Overview) -> int:
    return sum(release.root.problem is not None or release.said_at is not None for release in seen.moving)
