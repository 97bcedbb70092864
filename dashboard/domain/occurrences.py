"""An entity across releases: where it is current, and what runs of it. Pure functions over occurrences."""

from collections.abc import Sequence
from datetime import datetime

from dashboard.domain.entities import Occurrence
from dashboard.domain.sort_order import severity_rank


def current_occurrences(newest_first: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
    """Return the occurrences that say how the entity is now, the worst first.

    Those are the newest runs of the releases that are open, and of the newest release that has the entity at all. What
    an older release left behind when it ended, a newer one has taken over.
    """
    runs: dict[str, Occurrence] = {}
    for occurrence in newest_first:
        runs.setdefault(occurrence.release.workflow_id, occurrence)
    newest = next(iter(runs.values()), None)
    current = [each for each in runs.values() if each is newest or not each.release.status.closed]
    return tuple(sorted(current, key=lambda each: severity_rank(each.entity)))


def running_occurrence(newest_first: Sequence[Occurrence]) -> Occurrence | None:
    """Return the occurrence whose deployment was the latest to succeed: its version runs, as far as is known."""
    return max((each for each in newest_first if each.entity.version_runs), key=_deployed_at, default=None)


def _deployed_at(occurrence: Occurrence) -> tuple[datetime, datetime]:
    started_at = occurrence.release.started_at
    return occurrence.entity.updated_at or started_at, started_at
