"""A release as a strip: its waves in order with their clusters.

Clusters in no wave are in a segment of their parent, such as the release.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import TreePath, clusters_in, wave_holders
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import PhaseCounts, count_app_phases, count_phases

_AT_WORK = frozenset({Phase.RUNNING, Phase.PAUSED})


@dataclass(frozen=True, slots=True)
class ClusterCell:
    """A cluster of a strip, with its position and app counts."""

    cluster: Entity
    position: int
    apps: PhaseCounts


@dataclass(frozen=True, slots=True)
class StripSegment:
    """A segment of a strip: a wave, or another parent of clusters.

    `steps` is the path to the wave with positions. `apps` are counted if there are no clusters. `current` is set while
    it is in progress. `cells` is None if clusters are only counted or were not loaded.
    """

    wave: Entity
    steps: TreePath
    current: bool
    clusters: PhaseCounts
    apps: PhaseCounts
    cells: tuple[ClusterCell, ...] | None

    @property
    def read(self) -> bool:
        """Return whether the clusters of the wave are known."""
        return bool(self.wave.children) or not (self.wave.child_ids or self.wave.problem)


def strip_segments(root: Entity, most: int) -> Iterator[StripSegment]:
    """Return the segments of a release. Above a number of clusters, these are only counted."""
    merged = count_clusters(root) >= most
    rows = list(wave_holders(root))
    for row, steps in rows:
        if row.type is EntityType.WAVE:
            yield _segment(row, steps, merged=merged)
    for row, steps in rows:
        if row.type is not EntityType.WAVE and any(child.type is EntityType.CLUSTER for child in row.children):
            yield _segment(row, steps, merged=merged)


def _segment(wave: Entity, steps: TreePath, *, merged: bool) -> StripSegment:
    clusters = [child for child in wave.children if child.type is EntityType.CLUSTER]
    apps = count_app_phases(wave) if wave.type is EntityType.WAVE and not clusters else count_phases([])
    return StripSegment(
        wave, steps, is_current_wave(wave), count_phases(clusters, "cluster"), apps, None if merged else _cells(wave)
    )


def count_clusters(root: Entity) -> int:
    """Return the number of loaded clusters."""
    return len(clusters_in(root))


def is_current_wave(wave: Entity) -> bool:
    """Return whether the wave or one of its clusters is in progress.

    In an ended release no wave is.
    """
    return wave.phase in _AT_WORK or any(cluster.phase in _AT_WORK for cluster in wave.children)


def _cells(wave: Entity) -> tuple[ClusterCell, ...] | None:
    if not wave.children and (wave.child_ids or wave.problem):
        return None
    return tuple(
        ClusterCell(cluster, position, count_app_phases(cluster))
        for position, cluster in enumerate(wave.children)
        if cluster.type is EntityType.CLUSTER
    )
