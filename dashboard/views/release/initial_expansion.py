"""What a release's page has open before its viewer opens anything, or where all of it is to be opened or closed."""

from dataclasses import dataclass

from dashboard.domain.entities import Entity, Release
from dashboard.domain.levels import units_in, waves_in
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import count_app_phases
from dashboard.domain.tree_filter import NO_TREE_FILTER, TreeFilter

# Clusters that are opened because something in them failed; past these a page would be all failures and no overview.
MAX_INITIALLY_OPEN_CLUSTERS = 12
# With more clusters than this, waves are closed too unless they are at work: a first page has to stay light.
MAX_CLUSTERS_WITH_OPEN_WAVES = 24
# Rows that a page may have because all of them were to be opened.
MAX_EXPANDED_ROWS = 2_000
# Values in place of an ID: `open=all`, `open=failures`, `shut=all`.
EXPAND_ALL, EXPAND_FAILURES = "all", "failures"
EXPAND_KEYWORDS = frozenset({EXPAND_ALL, EXPAND_FAILURES})


@dataclass(frozen=True, slots=True)
class InitialExpansion:
    """The rows that are expanded initially, and whether all other waves are collapsed.

    `left_closed` rows would be expanded as well, but exceed the limit of the page or were not loaded.
    """

    ids: frozenset[str]
    fold_waves: bool
    left_closed: int = 0


def initial_expansion(
    release: Release,
    open_ids: frozenset[str] = frozenset(),
    shut: frozenset[str] = frozenset(),
    tree_filter: TreeFilter = NO_TREE_FILTER,
) -> InitialExpansion:
    """Return the rows expanded independently of the viewer, including search matches within the limit."""
    if EXPAND_ALL in shut:
        return InitialExpansion(frozenset(), fold_waves=True)
    root, by_levels = release.root, release.levels is not None
    if EXPAND_FAILURES in open_ids:
        return _bounded(root, _troubled(root), tree_filter)
    if EXPAND_ALL in open_ids or tree_filter.picks:
        return _bounded(root, units_in(root), tree_filter)
    many = len(units_in(root)) > MAX_CLUSTERS_WITH_OPEN_WAVES
    first = frozenset(row.id for row in _troubled(root)[:MAX_INITIALLY_OPEN_CLUSTERS])
    if many and not by_levels:
        first |= _waves_at_work(root)
    return InitialExpansion(first, many or by_levels)


def waves_above(root: Entity, open_ids: frozenset[str]) -> frozenset[str]:
    """Return the waves of the rows that are to be open."""
    waves = waves_in(root)
    return frozenset(wave.id for wave in waves if any(row.id in open_ids for row in (*wave.children, *waves_in(wave))))


def _bounded(root: Entity, clusters: list[Entity], tree_filter: TreeFilter) -> InitialExpansion:
    """Return the clusters and waves to expand, in order, within the limit."""
    room, wanted, opened = MAX_EXPANDED_ROWS, {row.id for row in clusters if tree_filter.shows(row)}, set[str]()
    left = sum(wave.unopened for wave in root.children)
    # Direct children of the release are in no wave that could be collapsed.
    for wave in (root, *waves_in(root)):
        inside = [row for row in wave.children if row.id in wanted]
        if not inside or len(wave.children) > room:
            left += len(inside)
            continue
        if wave is not root:
            opened.add(wave.id)
        room -= len(wave.children)
        for cluster in inside:
            rows = tree_filter.count(cluster) - 1
            if cluster.unopened or rows > room:
                left += 1
            else:
                opened.add(cluster.id)
                room -= rows
    above = waves_above(root, frozenset(opened))
    return InitialExpansion(above | opened, fold_waves=True, left_closed=left)


def _waves_at_work(root: Entity) -> frozenset[str]:
    """The waves that are open at first where there are too many clusters to show: those that move or are in trouble."""
    found: list[str] = []
    shown = 0
    for wave in waves_in(root):
        at_work = wave.phase in {Phase.RUNNING, Phase.PAUSED} or wave.phase.broken or count_app_phases(wave).troubled
        if at_work and (not found or shown + len(wave.children) <= MAX_CLUSTERS_WITH_OPEN_WAVES):
            found.append(wave.id)
            shown += len(wave.children)
    return frozenset(found)


def _troubled(root: Entity) -> list[Entity]:
    return [cluster for cluster in units_in(root) if cluster.phase.broken or count_app_phases(cluster).troubled]
