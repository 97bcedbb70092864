"""Waves and clusters over time: the rows of a timeline, and what is marked on their bars."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from dashboard.domain.ids import EntityType
from dashboard.domain.levels import clusters_in
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import count_phases, trouble_cause
from dashboard.domain.timeline import Timeline, TimelineBar, TimelineMark
from dashboard.views.shared.details import Progress
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.rows import EntityRow, common_fields
from dashboard.web.page_model import page_part

BarType = Literal["wave", "cluster", "bundle", "app"]
_TYPES: dict[EntityType, BarType] = {
    EntityType.WAVE: "wave",
    EntityType.CLUSTER: "cluster",
    EntityType.BUNDLE: "bundle",
    EntityType.APP: "app",
}


@page_part
class MarkView:
    """Failures (`failed`, the first of them at `at`) or ongoing retries (`retrying`), with their text."""

    kind: Literal["failed", "retrying"]
    at: datetime | None
    count: int
    text: str

    @classmethod
    def of(cls, mark: TimelineMark) -> "MarkView":
        """Return the view of a mark."""
        attempt, name = mark.first.attempt, mark.first.name
        more = f" and {mark.count - 1:,} more" if mark.count > 1 else ""
        cause = trouble_cause(mark.first)
        because = f": {cause}" if cause else ""
        if mark.at or not attempt:
            return cls(kind="failed", at=mark.at, count=mark.count, text=f"{name}{more} failed{because}")
        tries = f"attempt {attempt.number:,}" + (f" of {attempt.maximum:,}" if attempt.maximum else "")
        return cls(kind="retrying", at=None, count=mark.count, text=f"{name}{more}, {tries}{because}")


@page_part
class TimelineRow(EntityRow):
    """A wave or cluster. `from_at` is null if its times are unknown; `to_at` also while it is in progress.

    If `from_exact` is false, `from_at` is the first known change: work may have started earlier.
    """

    begun: bool
    from_at: datetime | None
    to_at: datetime | None
    from_exact: bool
    marks: tuple[MarkView, ...]

    @property
    def goes_on(self) -> bool:
        """Return whether its bar grows."""
        return self.from_at is not None and self.to_at is None


@page_part
class ClusterBar(TimelineRow):
    """A cluster over time, or a row in its place."""

    type: BarType


@page_part
class WaveBar(TimelineRow):
    """A wave over time, or another direct child of the release.

    `expected_at` is the estimated end; `clusters` is null if `open` is false. `children` are rows in it that are not
    clusters.
    """

    type: BarType
    sequence: int | None
    expected_from: datetime | None
    expected_at: datetime | None
    cluster_progress: Progress
    open: bool
    clusters: tuple[ClusterBar, ...] | None
    children: tuple[ClusterBar, ...]
    lazy: Annotated[bool, Field(exclude=True)]
    unfolded: Annotated[bool, Field(exclude=True)]

    @property
    def rows(self) -> tuple[EntityRow, ...]:
        """Return its rows, if shown."""
        return (*(self.clusters or ()), *self.children)


def wave_bars(drawn: Timeline, place: str, open_ids: frozenset[str] | None) -> Iterator[WaveBar]:
    """Yield the waves' rows; those of waves that are at work have their clusters, all have where `open_ids` is None."""
    ends = dict(drawn.estimate.waves) if drawn.estimate else {}
    since = drawn.known_until
    for number, bar in enumerate(drawn.bars):
        here, expected_at = row_place(place, bar.entity.id, number), ends.get(number)
        yield _wave(bar, here, open_ids, {"expected_from": expected_at and since, "expected_at": expected_at})
        since = expected_at or since


def _wave(bar: TimelineBar, place: str, open_ids: frozenset[str] | None, more: dict[str, Any]) -> WaveBar:
    wave = bar.entity
    unfolded = wave.phase in {Phase.RUNNING, Phase.PAUSED} or wave.phase.broken or wave.id in (open_ids or ())
    is_open = open_ids is None or unfolded
    spans = tuple(_inner(bar.bars, place)) if is_open else ()
    return WaveBar(
        **_fields(bar, place),
        **more,
        type=_TYPES[wave.type],
        sequence=wave.sequence,
        cluster_progress=Progress.of(count_phases(clusters_in(wave), "cluster")),
        open=is_open,
        clusters=tuple(span for span in spans if span.type == "cluster") if is_open else None,
        children=tuple(span for span in spans if span.type != "cluster"),
        lazy=open_ids is not None,
        unfolded=unfolded,
    )


def _inner(bars: Iterable[TimelineBar], place: str) -> Iterator[ClusterBar]:
    for number, bar in enumerate(bars):
        yield ClusterBar(**_fields(bar, row_place(place, bar.entity.id, number)), type=_TYPES[bar.entity.type])


def _fields(bar: TimelineBar, place: str) -> dict[str, Any]:
    span = bar.span
    return {
        **common_fields(bar.entity, place),
        "begun": bar.begun,
        "from_at": span.start if span else None,
        "to_at": span.end if span else None,
        "from_exact": span.exact if span else False,
        "marks": tuple(map(MarkView.of, bar.marks)),
    }
