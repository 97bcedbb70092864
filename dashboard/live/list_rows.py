"""Rows of releases, read once and shared by all lists, filters, wall screens and problem pages."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dashboard.domain.causes import AffectedEntity, affected_entities, waiting_entities
from dashboard.domain.entities import Entity, Execution, Release, Status, truncate_entity
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import ids_of
from dashboard.domain.parts import with_parts
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.snapshot import Snapshot, version_hash
from dashboard.domain.source import Fingerprint, ReleaseReading
from dashboard.live.reconciliation import reconcile_or_gap, unreported_release_or_gap

RowKey = tuple[str, str]
"""A workflow id and a run id."""

# Listed child workflows that are kept with a row, so that only what has changed is listed.
MAX_CACHED_CHILDREN = 200
# Bytes of a row, and of something that is broken or waits in it.
LIST_ROW_BYTES, LIST_ITEM_BYTES, LIST_CHILD_BYTES = 3_000, 1_500, 600


@dataclass(frozen=True, slots=True)
class ListRow:
    """A release without its tree. `release.parts` summarises the tree; None if it was not read.

    `reading` is the underlying read without its rows. `tree_at` is when the tree was last read, and `moved_at` when
    that read last differed from the one before.
    """

    release: Release
    reading: ReleaseReading
    tree_at: datetime | None = None
    moved_at: datetime | None = None
    broken: tuple[AffectedEntity, ...] = ()
    waiting: tuple[AffectedEntity, ...] = ()

    @property
    def weight(self) -> int:
        """Return the approximate size in bytes."""
        listed = len(self.reading.children.listed) if self.reading.children else 0
        return LIST_ROW_BYTES + LIST_ITEM_BYTES * (len(self.broken) + len(self.waiting)) + LIST_CHILD_BYTES * listed

    @property
    def over(self) -> bool:
        """Return whether the row of an ended run is complete and will never change again."""
        reading = self.reading
        if not reading.execution.status.closed or reading.said is None or reading.fingerprint is None:
            return False
        return self.tree_at is not None or reading.large


def with_scheduled_start(release: Release, reading: ReleaseReading) -> Release:
    """Return a release with its scheduled start, if it had not started when it was read."""
    return replace(release, scheduled_for=reading.execution.execution_time) if reading.scheduled else release


def row_weight(row: ListRow) -> int:
    """Return the approximate size of a row in bytes."""
    return row.weight


def state_row(last: Snapshot[ListRow] | None, reading: ReleaseReading, at: datetime) -> Snapshot[ListRow]:
    """Return the row of a release that was queried for its own state only, keeping known parts."""
    said = reading.said
    if said is None:
        return _unanswered(last, reading, at)
    release = _bare(with_scheduled_start(reconcile_or_gap(reading.execution, said), reading))
    run = reading.execution
    if run.status.closed and reading.fingerprint is None:
        # It had ended when it was listed, and was asked after that.
        reading = replace(reading, fingerprint=Fingerprint(run.run_id, run.status, run.history_length))
    if last is None:
        return _snapshot(ListRow(release, reading), at)
    release = replace(release, parts=last.value.release.parts)
    return _snapshot(replace(last.value, release=release, reading=reading), at)


def tree_row(
    last: Snapshot[ListRow] | None, release: Release, reading: ReleaseReading, at: datetime
) -> Snapshot[ListRow]:
    """Return the row of a release whose tree was read."""
    said = _without_rows(reading.said) if reading.said else None
    listed = reading.children if reading.children and len(reading.children.listed) <= MAX_CACHED_CHILDREN else None
    slim = replace(reading, said=said, parts={}, levels=None, children=listed)
    bare = replace(_bare(release), parts=None if reading.levels or reading.parts else with_parts(release).parts)
    same = last is not None and last.value.reading.digest == reading.digest
    moved_at = last.value.moved_at if last and same else at
    return _snapshot(ListRow(bare, slim, at, moved_at, affected_entities(release), waiting_entities(release)), at)


def same_row(last: Snapshot[ListRow], reading: ReleaseReading, at: datetime) -> Snapshot[ListRow]:
    """Return the row of an unchanged release with its current execution."""
    before = last.value
    told = replace(before.reading, execution=reading.execution, fingerprint=reading.fingerprint)
    release = replace(with_current_execution(before, reading.execution), said_at=None)
    problem = told.said.problem if told.said else release.root.problem
    if release.root.problem != problem:
        release = replace(release, root=replace(release.root, problem=problem))
    return _snapshot(replace(before, release=release, reading=told), at)


def _unanswered(last: Snapshot[ListRow] | None, reading: ReleaseReading, at: datetime) -> Snapshot[ListRow]:
    """Return the row of a release that did not respond: its last reports, marked, with Temporal's current data."""
    problem = reading.problem or Problem(ProblemCode.MISSING, "The release was not queried.")
    # What was said of it before it began says nothing of how it goes.
    if last is None or last.value.reading.said is None or last.value.reading.scheduled:
        return _snapshot(ListRow(_bare(unreported_release_or_gap(reading.execution, problem)), reading), at)
    before = last.value
    release = with_current_execution(before, reading.execution)
    if problem.code is ProblemCode.PAUSED or not problem.awaited:
        said_at = before.release.said_at or last.as_of
        release = replace(release, root=replace(release.root, problem=problem), said_at=said_at)
    # Without a fingerprint, it is asked again at the next turn, whether or not it has moved.
    told = replace(before.reading, execution=reading.execution, fingerprint=None)
    return _snapshot(replace(before, release=release, reading=told, tree_at=None), at)


