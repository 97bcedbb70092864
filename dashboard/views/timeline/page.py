"""A release over time: the bars of its waves and clusters, and an estimate of the rest."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import ClassVar, Self

from pydantic import Field

from dashboard.domain.entities import Release
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import clusters_in, waves_in
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.rollup import count_phases
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.timeline import CompletionEstimate, Timeline, build_timeline
from dashboard.views.release.runs import RunsView
from dashboard.views.shared.details import Progress
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.release_row import ReleaseRow, release_common
from dashboard.views.timeline.bars import TimelineRow, WaveBar, wave_bars
from dashboard.web.page_model import Page, PageModel, freshness

# With more clusters than this, a closed wave leaves them out until it is opened.
MAX_CLUSTERS_WITH_OPEN_BARS = 120
# Possible tick distances in seconds; the first one with at most this many ticks is used.
TICK_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
MAX_TICKS = 9
# The free space after the current time, as a share of the elapsed time.
RIGHT_MARGIN_SHARE = 0.06


class EstimateView(PageModel):
    """The estimated remaining time, based on completed waves: `seconds_left` from `since`, the last change."""

    since: datetime
    ends_at: datetime
    seconds_left: int
    basis: str

    @classmethod
    def of(cls, estimate: CompletionEstimate | None) -> "EstimateView | None":
        """Return the view of an estimate, or None for none."""
        if estimate is None:
            return None
        waves = f"{estimate.waves_done:,} wave{'' if estimate.waves_done == 1 else 's'} done"
        basis = f"estimated from {waves}" + (" and a slower one in progress" if estimate.slower_now else "")
        left = round((estimate.ends_at - estimate.since).total_seconds())
        ends_at = estimate.since + timedelta(seconds=left)
        return cls(since=estimate.since, ends_at=ends_at, seconds_left=left, basis=basis)


class TimelinePage(Page, ReleaseRow):
    """A release over time. It stays the same while nothing changes: work in progress has no end."""

    template: ClassVar[str] = "timeline/page.html"
    fragment: ClassVar[str] = "timeline/_content.html"

    type: EntityType
    from_at: datetime = Field(description="Start of the release, or of the first known work.")
    to_at: datetime | None = Field(description="End of the release. Null while in progress.")
    changed_at: datetime = Field(description="Last known change.")
    until: datetime = Field(exclude=True)
    runs: RunsView
    estimate: EstimateView | None = Field(description="Null if there is no basis for an estimate.")
    wave_progress: Progress
    cluster_progress: Progress
    waves: tuple[WaveBar, ...]
    children: tuple[WaveBar, ...] = Field(description="Direct children of the release that are not waves.")

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.name}, timeline: {self.short}"

    @property
    def worst(self) -> Phase | None:
        """Return the release's own, its parts counted in."""
        return self.overall_phase

    @property
    def live(self) -> bool:
        """Return an ended release has no news, once it has been read whole."""
        unread = any(row.problem and row.problem.code == ProblemCode.NOT_READ for row in self._spans())
        return self.stale or self.problem is not None or self.to_at is None or unread

    @property
    def rows(self) -> tuple[WaveBar, ...]:
        """Its waves, and what else is directly below it."""
        return (*self.waves, *self.children)

    @property
    def roughly(self) -> bool:
        """Return whether some begin is unknown exactly."""
        return any(row.from_at and not row.from_exact for row in self._spans())

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Return those that bars are drawn in, in the order in which we name them."""
        drawn = {row.phase for row in self._spans() if row.from_at}
        return tuple(phase for phase in Phase if phase in drawn)

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all displayed content."""
        own = tuple(
            [value for name, value in self if name not in {"details", "waves", "children", "as_of", "content_version"}]
        )
        return own, *(row.said for row in self._spans())

    def ticks(self) -> Iterator[datetime]:
        """Round times between begin and end."""
        seconds = (self.until - self.from_at).total_seconds()
        step = next((step for step in TICK_SECONDS if seconds / step <= MAX_TICKS), None)
        step = step or TICK_SECONDS[-1] * (int(seconds / TICK_SECONDS[-1] / MAX_TICKS) + 1)
        begins = self.from_at.timestamp()
        first = -(-begins // step) * step
        for number in range(int((begins + seconds - first) // step) + 1):
            yield datetime.fromtimestamp(first + number * step, self.from_at.tzinfo)

    def _spans(self) -> Iterator[TimelineRow]:
        return chain.from_iterable((row, *(row.clusters or ()), *row.children) for row in self.rows)

    @classmethod
    def of(cls, snapshot: Snapshot[Release], open_ids: frozenset[str] = frozenset(), *, every: bool = False) -> Self:
        """Return the page of a snapshot; in a release of very many clusters, with those of these waves as well."""
        release = snapshot.value
        root, drawn = release.root, build_timeline(release, snapshot.as_of)
        place = row_place("", release.id, 0)
        clusters = clusters_in(root)
        spans = tuple(
            wave_bars(drawn, place, None if every or len(clusters) <= MAX_CLUSTERS_WITH_OPEN_BARS else open_ids)
        )
        return cls(
            **release_common(release, place),
            **freshness(snapshot),
            from_at=drawn.span.start,
            to_at=drawn.span.end,
            changed_at=drawn.known_until,
            until=_until(drawn),
            runs=RunsView.of(release),
            estimate=EstimateView.of(drawn.estimate),
            wave_progress=Progress.of(count_phases(waves_in(root), "wave")),
            cluster_progress=Progress.of(count_phases(clusters, "cluster")),
            waves=tuple(span for span in spans if span.type == "wave"),
            children=tuple(span for span in spans if span.type != "wave"),
        )


def _until(drawn: Timeline) -> datetime:
    """Return the right end of the axis."""
    ends = [drawn.known_until, *([drawn.estimate.ends_at] if drawn.estimate else [])]
    length = max(max(ends) - drawn.span.start, timedelta(seconds=2))
    return drawn.span.start + length * (1 if drawn.span.end else 1 + RIGHT_MARGIN_SHARE)
