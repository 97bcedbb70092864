"""Remembers when the histories of runs were last seen to grow, for what shows nowhere else that it moves."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.domain.entities import Release
from dashboard.domain.parts import parts_of
from dashboard.domain.stuck import Movement, detect_stuck


@dataclass(frozen=True, slots=True)
class _SeenMovement:
    events: int
    movement: Movement


class MovementTracker:
    """What was seen of at most `keep` runs. A release is stuck once nothing has moved in it for longer than `after`."""

    def __init__(self, keep: int, after: timedelta) -> None:
        self._seen: BoundedCache[str, _SeenMovement] = BoundedCache(keep)
        self._after = after

    def note(self, release: Release, history_length: int | None, at: datetime) -> None:
        """Remember how many events there were in a release's histories, as far as is known, when it was read."""
        if release.execution.status.closed:
            return
        run_id, parts = release.execution.run_id, parts_of(release)
        events = (history_length or 0) + (parts.events if parts else 0)
        known = self._seen.get(run_id)
        if known is None:
            self._seen.keep(run_id, _SeenMovement(events, Movement(at)))
        elif events > known.events:
            # What is described in turn is not always known: fewer events than before say nothing.
            self._seen.keep(run_id, _SeenMovement(events, replace(known.movement, grew_at=at)))

    def judged(self, release: Release, at: datetime) -> Release:
        """The release, and whether it is stuck at this moment."""
        known = self._seen.get(release.execution.run_id)
        found = detect_stuck(release, known.movement, at, self._after) if known else None
        return release if found == release.stuck else replace(release, stuck=found)
