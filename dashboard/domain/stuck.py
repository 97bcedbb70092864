"""Detect stuck releases: no change for long, and nothing pending."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.domain.entities import Release, Status, Stuck
from dashboard.domain.overall import overall_state
from dashboard.domain.parts import PartsSummary, parts_of
from dashboard.domain.phases import Phase

STUCK_REASON = "nothing is pending that would continue on its own"
# A release is watched for so long before it is called stuck: what it does may show in its history alone.
CONFIRMATION_PERIOD = timedelta(minutes=1)
_MAY_MOVE = frozenset({Phase.PENDING, Phase.RUNNING, Phase.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Movement:
    """Observations of a run's histories: the start of observation, and the last growth, if any."""

    since: datetime
    grew_at: datetime | None = None


def detect_stuck(release: Release, movement: Movement, now: datetime, after: timedelta) -> Stuck | None:
    """Return since when a release is stuck, if longer than `after` and nothing is pending.

    Releases that wait for approval, fail, are scheduled or have an activity in progress are not stuck; nor if unknown.
    """
    parts = parts_of(release)
    if parts is None or not _idle(release, parts, now) or now - movement.since < min(after, CONFIRMATION_PERIOD):
        return None
    since = _changed_at(release, parts, movement, now)
    return Stuck(since, STUCK_REASON) if now - since >= after else None


def _idle(release: Release, parts: PartsSummary, now: datetime) -> bool:
    execution, root = release.execution, release.root
    if execution.status is not Status.RUNNING or execution.scheduled_for(now) or root.phase not in _MAY_MOVE:
        return False
    if execution.failing_task or execution.waiting_since or (root.problem and root.problem.gap):
        return False
    due = parts.due is not None and parts.due > now
    at_work = parts.pending or parts.stalled or parts.unknown or parts.apps.unopened or due
    found = overall_state(release)
    return not (at_work or found.attention or found.phase is Phase.PAUSED)


def _changed_at(release: Release, parts: PartsSummary, movement: Movement, now: datetime) -> datetime:
    """Return the latest known change. Without times, it is the start of observation."""
    began = min(release.execution.began_at, now)
    told = [at for at in (parts.changed_at, release.root.updated_at) if at is not None and at <= now]
    changes = release.history.changes.values() if release.history else ()
    seen = [change.seen_at for each in changes for change in each]
    grew = movement.grew_at or (None if told else movement.since)
    return max([began, *told, *seen, *([grew] if grew else [])])
