"""Two releases side by side: what is different from one to the other, cluster by cluster."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import ClassVar

from pydantic import Field

from dashboard.domain.compare import (
    CHANGED_KINDS,
    ClusterPair,
    Comparison,
    DiffKind,
    compare_releases,
    rows_with_gaps,
)
from dashboard.domain.entities import Entity, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.snapshot import Snapshot, SnapshotPair
from dashboard.views.compare.rows import (
    AppDifference,
    ClusterChanges,
    ComparedEntity,
    DiffCounts,
    VersionMove,
)
from dashboard.web.page_model import Page, PageModel, ProblemView, freshness

# Lines that a page has at most; the rest is counted. Reasons for gaps that are named, and rows named for each.
MAX_COMPARE_LINES = 600
MAX_VERSION_MOVES = 12
MAX_GAP_REASONS = 4
MAX_NAMED_ROWS = 3


class GapSummary(PageModel):
    """The reason why rows of a release are unknown, their number, and the names of the first ones."""

    why: str
    count: int
    names: tuple[str, ...]


class ComparedRelease(PageModel):
    """One side of a comparison. `gaps` are rows with unknown data or contents that were not loaded."""

    id: str
    name: str
    state: str
    phase: Phase
    run_id: str
    status: Status
    started_at: datetime
    began_at: datetime | None = Field(
        description="Start of its work, in the first run of a continue-as-new chain. Null if unknown."
    )
    closed_at: datetime | None
    apps: int
    clusters: int
    stale: bool
    reason: ProblemView | None
    gaps: tuple[GapSummary, ...]
    more_gaps: int = Field(description="Number of rows with gaps for other reasons.")
    standing: ComparedEntity = Field(exclude=True)
    asked_run: str | None = Field(exclude=True)

    @property
    def moving(self) -> bool:
        """Return whether it may still say something else."""
        return self.stale or bool(self.gaps) or not self.status.closed

    @classmethod
    def of(cls, snapshot: Snapshot[Release], run: str | None) -> "ComparedRelease":
        """Return the view of a release requested with this run."""
        release = snapshot.value
        root, execution = release.root, release.execution
        types = Counter(row.type for row in root.walk())
        reasons = _reasons(root)
        return cls(
            id=root.id,
            name=root.name,
            state=root.state,
            phase=root.phase,
            run_id=execution.run_id,
            status=execution.status,
            started_at=execution.started_at,
            began_at=release.began_at,
            closed_at=execution.closed_at,
            apps=types[EntityType.APP],
            clusters=types[EntityType.CLUSTER],
            stale=snapshot.stale,
            reason=ProblemView.of(snapshot.reason),
            gaps=reasons[:MAX_GAP_REASONS],
            more_gaps=sum(gap.count for gap in reasons[MAX_GAP_REASONS:]),
            standing=ComparedEntity.of(root),
            asked_run=run,
        )


class ComparePage(Page):
    """The differences between two releases. Clusters without differences are only counted."""

    template: ClassVar[str] = "compare/page.html"
    fragment: ClassVar[str] = "compare/_content.html"

    left: ComparedRelease
    right: ComparedRelease
    counts: DiffCounts
    moves: tuple[VersionMove, ...] = Field(
        description="Apps whose version changed, across clusters; most clusters first."
    )
    more_moves: int
    clusters: tuple[ClusterChanges, ...]
    alike: int = Field(description="Number of clusters with the same apps, versions and states in both releases.")
    unread: int = Field(
        description="Number of clusters in both releases that are only partly loaded and have no known difference."
    )
    whole: bool = Field(
        description="Whether both releases were fully loaded. If not, there may be further differences."
    )

    @classmethod
    def of(
        cls, snapshot: Snapshot[SnapshotPair[Release]], runs: tuple[str | None, str | None] = (None, None)
    ) -> "ComparePage":
        """Return the page of a snapshot requested with these runs."""
        left, right = snapshot.value.left, snapshot.value.right
        found = compare_releases(left.value.root, right.value.root)
        clusters, moves = tuple(_changes(found)), VersionMove.all_of(found)
        return cls(
            left=ComparedRelease.of(left, runs[0]),
            right=ComparedRelease.of(right, runs[1]),
            counts=DiffCounts.of(found.counts),
            moves=moves[:MAX_VERSION_MOVES],
            more_moves=len(moves[MAX_VERSION_MOVES:]),
            clusters=clusters,
            alike=sum(1 for pair in found.clusters if pair.right and pair.whole and not _told(pair)),
            unread=sum(1 for pair in found.clusters if pair.right and not pair.whole and not _told(pair)),
            whole=found.whole,
            **freshness(snapshot),
        )

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.left.name} and {self.right.name} compared"

    @property
    def live(self) -> bool:
        """Two ended releases have no news, once they have been read whole."""
        return self.left.moving or self.right.moving

    @property
    def itself(self) -> bool:
        """Return whether both sides are one run."""
        return (self.left.id, self.left.run_id) == (self.right.id, self.right.run_id)

    def clusters_of(self, kind: DiffKind) -> tuple[ClusterChanges, ...]:
        """Return those of a kind: `same` where both have the cluster."""
        return tuple(cluster for cluster in self.clusters if cluster.kind == kind)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Return the names of incomplete releases that are still in progress."""
        lacking = (self.left, self.counts.added), (self.right, self.counts.removed)
        return tuple(side.name for side, count in lacking if count and not side.status.closed)

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all that it shows: it is sent again as a whole."""
        shown = (
            self.left,
            self.right,
            self.counts,
            self.moves,
            self.more_moves,
            self.clusters,
            self.alike,
            self.unread,
            self.whole,
        )
        return *shown, self.stale, self.reason


def _changes(found: Comparison) -> Iterator[ClusterChanges]:
    """The clusters in which something is different or unknown, with as many of their apps as a page has room for."""
    room = MAX_COMPARE_LINES
    # Where neither release has clusters, nothing is outside of them.
    outside = "Apps in no cluster" if any(pair.left or pair.right for pair in found.clusters) else "Apps"
    for pair in found.clusters:
        if not _told(pair):
            continue
        told = (app for kind in (*CHANGED_KINDS, DiffKind.UNKNOWN) for app in pair.apps if app.kind is kind)
        lines = tuple(AppDifference.of(app) for app in islice(told, room if pair.kind is DiffKind.SAME else 0))
        room -= len(lines)
        yield ClusterChanges.of(pair, lines, outside)


def _told(pair: ClusterPair) -> bool:
    return pair.kind is not DiffKind.SAME or any(app.kind is not DiffKind.SAME for app in pair.apps)


def _reasons(root: Entity) -> tuple[GapSummary, ...]:
    """Return the gaps of a release by what is known of why, the most frequent first."""
    names: dict[str, list[str]] = {}
    for row in rows_with_gaps(root):
        why = row.problem.message if row.problem else "Its contents were not loaded."
        names.setdefault(why, []).append(row.name)
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return tuple(GapSummary(why=why, count=len(rows), names=tuple(rows[:MAX_NAMED_ROWS])) for why, rows in ordered)
