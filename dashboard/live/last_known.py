"""What this dashboard last showed of releases, for the day when Temporal has forgotten them."""

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
    """Remembers how each release stood when it was last read, for at most `keep` releases."""

    def __init__(self, keep: int) -> None:
        self._seen: BoundedCache[str, _Shown] = BoundedCache(keep)

    def keep(self, release: Release, as_of: datetime) -> None:
        """Remember a release as it stands; an earlier run of the same id says nothing of it any more."""
        known = self._seen.get(release.id)
        started_at = release.execution.started_at
        if known is None or started_at >= known.started_at:
            self._seen.keep(release.id, _Shown(overall_state(release).short, started_at, as_of))

    def words(self, release_id: str) -> str:
        """How it stood and when that was, as a sentence; empty if it was never shown here."""
        known = self._seen.get(release_id)
        if known is None:
            return ""
        return f"Last seen at {known.as_of:%Y-%m-%d %H:%M:%S} UTC: {known.words}."