def with_current_execution(row: ListRow, execution: Execution) -> Release:
    """Return a row's release with its current execution."""
    known, brief = row.release, _brief(execution)
    if row.reading.said is None:
        problem = known.root.problem or Problem(ProblemCode.MISSING, "The release was not queried.")
        return _bare(unreported_release_or_gap(brief, problem))
    if execution.status is known.execution.status:
        return replace(known, execution=_with_described(brief, known.execution))
    return replace(reconcile_or_gap(brief, row.reading.said), parts=known.parts, said_at=known.said_at)


def _with_described(run: Execution, known: Execution) -> Execution:
    """Add to a listed run what only `describe` returns, from a description with the same status."""
    return replace(
        run,
        pause=run.pause or known.pause,
        cancel_requested=run.cancel_requested or known.cancel_requested,
        closing=run.closing or known.closing,
    )


def with_known_origin(listed: Execution, read: Execution) -> Execution:
    """Add to a listed run how it started, if that was read."""
    return replace(
        listed,
        first_run_id=read.first_run_id,
        origin=read.origin,
        original_started_at=read.original_started_at,
        began_unread=read.began_unread,
    )


def newest_execution(listed: Execution, known: Execution) -> Execution:
    """Return the newest data of a run: lists lag by seconds, and closed runs never run again."""
    if known.status is Status.CONTINUED_AS_NEW and not listed.status.closed:
        return listed  # The run that goes on with it will be listed in its place.
    if listed.status.closed and not known.status.closed:
        return listed
    return known


RELEASE_NOT_READ = Problem(ProblemCode.NOT_READ, "This release has not been loaded yet.")


class KnownRows(Mapping[RowKey, ReleaseReading]):
    """Rows that a list need not read again: those from `latest` that are recent or of closed runs."""

    def __init__(self, latest: Callable[[RowKey], Snapshot[ListRow] | None], since: datetime) -> None:
        self._latest = latest
        self._since = since

    def __getitem__(self, key: RowKey) -> ReleaseReading:
        row = self._latest(key)
        if row is None:
            raise KeyError(key)
        reading = row.value.reading
        if reading.problem is not None and reading.problem.awaited:
            raise KeyError(key)
        run = reading.execution
        over = run.status.closed and reading.said is not None and reading.fingerprint is not None
        final = over and not run.began_unread
        if not (final or row.as_of > self._since):
            raise KeyError(key)
        return reading

    def __iter__(self) -> Iterator[RowKey]:
        return iter(())

    def __len__(self) -> int:
        return 0


class ShownRows(KnownRows):
    """Rows for a list that reads nothing: releases without a row show only their execution."""

    def __getitem__(self, key: RowKey) -> ReleaseReading:
        row = self._latest(key)
        if row is not None:
            return row.value.reading
        unread = Execution(key[0], key[1], "", Status.UNKNOWN, self._since)
        return ReleaseReading(unread, problem=RELEASE_NOT_READ)

    def __contains__(self, key: object) -> bool:
        return True


def pending_activity_states(execution: Execution) -> dict[str, tuple[int, bool, bool]]:
    """Return the state of a release's pending activities, as retries add no history events."""
    return {
        activity_id: (attempt.number, attempt.retrying, attempt.paused)
        for activity_id, attempt in execution.attempts.items()
    }


def _bare(release: Release) -> Release:
    root = _without_rows(replace(release.root, attempt=None, child_run=None))
    return Release(
        _brief(release.execution),
        root,
        said_at=release.said_at,
        parts=release.parts,
        scheduled_for=release.scheduled_for,
    )


def _without_rows(root: Entity) -> Entity:
    """Return a release without its rows, listing only actual waves: it may have apps or clusters directly below it."""
    return truncate_entity(replace(root, child_ids=ids_of(root, EntityType.WAVE), children=()))


def _brief(execution: Execution) -> Execution:
    """Return an execution without fast-changing fields that no list shows."""
    closing = execution.closing and execution.closing.brief
    return replace(execution, history_length=None, attempts={}, child_runs=(), closing=closing)


def _snapshot(row: ListRow, at: datetime) -> Snapshot[ListRow]:
    release = row.release
    shown = (release.execution, release.root, release.parts, release.said_at, release.scheduled_for)
    return Snapshot(row, at, version_hash(*shown, row.broken, row.waiting))
