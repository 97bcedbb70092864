"""Find other occurrences of an entity in cached releases, without calling Temporal."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dashboard.domain.entities import Entity, Occurrence, Release
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.stable_ids import own_release_name, stable_id

# How many are found, and how many rows are looked through for them: 100,000 take 10 ms.
MAX_OCCURRENCES_FOUND = 10
MAX_ROWS_SCANNED = 100_000


def find_other_occurrences(
    known: Iterable[Snapshot[Release]], entity_id: str, release_id: str, run_id: str
) -> tuple[Snapshot[Occurrence], ...]:
    """Return the same entity in other cached runs; `known` is in order of preference.

    Entities are the same if their IDs are equal, with or without the part that names the release.
    """
    found: dict[str, Snapshot[Occurrence]] = {}
    rows, plain = 0, stable_id(entity_id, release_id)
    for seen in known:
        run = seen.value.execution
        if run.run_id == run_id or run.run_id in found:
            continue
        entities = seen.value.root.flattened()
        rows += len(entities)
        here = _like(entities, entity_id, plain, run.workflow_id)
        if here:
            found[run.run_id] = _occurrence(seen, here)
        if len(found) == MAX_OCCURRENCES_FOUND or rows > MAX_ROWS_SCANNED:
            break
    return tuple(found.values())


def _like(entities: Sequence[Entity], entity_id: str, plain: str, release_id: str) -> Entity | None:
    same = next((entity for entity in entities if entity.id == entity_id), None)
    if same:
        return same
    # Most rows have no part of the release in their ids, and there may be thousands.
    own = own_release_name(release_id)
    alike = (row for row in entities if row.id == plain or (own in row.id and stable_id(row.id, release_id) == plain))
    return next(alike, None)


def _occurrence(seen: Snapshot[Release], entity: Entity) -> Snapshot[Occurrence]:
    # What is below it is not shown, and need not be held on to.
    occurrence = Occurrence(seen.value.execution, replace(entity, children=()))
    return Snapshot(occurrence, seen.as_of, seen.version, seen.stale, seen.reason)
