"""Remember the last known state of releases, to report it after Temporal has deleted them."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.domain.entities import Release
from dashboard.domain.overall import overall_state


@dataclass(frozen=True, slots=True)
class _Shown:
    words: str
    started_at: datetime
    as_of: datetime


class LastKnownStates:
    """The last known state of at most `keep` releases."""

    def __init__(self, keep: int) -> None:
        self._seen: BoundedCache[str, _Shown] = BoundedCache(keep)

    def keep(self, release: Release, as_of: datetime) -> None:
        """Record the state of a release. Earlier runs of the same ID are ignored."""
        known = self._seen.get(release.id)
        started_at = release.execution.started_at
        if known is None or started_at >= known.started_at:
            self._seen.keep(release.id, _Shown(overall_state(release).short, started_at, as_of))

    def words(self, release_id: str) -> str:
        """Return the last known state and its time as a sentence, or an empty string."""
        known = self._seen.get(release_id)
        if known is None:
            return ""
        return f"Last seen at {known.as_of:%Y-%m-%d %H:%M:%S} UTC: {known.words}."
