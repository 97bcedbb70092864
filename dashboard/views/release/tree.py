"""The tree of a release as rows: which of them are open, and what is below those."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dashboard.domain.entities import Entity, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import clusters_in, ids_of, waves_in
from dashboard.domain.rollup import count_app_phases, count_phases
from dashboard.domain.sort_order import SortOrder
from dashboard.domain.tree_filter import NO_TREE_FILTER, TreeFilter
from dashboard.domain.work_times import WorkTimes
from dashboard.views.shared.details import FailureView, PauseView, Progress
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.release_row import ReleaseRow, release_common
from dashboard.views.shared.rows import (
    AnyRow,
    AppRow,
    BundleRow,
    ClusterRow,
    EntityRow,
    WaveRow,
    timed_fields,
)
from dashboard.web.page_model import page_part

# From this number of rows on, browsers skip rendering of rows out of view.
LARGE_TREE_ROWS = 1_500


@page_part
class ReleaseTree(ReleaseRow):
    """A release with its waves: data of its Temporal execution and its own reports."""

    type: EntityType
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    started_at: datetime
    closed_at: datetime | None
    status_code: Annotated[
        int | None,
        Field(description="Code of a status that this dashboard does not support; the status is then UNKNOWN."),
    ]
    pause: Annotated[PauseView | None, Field(description="Set while it is paused in Temporal.")]
    failure: Annotated[
        FailureView | None,
        Field(description="Failure with which it ended, if any, with its causes. `error_message` is the root cause."),
    ]
    changed_at: Annotated[datetime, Field(description="Latest change reported by any part of the release.")]
    wave_ids: tuple[str, ...]
    progress: Progress
    cluster_progress: Progress
    wave_progress: Progress
    waves: tuple[WaveRow, ...]
    children: Annotated[
        tuple[AnyRow, ...], Field(description="Direct children of the release that are not waves, each with its type.")
    ]

    @property
    def rows(self) -> tuple[EntityRow, ...]:
        """Its waves, and what else is directly below it."""
        return (*self.waves, *self.children) if self.children else self.waves


@dataclass(frozen=True, slots=True)
class TreeExpansion:
    """Which waves and clusters are expanded: all, or those named. Waves always are, unless `fold_waves` is set.

    `shut` are waves and bundles that are collapsed regardless. The few apps of a bundle are included anyway.
    Rows that were not loaded are never shown as expanded. Siblings are in this `order`.
    """

    every: bool = False
    open_ids: frozenset[str] = frozenset()
    fold_waves: bool = False
    shut: frozenset[str] = frozenset()
    tree_filter: TreeFilter = NO_TREE_FILTER
    order: SortOrder = SortOrder.ROLLOUT

    def folds(self, wave: Entity) -> bool:
        """Return whether this wave is closed unless it is opened."""
        return self.fold_waves or wave.id in self.shut

    def opens_wave(self, wave: Entity) -> bool:
        """Return whether this wave is expanded."""
        wanted = self.every or not self.folds(wave) or wave.id in self.open_ids
        return wanted and not wave.unopened and self.tree_filter.reaches(EntityType.CLUSTER)

    def opens_cluster(self, cluster: Entity) -> bool:
        """Return whether this cluster is expanded."""
        wanted = self.every or cluster.id in self.open_ids
        return wanted and not cluster.unopened and self.tree_filter.reaches(EntityType.BUNDLE)

    def opens_bundle(self, bundle: Entity) -> bool:
        """Return whether this bundle is open: always, unless it was closed."""
        return bundle.id in self.open_ids or bundle.id not in self.shut

    def below(self, entity: Entity) -> list[tuple[int, Entity]]:
        """Return the shown children in order, with their original positions."""
        ordered = self.order.sort(entity.children)
        if self.tree_filter.everything:
            return ordered
        return [(position, child) for position, child in ordered if self.tree_filter.shows(child)]


FULLY_EXPANDED = TreeExpansion(every=True)


def tree_fields(release: Release, folding: TreeExpansion, known_at: datetime) -> dict[str, Any]:
    """Return the fields of a ReleaseTree, of a release as it was read at this moment."""
    execution, root = release.execution, release.root
    place = row_place("", execution.workflow_id, 0)
    work = WorkTimes(release, known_at)
    below = _below(root, EntityType.WAVE, "waves", wave_row, folding, place, work)
    return {
        **release_common(release, place),
        "workflow_id": execution.workflow_id,
        "run_id": execution.run_id,
        "workflow_type": execution.workflow_type,
        "task_queue": execution.task_queue,
        "status": execution.status,
        "started_at": execution.started_at,
        "closed_at": execution.closed_at,
        "status_code": execution.status_code,
        "pause": PauseView.of(execution),
        "failure": FailureView.of(execution.closing) if execution.closing else None,
        "changed_at": _last_change(release, work),
        "wave_ids": ids_of(root, EntityType.WAVE),
        "progress": Progress.of(count_app_phases(root)),
        "cluster_progress": Progress.of(count_phases(clusters_in(root), "cluster")),
        "wave_progress": Progress.of(count_phases(waves_in(root), "wave")),
        **below,
    }


def _last_change(release: Release, work: WorkTimes) -> datetime:
    times = [changed for entity in release.root.flattened() if (changed := work.told(entity.updated_at))]
    known = [release.execution.started_at, *times]
    return max([*known, release.execution.closed_at] if release.execution.closed_at else known)


def _below(
    entity: Entity,
    kind: EntityType,
    name: str,
    make: Callable[[Entity, str, TreeExpansion, str, WorkTimes], EntityRow],
    folding: TreeExpansion,
    place: str,
    work: WorkTimes,
) -> dict[str, Any]:
    """The rows below an entity: those of the type that usually is, under that name, and all others as `children`."""
    below = folding.below(entity)
    usual = [one for one in below if one[1].type is kind]
    others = [one for one in below if one[1].type is not kind] if len(usual) < len(below) else ()
    return {
        name: tuple([make(row, entity.id, folding, row_place(place, row.id, at), work) for at, row in usual]),
        "children": tuple(
            entity_row(row, entity.id, folding, row_place(place, row.id, at), work) for at, row in others
        ),
    }


def entity_row(entity: Entity, parent_id: str, folding: TreeExpansion, place: str, work: WorkTimes) -> AnyRow:
    """Return the row of an entity below a release, whatever it is."""
    match entity.type:
        case EntityType.WAVE:
            return wave_row(entity, parent_id, folding, place, work)
        case EntityType.CLUSTER:
            return cluster_row(entity, parent_id, folding, place, work)
        case EntityType.BUNDLE:
            return bundle_row(entity, parent_id, folding, place, work)
    return app_row(entity, parent_id, folding, place, work)


def wave_row(wave: Entity, release_id: str, folding: TreeExpansion, place: str, work: WorkTimes) -> WaveRow:
    """Return the row of a wave with its clusters."""
    is_open = folding.opens_wave(wave)
    closed: dict[str, Any] = {"clusters": None}
    below = _below(wave, EntityType.CLUSTER, "clusters", cluster_row, folding, place, work) if is_open else closed
    return WaveRow(
        **timed_fields(wave, place, work),
        type="wave",
        release_id=release_id,
        sequence=wave.sequence,
        cluster_ids=ids_of(wave, EntityType.CLUSTER),
        progress=Progress.of(count_app_phases(wave)),
        cluster_progress=Progress.of(count_phases(clusters_in(wave), "cluster")),
        open=is_open,
        lazy=folding.folds(wave),
        **below,
    )


def cluster_row(cluster: Entity, wave_id: str, folding: TreeExpansion, place: str, work: WorkTimes) -> ClusterRow:
    """Return the row of a cluster, with its bundle if the folding opens it."""
    is_open = folding.opens_cluster(cluster)
    below: dict[str, Any] = {"bundles": ()}
    if is_open:
        below = _below(cluster, EntityType.BUNDLE, "bundles", bundle_row, folding, place, work)
    return ClusterRow(
        **timed_fields(cluster, place, work),
        type="cluster",
        wave_id=wave_id,
        bundle_id=next(iter(ids_of(cluster, EntityType.BUNDLE)), None),
        progress=Progress.of(count_app_phases(cluster)),
        open=is_open,
        bundle=next(iter(below.pop("bundles")), None),
        **below,
    )


def bundle_row(bundle: Entity, cluster_id: str, folding: TreeExpansion, place: str, work: WorkTimes) -> BundleRow:
    """Return the row of a bundle with its apps."""
    return BundleRow(
        **timed_fields(bundle, place, work),
        type="bundle",
        cluster_id=cluster_id,
        app_ids=ids_of(bundle, EntityType.APP),
        progress=Progress.of(count_app_phases(bundle)),
        open=folding.opens_bundle(bundle),
        **_below(bundle, EntityType.APP, "apps", app_row, folding, place, work),
    )


def app_row(app: Entity, bundle_id: str, folding: TreeExpansion, place: str, work: WorkTimes) -> AppRow:
    """Return the row of an app, with what is below it, if anything is."""
    row = AppRow(
        **timed_fields(app, place, work),
        type="app",
        bundle_id=bundle_id,
        version=app.version,
        version_runs=app.version_runs,
    )
    if not app.children:
        return row
    below = (
        entity_row(child, app.id, folding, row_place(place, child.id, at), work) for at, child in folding.below(app)
    )
    return replace(row, children=tuple(below))
