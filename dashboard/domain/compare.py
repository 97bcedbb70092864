"""What is different between two releases: their apps, by cluster. Pure functions over trees.

A cluster of one release is that of the other with the same id, else, of those left over, the one whose id is the same
without the release's own part of it, else the one with the same name. Within
a cluster the same rule finds an app's like; what belongs to no cluster is compared with what belongs to none. Where an
id or a name stands more than once, the first is the like of the first. Clusters themselves and their bundles are not
compared, only who has them.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import ProblemCode
from dashboard.domain.stable_ids import stable_id


class DiffKind(StrEnum):
    """How an app differs between two releases. `version` takes precedence over `state`.

    `planned` is a different version that is not running in both: planned, or its deployment failed.
    """

    VERSION = "version"
    PLANNED = "planned"
    ADDED = "added"
    REMOVED = "removed"
    STATE = "state"
    UNKNOWN = "unknown"
    SAME = "same"


CHANGED_KINDS = (DiffKind.VERSION, DiffKind.PLANNED, DiffKind.ADDED, DiffKind.REMOVED, DiffKind.STATE)


@dataclass(frozen=True, slots=True)
class AppPair:
    """An app in both releases. It is `unknown` if a gap may hide it."""

    kind: DiffKind
    left: Entity | None
    right: Entity | None


@dataclass(frozen=True, slots=True)
class ClusterPair:
    """A cluster in both releases or one of them; without either, the apps that are in no cluster.

    `kind` is added, removed, or unknown if the other release may have it hidden by a gap; otherwise same. `whole` tells
    that no gap hides any of its apps.
    """

    kind: DiffKind
    left: Entity | None
    right: Entity | None
    apps: tuple[AppPair, ...]
    whole: bool

    @property
    def counts(self) -> Counter[DiffKind]:
        """Return the number of apps by kind."""
        return Counter(app.kind for app in self.apps)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All clusters and apps of both releases. `whole` tells that no gap hides anything."""

    clusters: tuple[ClusterPair, ...]
    whole: bool

    @property
    def counts(self) -> Counter[DiffKind]:
        """Return the number of apps by kind."""
        return sum((cluster.counts for cluster in self.clusters), Counter())


@dataclass(frozen=True, slots=True)
class _Place:
    """A cluster of one release with its apps; `vague` if a gap may hide more."""

    cluster: Entity
    apps: tuple[Entity, ...]
    vague: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """One release: `vague` if a gap may hide clusters, `loose` if rows may belong to any cluster."""

    release_id: str
    places: tuple[_Place, ...]
    outside: tuple[Entity, ...]
    vague: bool
    loose: bool


def compare_releases(left: Entity, right: Entity) -> Comparison:
    """Compare two releases, from the left to the right one; clusters in the order of the right."""
    one, other = _side(left), _side(right)
    ids = left.id, right.id
    likes = _likes([place.cluster for place in one.places], [place.cluster for place in other.places], ids)
    clusters = [
        _cluster_pair(None if at is None else one.places[at], None if like is None else other.places[like], one, other)
        for at, like in likes
    ]
    outside = _app_pairs(one.outside, other.outside, ids, left_vague=one.vague, right_vague=other.vague)
    if outside:
        clusters.append(ClusterPair(DiffKind.SAME, None, None, outside, not (one.vague or other.vague)))
    return Comparison(tuple(clusters), not rows_with_gaps(left) and not rows_with_gaps(right))


def rows_with_gaps(root: Entity) -> tuple[Entity, ...]:
    """Return rows with unknown data or contents that were not loaded."""
    return tuple(row for row in root.walk() if _gap(row))


def _gap(row: Entity) -> bool:
    return row.problem is not None or row.unopened


