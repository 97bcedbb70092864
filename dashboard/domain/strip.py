"""A whole release as one strip: its waves in order, each with its clusters. Pure functions over entities.

Clusters that are in no wave stand in a segment of what holds them, such as the release itself.
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
    """A cluster of a strip, with its position in the wave and its apps counted."""

    cluster: Entity
    position: int
    apps: PhaseCounts


@dataclass(frozen=True, slots=True)
class StripSegment:
    """A wave of a strip, or what else holds clusters, such as the release itself.

    `steps` lead from below the release down to the wave, each with its position. `apps` are counted where the wave has
    no clusters. `current` is set where the release is at work. `cells` is None where the clusters are only counted, or
    were not read.
    """

    wave: Entity
    steps: TreePath
    current: bool
    clusters: PhaseCounts
    apps: PhaseCounts
    cells: tuple[ClusterCell, ...] | None

    @property
    def read(self) -> bool:
        """Return whether it is known which clusters the wave has."""
        return bool(self.wave.children) or not (self.wave.child_ids or self.wave.problem)


def strip_segments(root: Entity, most: int) -> Iterator[StripSegment]:
    """Yield the waves of a release; with so many clusters or more, these are counted and have no cells."""
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
    """Return how many clusters were read."""
    return len(clusters_in(root))


def is_current_wave(wave: Entity) -> bool:
    """Return whether the release is at work in this wave, by its own word or that of one of its clusters.

    Of an ended release no row is unfinished any more, so that no wave of it is current.
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
