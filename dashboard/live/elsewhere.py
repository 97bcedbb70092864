"""Where else an entity is, of what is remembered anyhow: nobody is asked, and no look is made for it."""

from collections.abc import Iterable
from dataclasses import replace

from dashboard.domain.entities import Entity, Occurrence, Release
from dashboard.live.snapshots import Snapshot

# How many are found, and how many rows are looked through for them: 100,000 take 10 ms.
MOST_FOUND = 10
MOST_ROWS = 100_000


def find_elsewhere(known: Iterable[Snapshot[Release]], entity_id: str, run_id: str) -> tuple[Snapshot[Occurrence], ...]:
    """The entity in other runs than this one, each as it was known; those of `known` come first that stand first."""
    found: dict[str, Snapshot[Occurrence]] = {}
    rows = 0
    for seen in known:
        run = seen.value.execution
        if run.run_id == run_id or run.run_id in found:
            continue
        entities = seen.value.root.flattened()
        rows += len(entities)
        here = next((entity for entity in entities if entity.id == entity_id), None)
        if here:
            found[run.run_id] = _occurrence(seen, here)
        if len(found) == MOST_FOUND or rows > MOST_ROWS:
            break
    return tuple(found.values())


def _occurrence(seen: Snapshot[Release], entity: Entity) -> Snapshot[Occurrence]:
    # What is below it is not shown, and need not be held on to.
    occurrence = Occurrence(seen.value.execution, replace(entity, children=()))
    return Snapshot(occurrence, seen.as_of, seen.version, seen.stale, seen.reason)
