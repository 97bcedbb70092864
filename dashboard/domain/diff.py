"""Compute the row differences between two trees of one release."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dashboard.domain.entities import Entity
from dashboard.domain.history import EntityState, StateChange
from dashboard.domain.problems import ProblemCode


@dataclass(frozen=True, slots=True)
class TreeDiff:
    """Differences by entity ID, and entities whose contents were newly loaded."""

    rows: Mapping[str, StateChange]
    opened: frozenset[str]


def entity_state(entity: Entity) -> EntityState:
    """Return the state of an entity for comparison."""
    return EntityState(entity.state, entity.phase, entity.overruled, _tries(entity))


def diff_trees(before: Entity, after: Entity) -> TreeDiff:
    """Return the differences between two trees. Shared subtrees are skipped."""
    found, came, left = [(before, after)], dict[str, EntityState](), dict[str, EntityState]()
    opened: set[str] = set()
    branches = list(found)
    for old, new in branches:
        if _unread(new) or old is new:
            continue
        if _unread(old):
            opened.add(new.id)
            continue
        pairs = _paired(old.children, new.children, came, left)
        # In place, and not by functions: there are thousands.
        branches += [pair for pair in pairs if pair[0].children or pair[1].children]
        found += [
            (one, other)
            for one, other in pairs
            if one.state != other.state
            or one.phase is not other.phase
            or one.overruled is not other.overruled
            or one.attempt is not other.attempt
        ]
    rows = {new.id: StateChange(entity_state(old), entity_state(new)) for old, new in found if _is_known(new)}
    rows |= {
        entity_id: StateChange(left.get(entity_id), came.get(entity_id)) for entity_id in came.keys() | left.keys()
    }
    differing = {entity_id: row for entity_id, row in rows.items() if row.was != row.now}
    return TreeDiff(differing, frozenset(opened))


def _tries(entity: Entity) -> int | None:
    return entity.attempt.number if entity.attempt and entity.attempt.retrying else None


def _is_known(entity: Entity) -> bool:
    """Return whether it has an unambiguous ID."""
    return bool(entity.id) and not (entity.problem and entity.problem.code is ProblemCode.MALFORMED)


def _unread(entity: Entity) -> bool:
    """Return whether its contents are unknown, so that nothing was added or removed."""
    return not entity.children and bool(entity.child_ids or entity.problem)


def _paired(
    old: tuple[Entity, ...], new: tuple[Entity, ...], came: dict[str, EntityState], left: dict[str, EntityState]
) -> list[tuple[Entity, Entity]]:
    """Yield rows in both trees; add others, with everything below them, to the added or removed ones."""
    if [row.id for row in old] == [row.id for row in new]:
        return list(zip(old, new, strict=True))
    theirs = {row.id: row for row in new}
    ours = {row.id for row in old}
    left.update(_standings(row for row in old if row.id not in theirs))
    came.update(_standings(row for row in new if row.id not in ours))
    return [(row, theirs[row.id]) for row in old if row.id in theirs]


def _standings(rows: Iterable[Entity]) -> Iterator[tuple[str, EntityState]]:
    for row in rows:
        for entity in row.flattened():
            if _is_known(entity):
                yield entity.id, entity_state(entity)
