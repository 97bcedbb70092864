"""Select the releases of a wall screen: needing attention, waiting for approval, then in progress."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dashboard.domain.entities import Release, ReleaseList
from dashboard.domain.overview import overview

# How many of those that have ended are named where nothing is in progress.
MAX_NAMED_ENDED = 3


@dataclass(frozen=True, slots=True)
class KioskRotation:
    """The releases in rotation order.

    `ended` are the most recently finished ones. `looked_at` releases were checked; `whole` if no other release can
    belong to the rotation.
    """

    releases: tuple[Release, ...]
    ended: tuple[Release, ...]
    looked_at: int
    whole: bool

    def place_of(self, release_id: str) -> int:
        """Return the index of a release; 0 if it is not in the rotation."""
        return next((place for place, release in enumerate(self.releases) if release.id == release_id), 0)


def kiosk_rotation(found: ReleaseList, as_of: datetime) -> KioskRotation:
    """Build the rotation from the first page of the list."""
    seen = overview(found, as_of)
    wanted = {release.id: release for release in (*seen.needy, *seen.waiting, *seen.still, *seen.moving)}
    ended = _named_once(release for release in found.releases if release.execution.status.closed)
    return KioskRotation(tuple(wanted.values()), ended, seen.listed, seen.open_whole and seen.ended_whole)


def _named_once(ended: Iterable[Release]) -> tuple[Release, ...]:
    newest: dict[str, Release] = {}
    for release in ended:
        newest.setdefault(release.id, release)
    return tuple(newest.values())[:MAX_NAMED_ENDED]
