"""Find waves and clusters in trees with other levels."""

from collections.abc import Iterator

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType

TreePath = tuple[tuple[str, int], ...]
"""Ids from below a release down to a row, each with its position among its siblings."""


def wave_holders(entity: Entity, steps: TreePath = ()) -> Iterator[tuple[Entity, TreePath]]:
    """Yield a row and descendants that can contain waves and clusters, parents first, with their paths.

    These are waves, and units of work with children.
    """
    yield entity, steps
    for position, child in enumerate(entity.children):
        if child.type is EntityType.WAVE or (child.type is EntityType.APP and child.children):
            yield from wave_holders(child, (*steps, (child.id, position)))


def waves_in(entity: Entity) -> list[Entity]:
    """Return the waves below a row, in order, including nested ones."""
    return [row for row, steps in wave_holders(entity) if steps and row.type is EntityType.WAVE]


def clusters_in(entity: Entity) -> list[Entity]:
    """Return the clusters directly below a row, or below waves in it."""
    return [child for row, _ in wave_holders(entity) for child in row.children if child.type is EntityType.CLUSTER]


def units_in(entity: Entity) -> list[Entity]:
    """Return the rows directly below a row or its waves that are not waves."""
    return [child for row, _ in wave_holders(entity) for child in row.children if child.type is not EntityType.WAVE]


def ids_of(entity: Entity, kind: EntityType) -> tuple[str, ...]:
    """Return the IDs of the direct children of this type, as reported if none was loaded."""
    children = entity.children
    if not children:
        own = f"{kind}:"
        return tuple(row_id for row_id in entity.child_ids if row_id.startswith(own))
    if all(child.type is kind for child in children):
        return entity.child_ids
    return tuple(child.id for child in children if child.type is kind)
