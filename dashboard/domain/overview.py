"""The overview above the list: releases needing attention, waiting, in progress, and recently finished.

Uses only data that the list already has.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.domain.entities import Release, ReleaseList
from dashboard.domain.overall import OverallState, overall_state
from dashboard.domain.phases import Phase

# Releases that ended earlier are not counted.
RECENTLY_ENDED_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Overview:
    """The releases of a page by kind, with only the newest run of each ID.

    `scheduled` releases are sorted by start. `listed` releases were checked; `open_whole` if these are all active ones.
    `ended` counts releases finished since that time by phase; `ended_whole` if these are all.
    """

    listed: int
    open_whole: bool
    needy: tuple[Release, ...]
    waiting: tuple[Release, ...]
    still: tuple[Release, ...]
    moving: tuple[Release, ...]
    scheduled: tuple[Release, ...]
    since: datetime
    ended: Mapping[Phase, int]
    ended_whole: bool


def overview(found: ReleaseList, as_of: datetime) -> Overview:
    """Build the overview from the first page of the unfiltered list.

    Recently ended releases count wherever they are in the list, as far as they were requested.
    """
    # Whole minutes, so that it says the same for a while.
    since = (as_of - RECENTLY_ENDED_WINDOW).replace(second=0, microsecond=0)
    rows = (*found.releases, *found.also)
    whole = found.next is None and len(found.releases) >= found.total
    newest = [(release, overall_state(release)) for release in _newest(rows)]
    unended = [(release, seen) for release, seen in newest if not release.execution.status.closed]
    ended = [release for release in rows if _ended_since(release, since)]
    return Overview(
        listed=len(rows),
        open_whole=whole or any(release.execution.status.closed for release in found.releases),
        needy=tuple(release for release, seen in newest if seen.attention and _matters(release, since)),
        waiting=tuple(release for release, seen in unended if _waits(seen) and not seen.attention),
        still=tuple(release for release, _ in unended if release.stuck),
        moving=tuple(release for release, seen in unended if _moves(release, seen)),
        scheduled=tuple(sorted((release for release, _ in unended if release.scheduled_for), key=_due)),
        since=since,
        ended=Counter(overall_state(release).phase for release in ended),
        ended_whole=whole or found.also_whole or any(_ended_before(release, since) for release in found.releases),
    )


def _waits(seen: OverallState) -> bool:
    return seen.phase is Phase.PAUSED


def _newest(rows: tuple[Release, ...]) -> list[Release]:
    """Return the newest run of each id."""
    newest: dict[str, Release] = {}
    for release in rows:
        known = newest.get(release.id)
        if known is None or release.execution.started_at > known.execution.started_at:
            newest[release.id] = release
    return list(newest.values())


def _ended_since(release: Release, since: datetime) -> bool:
    closed_at = release.execution.closed_at
    return closed_at is not None and closed_at >= since


def _ended_before(release: Release, since: datetime) -> bool:
    closed_at = release.execution.closed_at
    return closed_at is not None and closed_at < since


def _matters(release: Release, since: datetime) -> bool:
    return not release.execution.status.closed or _ended_since(release, since)


def _moves(release: Release, seen: OverallState) -> bool:
    return not (seen.attention or _waits(seen) or release.stuck or release.scheduled_for)


def _due(release: Release) -> datetime:
    return release.scheduled_for or release.execution.started_at
