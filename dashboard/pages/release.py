"""A release: its facts, what blocks it, and its tree."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Self

from pydantic import Field

from dashboard.domain.entities import Entity, FailingTask, Release
from dashboard.domain.narrowing import EVERYTHING, Narrowing
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.rollup import Blockage, Obstacle, blockages, cause_of, tally_apps
from dashboard.live.snapshots import Snapshot
from dashboard.pages.base import Model, Page, freshness
from dashboard.pages.rows import Row
from dashboard.pages.runs import RunsView
from dashboard.pages.strip import MOST_ABOVE_TREE, Strip
from dashboard.pages.tree import Folding, ReleaseTree, tree_fields
from dashboard.pages.views import AttemptView, ChildRunView, FailureView

# Clusters that are opened because something in them failed; past these a page would be all failures and no overview.
OPEN_AT_FIRST = 12
# With more clusters than this, waves are closed too unless they are at work: a first page has to stay light.
MANY_CLUSTERS = 120
# Obstacles named in the line that says what a wave waits for; the rest is counted.
NAMED_OBSTACLES = 3


class ObstacleView(Model):
    """A cluster that holds up its wave, and why: apps that failed, apps that are being retried, or its own word."""

    id: str
    name: str
    why: str
    cause: str | None
    attempt: AttemptView | None = Field(description="The attempts of the first that is being retried.")
    failed: int
    retrying: int

    @classmethod
    def of(cls, obstacle: Obstacle) -> "ObstacleView":
        """The view of an obstacle."""
        failed = obstacle.apps.of(Phase.FAILED, Phase.TIMED_OUT)
        parts = [_apps(failed, "failed"), _apps(obstacle.apps.retrying, "retrying")]
        return cls(
            id=obstacle.entity.id,
            name=obstacle.entity.name,
            why=", ".join(part for part in parts if part) or obstacle.entity.state or "not known",
            cause=obstacle.cause,
            attempt=AttemptView.of(obstacle.attempt),
            failed=failed,
            retrying=obstacle.apps.retrying,
        )


class FailingTaskView(Model):
    """The workflow's own code fails: its task is at attempt `attempt`, and nothing in the release moves on."""

    attempt: int
    failure: FailureView | None

    @classmethod
    def of(cls, task: FailingTask | None) -> "FailingTaskView | None":
        """The view of a failing task, or None for none."""
        return (
            cls(attempt=task.attempt, failure=FailureView.of(task.failure) if task.failure else None) if task else None
        )


class BlockageView(Model):
    """A wave that is held up: by these obstacles and `more` like them, or by its own word where there is none."""

    id: str
    name: str
    word: str
    cause: str | None = Field(description="Why the wave itself is in trouble, if it is.")
    attempt: AttemptView | None
    over: bool = Field(description="Whether the release has ended, so that nobody waits any more.")
    obstacles: tuple[ObstacleView, ...]
    more: int

    @classmethod
    def of(cls, blockage: Blockage, *, over: bool) -> "BlockageView":
        """The view of a blockage."""
        named = blockage.obstacles[:NAMED_OBSTACLES]
        return cls(
            id=blockage.wave.id,
            name=blockage.wave.name,
            word=blockage.wave.state,
            cause=cause_of(blockage.wave),
            attempt=AttemptView.of(blockage.wave.attempt),
            over=over,
            obstacles=tuple(ObstacleView.of(obstacle) for obstacle in named),
            more=len(blockage.obstacles) - len(named),
        )


class _TreePage(Page, ReleaseTree):
    fragment: ClassVar[str] = "partials/_release.html"
    parts: ClassVar[tuple[str, ...]] = ("release_head", "release_notices", "strip", "release_foot")
    line: ClassVar[tuple[str, str]] = ("macros/tree.html", "line")
    strip_alone: ClassVar[bool] = False

    blocked_by: tuple[BlockageView, ...]
    unread: tuple[str, ...] = Field(description="Rows of a very large release that are still to be read (again).")
    unopened: tuple[str, ...] = Field(
        description="Rows of a very large release below which nothing was read. Ask for it with `?open=` and the id, "
        "repeated for several, or at that entity's own address."
    )
    by_levels: bool = Field(exclude=True)
    strip: Strip = Field(exclude=True)
    runs: RunsView
    failing_task: FailingTaskView | None = Field(description="Set while the workflow's own code fails.")
    waiting_since: datetime | None = Field(
        description="Since when the workflow's next step waits for a worker, if that is unusually long."
    )
    also_pending: tuple[AttemptView, ...] = Field(description="Activities that belong to no entity of the tree.")
    other_runs: tuple[ChildRunView, ...] = Field(description="Child workflows that belong to no entity of the tree.")

    @property
    def troubled(self) -> bool:
        """Whether anything failed or is being retried; a release that only waits for somebody is not in trouble."""
        return bool(self.progress.broken or self.progress.retrying or self.phase.broken)

    @property
    def live(self) -> bool:
        """An ended release has no news, once it has been read whole."""
        return self.stale or self.problem is not None or bool(self.unread) or not self.status.closed

    @property
    def owner(self) -> str:
        """The release, which all its rows are below."""
        return self.id

    @property
    def frame(self) -> tuple[object, ...]:
        """What names the tree."""
        return (self.name,)

    def lines(self) -> Iterator[Row]:
        """The rows of the tree."""
        return chain.from_iterable(row.walk() for row in self.rows)

    @classmethod
    def _of(cls, snapshot: Snapshot[Release], folding: Folding, **more: Any) -> Self:  # noqa: ANN401 - fields of its own
        release = snapshot.value
        over = release.execution.status.closed
        far = tuple(release.root.walk()) if release.levels else release.root.children
        return cls(
            **tree_fields(release, folding),
            **freshness(snapshot),
            **more,
            blocked_by=tuple(BlockageView.of(blockage, over=over) for blockage in blockages(release)),
            unread=tuple(row.id for row in far if row.problem and row.problem.code is ProblemCode.NOT_READ),
            unopened=tuple(row.id for row in far if row.unopened),
            by_levels=release.levels is not None,
            strip=Strip.of(release, MOST_ABOVE_TREE),
            runs=RunsView.of(release),
            failing_task=FailingTaskView.of(release.execution.failing_task),
            waiting_since=release.execution.waiting_since,
            also_pending=tuple(view for attempt in release.also_pending if (view := AttemptView.of(attempt))),
            other_runs=tuple(child for run in release.other_runs if (child := ChildRunView.of(run))),
        )