def _side(root: Entity) -> _Side:
    places, outside, vague, loose = [], [], False, False
    waiting = [root]
    while waiting:
        row = waiting.pop()
        if row.type is EntityType.CLUSTER:
            places.append(_place(row))
            # It may be any cluster: its own id could not be read.
            vague = vague or (row.problem is not None and row.problem.code is ProblemCode.MALFORMED)
            continue
        waiting += row.children[::-1]
        if row.type is EntityType.APP:
            outside.append(row)
        below = row.type in {EntityType.APP, EntityType.BUNDLE}
        vague, loose = vague or (_gap(row) and not below), loose or (_gap(row) and below)
    return _Side(root.id, tuple(places), tuple(outside), vague or loose, loose)


def _place(cluster: Entity) -> _Place:
    rows = tuple(cluster.walk())
    return _Place(cluster, tuple(row for row in rows if row.type is EntityType.APP), any(map(_gap, rows)))


def _cluster_pair(left: _Place | None, right: _Place | None, one: _Side, other: _Side) -> ClusterPair:
    left_vague = one.loose or (left.vague if left else one.vague)
    right_vague = other.loose or (right.vague if right else other.vague)
    apps = _app_pairs(
        left.apps if left else (),
        right.apps if right else (),
        (one.release_id, other.release_id),
        left_vague=left_vague,
        right_vague=right_vague,
    )
    kind = DiffKind.SAME
    if left is None:
        kind = DiffKind.UNKNOWN if left_vague else DiffKind.ADDED
    elif right is None:
        kind = DiffKind.UNKNOWN if right_vague else DiffKind.REMOVED
    return ClusterPair(
        kind,
        left.cluster if left else None,
        right.cluster if right else None,
        apps,
        not (left_vague or right_vague),
    )


def _app_pairs(
    left: Sequence[Entity], right: Sequence[Entity], ids: tuple[str, str], *, left_vague: bool, right_vague: bool
) -> tuple[AppPair, ...]:
    def paired(one: Entity | None, other: Entity | None) -> AppPair:
        return AppPair(_kind(one, other, left_vague=left_vague, right_vague=right_vague), one, other)

    return tuple(
        paired(None if at is None else left[at], None if like is None else right[like])
        for at, like in _likes(left, right, ids)
    )


def _kind(left: Entity | None, right: Entity | None, *, left_vague: bool, right_vague: bool) -> DiffKind:
    hidden = (left is None and left_vague) or (right is None and right_vague)
    if hidden or any(row.problem for row in (left, right) if row):
        return DiffKind.UNKNOWN
    if left is None or right is None:
        return DiffKind.ADDED if left is None else DiffKind.REMOVED
    if left.version != right.version:
        waits = any(row.version is not None and not row.version_runs for row in (left, right))
        return DiffKind.PLANNED if waits else DiffKind.VERSION
    return DiffKind.SAME if _stands(left) == _stands(right) else DiffKind.STATE


def _stands(row: Entity) -> tuple[str, str]:
    """Return the phase, and the reported state unless overruled."""
    return row.phase, row.phase if row.overruled else row.state


def _likes(
    left: Sequence[Entity], right: Sequence[Entity], ids: tuple[str, str]
) -> Iterable[tuple[int | None, int | None]]:
    """Return matching pairs of rows by index, in the order of the right side; then unmatched rows of the left side.

    `ids` are the release IDs, whose parts in row IDs are ignored.
    """
    found: dict[int, int] = {}
    free: Sequence[int] = range(len(left))
    for named in (_id, _stable_id, _name):
        waiting: defaultdict[str, deque[int]] = defaultdict(deque)
        for at in free:
            waiting[named(left[at], ids[0])].append(at)
        for like, row in enumerate(right):
            if like not in found and waiting[key := named(row, ids[1])]:
                found[like] = waiting[key].popleft()
        free = sorted(set(range(len(left))) - set(found.values()))
        if not free:
            break
    return [*((found.get(like), like) for like in range(len(right))), *((at, None) for at in free)]


def _id(row: Entity, _release_id: str) -> str:
    return row.id


def _stable_id(row: Entity, release_id: str) -> str:
    return stable_id(row.id, release_id)


def _name(row: Entity, _release_id: str) -> str:
    return row.name
