"""Determine the current occurrences and the running version of an entity across releases."""

from collections.abc import Sequence
from datetime import datetime

from dashboard.domain.entities import Occurrence
from dashboard.domain.sort_order import severity_rank


def current_occurrences(newest_first: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
    """Return the occurrences with the current state of the entity, worst first.

    These are the newest runs of active releases, and of the newest release with the entity: a newer release supersedes
    what older ones left behind.
    """
    runs: dict[str, Occurrence] = {}
    for occurrence in newest_first:
        runs.setdefault(occurrence.release.workflow_id, occurrence)
    newest = next(iter(runs.values()), None)
    current = [each for each in runs.values() if each is newest or not each.release.status.closed]
    return tuple(sorted(current, key=lambda each: severity_rank(each.entity)))


def running_occurrence(newest_first: Sequence[Occurrence]) -> Occurrence | None:
    """Return the occurrence with the latest successful deployment, whose version is running."""
    return max((each for each in newest_first if each.entity.version_runs), key=_deployed_at, default=None)


def _deployed_at(occurrence: Occurrence) -> tuple[datetime, datetime]:
    started_at = occurrence.release.started_at
    return occurrence.entity.updated_at or started_at, started_at