class ReleasePage(_TreePage):
    """The release, its waves with progress, and what blocks it. Clusters are closed unless something failed in them.

    Of a release that is read as it is opened, waves are open only if that was asked for.
    """

    template: ClassVar[str] = "pages/release.html"

    open_at_first: frozenset[str] = Field(exclude=True)

    @property
    def frame(self) -> tuple[object, ...]:
        """What names the tree, and which rows are open whatever the viewer has opened."""
        return *super().frame, self.open_at_first

    @classmethod
    def of(cls, snapshot: Snapshot[Release], open_ids: frozenset[str] = frozenset()) -> Self:
        """The page of a snapshot, with these waves and clusters open as well."""
        first, fold_waves = _folded_at_first(snapshot.value)
        opened = open_ids | first | _waves_above(snapshot.value.root, open_ids)
        return cls._of(snapshot, Folding(open_ids=opened, fold_waves=fold_waves), open_at_first=first)

    @classmethod
    def unfolded(cls, snapshot: Snapshot[Release]) -> Self:
        """The same with every row shown: each row of anybody's page is among these, whatever they have opened."""
        first, fold_waves = _folded_at_first(snapshot.value)
        return cls._of(snapshot, Folding(every=True, fold_waves=fold_waves), open_at_first=first)


class HierarchyPage(_TreePage):
    """The whole tree, nothing folded, or the part of it that was asked for; progress always counts all of it.

    Of a release that is read as it is opened, it is the tree as far as that: `unopened` says what it leaves out.
    """

    template: ClassVar[str] = "pages/hierarchy.html"

    entities: int = Field(description="How many rows were read, the release among them.")
    left_out: int = Field(description="How many of them `depth` and `phase` leave out.")

    @classmethod
    def of(cls, snapshot: Snapshot[Release], narrowing: Narrowing = EVERYTHING) -> Self:
        """The page of a snapshot."""
        entities = sum(1 for _ in snapshot.value.root.walk())
        left_out = 0 if narrowing.everything else entities - narrowing.count(snapshot.value.root)
        folding = Folding(every=True, fold_waves=snapshot.value.levels is not None, narrowing=narrowing)
        return cls._of(snapshot, folding, entities=entities, left_out=left_out)


def _folded_at_first(release: Release) -> tuple[frozenset[str], bool]:
    """The rows that are open whatever the viewer has opened, and whether waves are folded, too."""
    root, by_levels = release.root, release.levels is not None
    many = sum(len(wave.children) for wave in root.children) > MANY_CLUSTERS
    first = _troubled_clusters(root) | (_waves_at_work(root) if many and not by_levels else frozenset())
    return first, many or by_levels


def _waves_at_work(root: Entity) -> frozenset[str]:
    """The waves that are open at first where there are too many clusters to show: those that move or are in trouble."""
    found: list[str] = []
    shown = 0
    for wave in root.children:
        at_work = wave.phase in {Phase.RUNNING, Phase.PAUSED} or wave.phase.broken or tally_apps(wave).troubled
        if at_work and (not found or shown + len(wave.children) <= MANY_CLUSTERS):
            found.append(wave.id)
            shown += len(wave.children)
    return frozenset(found)


def _waves_above(root: Entity, open_ids: frozenset[str]) -> frozenset[str]:
    """The waves of the clusters that are to be open."""
    return frozenset(wave.id for wave in root.children if any(row.id in open_ids for row in wave.children))


def _troubled_clusters(root: Entity) -> frozenset[str]:
    clusters = (cluster for wave in root.children for cluster in wave.children)
    troubled = [cluster.id for cluster in clusters if cluster.phase.broken or tally_apps(cluster).troubled]
    return frozenset(troubled[:OPEN_AT_FIRST])


def _apps(count: int, word: str) -> str:
    return f"{count} app{'' if count == 1 else 's'} {word}" if count else ""
