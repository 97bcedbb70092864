"""What has been seen of a release's entities from one look to the next.

Only what looks showed is told: that something changed between two of them, never when in between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from dashboard.domain.phases import Phase

# Changes of one entity that are remembered.
MAX_CHANGES_PER_ENTITY = 50


@dataclass(frozen=True, slots=True)
class EntityState:
    """How an entity stood at a look; `attempt` is that of an activity which had failed before, else None."""

    state: str
    phase: Phase
    overruled: bool = False
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class StateChange:
    """What an entity was and is now; None where it was not, or is no longer, among the rows."""

    was: EntityState | None
    now: EntityState | None

    @property
    def tried_again(self) -> bool:
        """Return whether all that differs is the attempt."""
        return bool(self.was and self.now and replace(self.was, attempt=self.now.attempt) == self.now)


@dataclass(frozen=True, slots=True)
class ObservedChange:
    """A difference that the look at `seen_at` showed and the one at `after` did not."""

    after: datetime
    seen_at: datetime
    difference: StateChange


@dataclass(frozen=True, slots=True)
class ObservationGap:
    """A time during which nobody looked, or nothing could be read, but perhaps at single moments."""

    from_at: datetime
    to_at: datetime


# Shared by all that have none.
NO_CHANGES: Mapping[str, tuple[ObservedChange, ...]] = {}
NOTHING_OPENED: Mapping[str, datetime] = {}


@dataclass(frozen=True, slots=True)
class History:
    """What looks at one release have shown since `since`; nothing is known here of what was before.

    `count` is of all changes. `opened` are entities below which nothing was read until the moment that is given for
    them. `edition` is another whenever any of it is.
    """

    since: datetime
    changes: Mapping[str, tuple[ObservedChange, ...]] = field(default_factory=lambda: NO_CHANGES)
    count: int = 0
    gaps: tuple[ObservationGap, ...] = ()
    opened: Mapping[str, datetime] = field(default_factory=lambda: NOTHING_OPENED)
    edition: int = 0

    def of(self, path: Iterable[str]) -> "EntityHistory":
        """Return what was seen of the entity to which this path of ids leads, from the release down.

        Where there may have been more changes than are remembered, it begins with the look before the first of these.
        """
        *above, entity_id = path
        since = max([self.since, *(self.opened[step] for step in above if step in self.opened)])
        changes = tuple(change for change in self.changes.get(entity_id, ()) if change.seen_at > since)
        if len(changes) >= MAX_CHANGES_PER_ENTITY:
            since = changes[0].after
        return EntityHistory(since, changes, tuple(gap for gap in self.gaps if gap.to_at > since))


@dataclass(frozen=True, slots=True)
class EntityHistory:
    """What was seen of one entity since `since`, oldest first."""

    since: datetime
    changes: tuple[ObservedChange, ...]
    gaps: tuple[ObservationGap, ...]
