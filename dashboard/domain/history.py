"""The recorded history of a release's entities from read to read.

Only what reads have shown is reported: that something changed between two reads, not when.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from dashboard.domain.phases import Phase

# Changes of one entity that are remembered.
MAX_CHANGES_PER_ENTITY = 50


@dataclass(frozen=True, slots=True)
class EntityState:
    """The state of an entity at a read; `attempt` is set for a retrying activity."""

    state: str
    phase: Phase
    overruled: bool = False
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class StateChange:
    """The old and new state of an entity; None if it was not among the rows."""

    was: EntityState | None
    now: EntityState | None

    @property
    def tried_again(self) -> bool:
        """Return whether only the attempt differs."""
        return bool(self.was and self.now and replace(self.was, attempt=self.now.attempt) == self.now)


@dataclass(frozen=True, slots=True)
class ObservedChange:
    """A difference found by the read at `seen_at`, compared to the one at `after`."""

    after: datetime
    seen_at: datetime
    difference: StateChange


@dataclass(frozen=True, slots=True)
class ObservationGap:
    """A period without reads, or with failed reads."""

    from_at: datetime
    to_at: datetime


# Shared by all that have none.
NO_CHANGES: Mapping[str, tuple[ObservedChange, ...]] = {}
NOTHING_OPENED: Mapping[str, datetime] = {}


@dataclass(frozen=True, slots=True)
class History:
    """The recorded history of a release since `since`.

    `count` is the number of all changes. `opened` are entities whose contents were not loaded before the given time.
    `edition` changes with the history.
    """

    since: datetime
    changes: Mapping[str, tuple[ObservedChange, ...]] = field(default_factory=lambda: NO_CHANGES)
    count: int = 0
    gaps: tuple[ObservationGap, ...] = ()
    opened: Mapping[str, datetime] = field(default_factory=lambda: NOTHING_OPENED)
    edition: int = 0

    def of(self, path: Iterable[str]) -> "EntityHistory":
        """Return the history of the entity at this path of IDs.

        If older changes may have been dropped, it starts with the state before the first kept change.
        """
        *above, entity_id = path
        since = max([self.since, *(self.opened[step] for step in above if step in self.opened)])
        changes = tuple(change for change in self.changes.get(entity_id, ()) if change.seen_at > since)
        if len(changes) >= MAX_CHANGES_PER_ENTITY:
            since = changes[0].after
        return EntityHistory(since, changes, tuple(gap for gap in self.gaps if gap.to_at > since))


@dataclass(frozen=True, slots=True)
class EntityHistory:
    """The history of an entity since `since`, oldest first."""

    since: datetime
    changes: tuple[ObservedChange, ...]
    gaps: tuple[ObservationGap, ...]
