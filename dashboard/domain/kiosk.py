"""What a wall screen shows in turn: what needs attention, what waits for approval, and what moves. Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dashboard.domain.entities import Release, ReleaseList
from dashboard.domain.overview import overview

# How many of those that have ended are named where nothing is in progress.
MAX_NAMED_ENDED = 3


@dataclass(frozen=True, slots=True)
class KioskRotation:
    """The releases that are shown in turn, in this order: as on the cards above the list.

    `ended` are the last that have ended. `looked_at` releases were looked at, which is `whole` if no other can be one
    of these.
    """

    releases: tuple[Release, ...]
    ended: tuple[Release, ...]
    looked_at: int
    whole: bool

    def place_of(self, release_id: str) -> int:
        """Return the place of a release among these, from 0; the first if it is not among them (any more)."""
        return next((place for place, release in enumerate(self.releases) if release.id == release_id), 0)


def kiosk_rotation(found: ReleaseList, as_of: datetime) -> KioskRotation:
    """Of the first page of a list, which has what runs before what has ended, latest end first."""
    seen = overview(found, as_of)
    wanted = {release.id: release for release in (*seen.needy, *seen.waiting, *seen.still, *seen.moving)}
    ended = _named_once(release for release in found.releases if release.execution.status.closed)
    return KioskRotation(tuple(wanted.values()), ended, seen.listed, seen.open_whole and seen.ended_whole)


def _named_once(ended: Iterable[Release]) -> tuple[Release, ...]:
    newest: dict[str, Release] = {}
    for release in ended:
        newest.setdefault(release.id, release)
    return tuple(newest.values())[:MAX_NAMED_ENDED]
