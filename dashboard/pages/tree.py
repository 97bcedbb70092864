"""The tree of a release as rows: which of them are open, and what is below those."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dashboard.domain.entities import Entity, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.narrowing import EVERYTHING, Narrowing
from dashboard.domain.order import Order
from dashboard.domain.rollup import tally, tally_apps
from dashboard.domain.work_times import WorkTimes
from dashboard.pages.base import part
from dashboard.pages.places import place_of
from dashboard.pages.release_row import ReleaseRow, release_common
from dashboard.pages.rows import AppRow, BundleRow, ClusterRow, Row, WaveRow, worked
from dashboard.pages.views import FailureView, PauseView, Progress

# From so many rows on a browser is told to make those that are out of sight later.
LARGE = 1_500


@part
class ReleaseTree(ReleaseRow):
    """A release with its waves: what Temporal knows of its execution beside what it says of itself."""

    type: EntityType
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    started_at: datetime
    closed_at: datetime | None
    status_code: Annotated[
        int | None, Field(description="The number of a status that this dashboard does not know, which is UNKNOWN.")
    ]
    pause: Annotated[PauseView | None, Field(description="Set while Temporal itself has paused it.")]
    failure: Annotated[
        FailureView | None,
        Field(description="With what it ended, if not well, and all that caused that. `error_message` is the cause."),
    ]
    changed_at: Annotated[
        datetime, Field(description="The newest time that any part of the release gives for a change.")
    ]
    wave_ids: tuple[str, ...]
    progress: Progress
    cluster_progress: Progress
    wave_progress: Progress
    waves: tuple[WaveRow, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its waves."""
        return self.waves


@dataclass(frozen=True, slots=True)
class Folding:
    """Which waves and clusters show what is below them: all, or those named; waves always do unless `fold_waves`.

    `shut` are waves that show nothing all the same, and bundles that are closed: their apps are few, and are there.
    What was not read is never shown as open. Siblings stand in this `order`.
    """

    every: bool = False
    open_ids: frozenset[str] = frozenset()
    fold_waves: bool = False
    shut: frozenset[str] = frozenset()
    narrowing: Narrowing = EVERYTHING
    order: Order = Order.ROLLOUT

    def folds(self, wave: Entity) -> bool:
        """Whether this wave is closed unless it is opened."""
        return self.fold_waves or wave.id in self.shut

    def opens_wave(self, wave: Entity) -> bool:
        """Whether this wave is shown with its clusters."""
        wanted = self.every or not self.folds(wave) or wave.id in self.open_ids
        return wanted and not wave.unopened and self.narrowing.reaches(EntityType.CLUSTER)

    def opens_cluster(self, cluster: Entity) -> bool:
        """Whether this cluster is shown with its bundle."""
        wanted = self.every or cluster.id in self.open_ids
        return wanted and not cluster.unopened and self.narrowing.reaches(EntityType.BUNDLE)

    def opens_bundle(self, bundle: Entity) -> bool:
        """Whether this bundle is open: always, unless it was closed."""
        return bundle.id in self.open_ids or bundle.id not in self.shut

    def below(self, entity: Entity) -> list[tuple[int, Entity]]:
        """The children that are shown, in order, each with its position in the rollout's own."""
        ordered = self.order.sort(entity.children)
        if self.narrowing.everything:
            return ordered
        return [(position, child) for position, child in ordered if self.narrowing.shows(child)]


UNFOLDED = Folding(every=True)


def tree_fields(release: Release, folding: Folding, known_at: datetime) -> dict[str, Any]:
    """The fields of a ReleaseTree, of a release as it was read at this moment."""
    execution, root = release.execution, release.root
    place = place_of("", execution.workflow_id, 0)
    work = WorkTimes(release, known_at)
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
        "wave_ids": root.child_ids,
        "progress": Progress.of(tally_apps(root)),
        "cluster_progress": Progress.of(tally([cluster for wave in root.children for cluster in wave.children])),
        "wave_progress": Progress.of(tally(root.children)),
        "waves": tuple(
            wave_row(wave, root.id, folding, place_of(place, wave.id, position), work)
            for position, wave in folding.below(root)
        ),
    }


def _last_change(release: Release, work: WorkTimes) -> datetime:
    times = [changed for entity in release.root.flattened() if (changed := work.told(entity.updated_at))]
    known = [release.execution.started_at, *times]
    return max([*known, release.execution.closed_at] if release.execution.closed_at else known)


def wave_row(wave: Entity, release_id: str, folding: Folding, place: str, work: WorkTimes) -> WaveRow:
    """The row of a wave with its clusters."""
    is_open = folding.opens_wave(wave)
    clusters = tuple(
        cluster_row(cluster, wave.id, folding, place_of(place, cluster.id, position), work)
        for position, cluster in (folding.below(wave) if is_open else ())
    )
    return WaveRow(
        **worked(wave, place, work),
        type="wave",
        release_id=release_id,
        sequence=wave.sequence,
        cluster_ids=wave.child_ids,
        progress=Progress.of(tally_apps(wave)),
        cluster_progress=Progress.of(tally(wave.children)),
        open=is_open,
        clusters=clusters if is_open else None,
        lazy=folding.folds(wave),
    )


def cluster_row(cluster: Entity, wave_id: str, folding: Folding, place: str, work: WorkTimes) -> ClusterRow:
    """The row of a cluster, with its bundle if the folding opens it."""
    is_open = folding.opens_cluster(cluster)
    bundle = next((bundle for _, bundle in folding.below(cluster)), None) if is_open else None
    return ClusterRow(
        **worked(cluster, place, work),
        type="cluster",
        wave_id=wave_id,
        bundle_id=cluster.child_ids[0] if cluster.child_ids else None,
        progress=Progress.of(tally_apps(cluster)),
        open=is_open,
        bundle=bundle_row(bundle, cluster.id, folding, place_of(place, bundle.id, 0), work) if bundle else None,
    )


def bundle_row(bundle: Entity, cluster_id: str, folding: Folding, place: str, work: WorkTimes) -> BundleRow:
    """The row of a bundle with its apps."""
    apps = tuple(
        app_row(app, bundle.id, place_of(place, app.id, position), work) for position, app in folding.below(bundle)
    )
    return BundleRow(
        **worked(bundle, place, work),
        type="bundle",
        cluster_id=cluster_id,
        app_ids=bundle.child_ids,
        progress=Progress.of(tally_apps(bundle)),
        open=folding.opens_bundle(bundle),
        apps=apps,
    )


def app_row(app: Entity, bundle_id: str, place: str, work: WorkTimes) -> AppRow:
    """The row of an app."""
    return AppRow(
        **worked(app, place, work), type="app", bundle_id=bundle_id, version=app.version, version_runs=app.version_runs
    )
