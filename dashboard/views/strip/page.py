"""A release as one strip of waves, each with its clusters as cells: alone, above the tree, and in the list."""

from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field

from dashboard.domain.entities import Entity, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import count_app_phases
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.strip import ClusterCell, StripSegment, count_clusters, strip_segments
from dashboard.views.shared.details import Progress
from dashboard.views.shared.html_ids import row_html_id, row_place
from dashboard.views.shared.release_row import ReleaseRow, release_common
from dashboard.web.page_model import Page, PageModel, freshness, page_part

# The number of clusters from which a strip only counts them: above the tree, where it is sent with each change, and on
# its own page.
MAX_STRIP_CLUSTERS_ABOVE_TREE = 120
MAX_STRIP_CLUSTERS = 2_000
# With more cells than these they get narrower, and again.
WIDE_STRIP_CELLS, NARROW_STRIP_CELLS = 120, 500


@page_part
class StripCell:
    """A cluster. `state` is as reported; `progress` counts its apps."""

    id: str
    name: str
    state: str
    phase: Phase
    progress: Progress
    label: Annotated[str, Field(exclude=True)]
    key: Annotated[str, Field(exclude=True)]
    addressable: Annotated[bool, Field(exclude=True)]

    @classmethod
    def of(cls, cell: ClusterCell, wave_place: str) -> "StripCell":
        """Return the view of a cell of the wave at this place."""
        cluster = cell.cluster
        word = cluster.phase if cluster.overruled else cluster.state or "unknown"
        return cls(
            id=cluster.id,
            name=cluster.name,
            state=cluster.state,
            phase=cluster.phase,
            progress=Progress.of(cell.apps),
            label=word.replace("_", " "),
            key=row_html_id(row_place(wave_place, cluster.id, cell.position)),
            addressable=bool(cluster.id) and not (cluster.problem and cluster.problem.code == "malformed"),
        )

    @property
    def shown_phase(self) -> Phase:
        """Return the phase whose shape and colour it has: what succeeded with failed parts is not well."""
        return self.progress.counted_in(self.phase)

    @property
    def told(self) -> str:
        """Return the text of the cell."""
        if self.progress.unopened:
            return f"{self.name}: {self.label}, apps not loaded"
        retrying = f", {self.progress.retrying:,} retrying" if self.progress.retrying else ""
        broken = f", {self.progress.broken:,} failed" if self.progress.broken else ""
        broken += f", {self.progress.paused:,} paused" if self.progress.paused else ""
        if not self.progress.total:
            return f"{self.name}: {self.label}"
        done = f"{self.progress.succeeded:,} of {self.progress.total:,} {self.progress.noun}s done"
        return f"{self.name}: {self.label}, {done}{broken}{retrying}"


@page_part
class StripWave:
    """A wave. `cells` is null if clusters are only counted in `cluster_progress` or `read` is false."""

    id: str
    name: str
    state: str
    phase: Phase
    sequence: int | None
    current: bool
    read: bool
    cluster_progress: Progress
    cells: tuple[StripCell, ...] | None
    apps: Annotated[Progress, Field(exclude=True)]
    is_wave: Annotated[bool, Field(description="False for the release itself, with clusters that are in no wave.")]
    empty: Annotated[bool, Field(exclude=True)]
    label: Annotated[str, Field(exclude=True)]
    why: Annotated[str, Field(exclude=True)]

    @classmethod
    def of(cls, segment: StripSegment, release_place: str) -> "StripWave":
        """Return the view of a segment of the release at this place."""
        wave = segment.wave
        place = release_place
        for entity_id, position in segment.steps:
            place = row_place(place, entity_id, position)
        cells = None if segment.cells is None else tuple(StripCell.of(cell, place) for cell in segment.cells)
        return cls(
            id=wave.id,
            name=wave.name,
            state=wave.state,
            phase=wave.phase,
            sequence=wave.sequence,
            current=segment.current,
            read=segment.read,
            cluster_progress=Progress.of(segment.clusters),
            cells=cells,
            apps=Progress.of(segment.apps),
            is_wave=wave.type is EntityType.WAVE,
            empty=not wave.children,
            label=(wave.phase if wave.overruled else wave.state or "unknown").replace("_", " "),
            why=_why_unread(wave),
        )

    @property
    def told(self) -> str:
        """Return how far it is, in words."""
        if not self.read:
            return f"{self.name}: {self.label}, clusters not loaded"
        counted, nouns = self.counted, f"{self.counted.noun}s"
        if not counted.total:
            return f"{self.name}: {self.label}"
        broken = f", {counted.broken:,} failed" if counted.broken else ""
        return f"{self.name}: {self.label}, {counted.succeeded:,} of {counted.total:,} {nouns} done{broken}"

    @property
    def counted(self) -> Progress:
        """Its clusters; its apps where it has none."""
        return self.cluster_progress if self.cluster_progress.total else self.apps


