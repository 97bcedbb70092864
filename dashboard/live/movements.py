"""Track when the event histories of runs last grew, to detect stuck releases."""

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
    """Observations of at most `keep` runs. A release is stuck after no change for longer than `after`."""

    def __init__(self, keep: int, after: timedelta) -> None:
        self._seen: BoundedCache[str, _SeenMovement] = BoundedCache(keep)
        self._after = after

    def note(self, release: Release, history_length: int | None, at: datetime) -> None:
        """Record the number of known history events of a release at the time of a read."""
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
        """Return the release, with whether it is stuck."""
        known = self._seen.get(release.execution.run_id)
        found = detect_stuck(release, known.movement, at, self._after) if known else None
        return release if found == release.stuck else replace(release, stuck=found)
