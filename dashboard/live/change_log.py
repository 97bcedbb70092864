"""Record the history of a release's entities from read to read, cached together with the release."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from dashboard.domain.diff import diff_trees
from dashboard.domain.entities import Release
from dashboard.domain.history import (
    MAX_CHANGES_PER_ENTITY,
    History,
    ObservationGap,
    ObservedChange,
    StateChange,
)
from dashboard.domain.snapshot import Snapshot, version_hash

# Reads further apart than this have a gap in between. Polled topics are read about every second.
MIN_OBSERVATION_GAP = timedelta(seconds=5)
# How many changes of one release are remembered, and how many gaps.
MAX_CHANGES_PER_RELEASE = 10_000
MAX_GAPS_PER_RELEASE = 100
# How many are kept when the limit is exceeded: dropping one at a time would cost the same on each read.
KEPT_SHARE_WHEN_FULL = 0.75
# Bytes that a change takes with its place, measured with tracemalloc: 316 for the first of an entity, less for others.
CHANGE_BYTES = 320


def history_weight(history: History | None) -> int:
    """Return the approximate size in bytes."""
    return CHANGE_BYTES * (history.count + len(history.gaps) + len(history.opened)) if history else 0


def record_changes(before: Release | None, looked_at: datetime, after: Release, at: datetime) -> History:
    """Return the history of a release after a read at `at`; the preceding read was at `looked_at`.

    It restarts with another release of the same ID, and with a run that does not continue the preceding one.
    """
    if before is None or before.history is None or not _continues(before, after):
        return History(at)
    seen = diff_trees(before.root, after.root)
    # Ended runs need no polling.
    ended = before.execution.status.closed and before.execution.run_id == after.execution.run_id
    gap = at - looked_at > MIN_OBSERVATION_GAP and not ended
    history = before.history
    if not (seen.rows or seen.opened or gap):
        return history
    if seen.rows:
        history = _changed(history, _with(history.changes, seen.rows, looked_at, at))
    return _bounded(
        replace(
            history,
            gaps=_with_gap(history.gaps, ObservationGap(looked_at, at)) if gap else history.gaps,
            opened={**history.opened, **dict.fromkeys(seen.opened, at)} if seen.opened else history.opened,
            edition=history.edition + 1,
        )
    )


def with_history(seen: Snapshot[Any], history: History | None) -> Snapshot[Any]:
    """Return the snapshot with a version that includes the history: a release may have changed and changed back."""
    if history is None:
        return seen
    return replace(seen, version=version_hash(seen.version, history.since, history.edition))


def _continues(before: Release, after: Release) -> bool:
    """Return whether a release is a later state of another: the same run, or a run that continues it."""
    run, run_id = after.execution, before.execution.run_id
    if run_id == run.run_id or (run.origin and run_id == run.origin.continues):
        return True
    return any(each.run_id == run_id for each in after.runs.chain(run))


def _changed(history: History, changes: Mapping[str, tuple[ObservedChange, ...]]) -> History:
    return replace(history, changes=changes, count=sum(map(len, changes.values())))


def _with(
    changes: Mapping[str, tuple[ObservedChange, ...]], rows: Mapping[str, StateChange], after: datetime, at: datetime
) -> Mapping[str, tuple[ObservedChange, ...]]:
    added = {
        entity_id: _latest((*changes.get(entity_id, ()), ObservedChange(after, at, difference)))
        for entity_id, difference in rows.items()
    }
    return {**changes, **added}


def _latest(changes: tuple[ObservedChange, ...]) -> tuple[ObservedChange, ...]:
    """Limit the changes per entity. Repeated retries do not displace states."""
    if len(changes) <= MAX_CHANGES_PER_ENTITY:
        return changes
    at = next((at for at, change in enumerate(changes) if change.difference.tried_again), 0)
    return changes[:at] + changes[at + 1 :]


def _with_gap(gaps: tuple[ObservationGap, ...], gap: ObservationGap) -> tuple[ObservationGap, ...]:
    """Merge adjacent gaps: a single read in between does not separate them."""
    if gaps and gaps[-1].to_at == gap.from_at:
        return (*gaps[:-1], ObservationGap(gaps[-1].from_at, gap.to_at))
    return (*gaps, gap)


def _bounded(history: History) -> History:
    """Drop the oldest changes beyond the limit, and move the start of the history accordingly."""
    if len(history.gaps) > MAX_GAPS_PER_RELEASE:
        history = _since(history, history.gaps[-round(MAX_GAPS_PER_RELEASE * KEPT_SHARE_WHEN_FULL) - 1].to_at)
    if history.count > MAX_CHANGES_PER_RELEASE:
        moments = sorted(change.seen_at for change in chain.from_iterable(history.changes.values()))
        history = _since(history, moments[-round(MAX_CHANGES_PER_RELEASE * KEPT_SHARE_WHEN_FULL) - 1])
    return history


def _since(history: History, since: datetime) -> History:
    kept = {
        entity_id: later
        for entity_id, changes in history.changes.items()
        if (later := tuple(change for change in changes if change.seen_at > since))
    }
    return replace(
        _changed(history, kept),
        since=since,
        gaps=tuple(gap for gap in history.gaps if gap.to_at > since),
        opened={entity_id: at for entity_id, at in history.opened.items() if at > since},
    )