@page_part
class Strip:
    """The waves of a release. If `merged` is true, there are too many clusters to draw and they are only counted."""

    waves: tuple[StripWave, ...]
    clusters: Annotated[int, Field(description="Number of loaded clusters.")]
    merged: bool

    @classmethod
    def of(cls, release: Release, most: int) -> "Strip":
        """Return the strip of a release; with many clusters they are only counted."""
        place = row_place("", release.execution.workflow_id, 0)
        clusters = count_clusters(release.root)
        waves = tuple(StripWave.of(segment, place) for segment in strip_segments(release.root, most))
        return cls(waves=waves, clusters=clusters, merged=clusters >= most)

    @property
    def width(self) -> str:
        """How wide its cells are."""
        return (
            "wide" if self.clusters <= WIDE_STRIP_CELLS else "narrow" if self.clusters <= NARROW_STRIP_CELLS else "thin"
        )

    @property
    def unread(self) -> int:
        """Return how many waves were not read."""
        return sum(not wave.read for wave in self.waves)

    @property
    def under_way(self) -> tuple[StripWave, ...]:
        """Return the waves in which the release is at work, except for those that waits for approval."""
        return tuple(wave for wave in self.waves if wave.is_wave and wave.current and wave.phase is not Phase.PAUSED)

    @property
    def wave_count(self) -> int:
        """Return how many waves there are."""
        return sum(wave.is_wave for wave in self.waves)

    @property
    def told(self) -> str:
        """Return the waves in words."""
        return "; ".join(wave.told for wave in self.waves)


class StripPage(Page, ReleaseRow):
    """A release as a strip: its waves, with a cell for each cluster."""

    template: ClassVar[str] = "strip/page.html"
    fragment: ClassVar[str] = "strip/_content.html"
    parts: ClassVar[tuple[str, ...]] = ("strip/_head.html", "strip/_waves.html")

    type: EntityType
    workflow_id: str
    run_id: str
    status: Status
    started_at: datetime
    closed_at: datetime | None
    progress: Progress
    strip: Strip
    # Above the tree, cells are no rows of the page.
    strip_alone: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.name}, strip: {self.short}"

    @property
    def worst(self) -> Phase | None:
        """Return the release's own, its parts counted in."""
        return self.overall_phase

    @property
    def live(self) -> bool:
        """Return an ended release has no news, once it has been read."""
        return self.stale or self.problem is not None or bool(self.strip.unread) or not self.status.closed

    @property
    def frame(self) -> tuple[object, ...]:
        """Nothing: the parts are all of it."""
        return ()

    @classmethod
    def of(cls, snapshot: Snapshot[Release]) -> Self:
        """Return the page of a snapshot."""
        release = snapshot.value
        execution, root = release.execution, release.root
        return cls(
            **release_common(release, row_place("", execution.workflow_id, 0)),
            **freshness(snapshot),
            workflow_id=execution.workflow_id,
            run_id=execution.run_id,
            status=execution.status,
            started_at=execution.started_at,
            closed_at=execution.closed_at,
            progress=Progress.of(count_app_phases(root)),
            strip=Strip.of(release, MAX_STRIP_CLUSTERS),
        )


class SmallStrip(PageModel):
    """A strip for a row of the list, or the reason why there is none."""

    strip: Strip | None
    as_of: datetime | None
    why: str | None

    @classmethod
    def of(cls, snapshot: Snapshot[Release]) -> "SmallStrip":
        """Return the strip of a snapshot, which may not be the latest."""
        release, reason = snapshot.value, snapshot.reason
        problem = release.root.problem
        if not release.root.children:
            return cls.missing(problem.message if problem else "The release has no known parts.")
        strip = Strip.of(release, MAX_STRIP_CLUSTERS)
        if not strip.waves:
            return cls.missing("The release has neither waves nor clusters.")
        late = (reason.message if reason else "Temporal could not be reached.") if snapshot.stale else None
        gap = problem.message if problem and not problem.awaited else None
        return cls(strip=strip, as_of=snapshot.as_of, why=late or gap)

    @classmethod
    def missing(cls, why: str) -> "SmallStrip":
        """No strip, for this reason."""
        return cls(strip=None, as_of=None, why=why)


def _why_unread(wave: Entity) -> str:
    """Return why no cluster of a wave is known; empty where nothing is wrong."""
    return wave.problem.message if wave.problem else "Its clusters were not loaded."
