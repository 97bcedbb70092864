"""Build the shown release from a read and its recorded history."""

from dataclasses import dataclass, replace
from datetime import datetime

from dashboard.domain.entities import Release
from dashboard.domain.parts import with_parts
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.search import NameIndex
from dashboard.domain.snapshot import Snapshot, mark_late, version_hash
from dashboard.domain.source import ReleaseReading
from dashboard.domain.truncation import text_size
from dashboard.live import list_rows
from dashboard.live.change_log import history_weight, record_changes
from dashboard.live.reconciliation import reconcile_or_gap, unreported_release_or_gap

# Bytes that a row takes, and a listed child workflow. Measured with 1,000 of each: from 600 (the fields of the contract
# alone) to 1,200 (an error, five further fields, and an end that overrules it), and 580. Long texts come on top.
TREE_ROW_BYTES = 1_000
TREE_CHILD_BYTES = 600


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """A shown release with its underlying read, number of rows, and names.

    `texts` is the number of characters of its errors and details.
    """

    release: Release
    reading: ReleaseReading
    rows: int
    names: NameIndex
    texts: int = 0

    @property
    def weight(self) -> int:
        """Return the approximate size in bytes."""
        children = self.reading.children
        listed = TREE_CHILD_BYTES * len(children.listed) if children else 0
        return TREE_ROW_BYTES * (1 + self.rows) + self.texts + listed + history_weight(self.release.history)

    @property
    def over(self) -> bool:
        """Return whether an ended run was fully read after its end, so that it cannot change."""
        reading = self.reading
        return reading.execution.status.closed and reading.fingerprint is not None and reading.whole


def load_or_last(
    reading: ReleaseReading, known: ReleaseReading | None, last: Snapshot[LoadedRelease] | None, as_of: datetime
) -> Snapshot[LoadedRelease]:
    """Return the read release or, if it did not respond, its last reports with Temporal's current data."""
    if reading.said:
        return _listed(_seen(reconcile_or_gap(reading.execution, reading.said), reading, as_of, last), reading)
    problem = reading.problem or Problem(ProblemCode.MISSING, "The release was not queried.")
    # What was said of it before it began says nothing of how it goes.
    if last is None or known is None or known.said is None or known.scheduled or _other_run(known, reading):
        return _seen(unreported_release_or_gap(reading.execution, problem), reading, as_of, None)
    # The last words are marked with their time.
    kept = replace(known, execution=reading.execution, runs=reading.runs)
    stale = _seen(reconcile_or_gap(reading.execution, known.said), kept, last.as_of, last)
    return replace(stale, version=version_hash(stale.version, problem.code), stale=True, reason=problem)


def _listed(seen: Snapshot[LoadedRelease], reading: ReleaseReading) -> Snapshot[LoadedRelease]:
    """Date the release by the list of its child workflows, if they are shown and may change."""
    children = reading.children
    if children is None or children.listed_at is None or reading.fingerprint:
        return seen
    return mark_late(replace(seen, as_of=min(seen.as_of, children.listed_at)), children.late)


def _seen(
    release: Release, reading: ReleaseReading, as_of: datetime, last: Snapshot[LoadedRelease] | None
) -> Snapshot[LoadedRelease]:
    # The history's length is left out: an event that changes nothing that is shown makes no new version.
    execution = replace(reading.execution, history_length=None)
    runs = [(run.run_id, run.status) for run in reading.runs.executions]
    version = version_hash(execution, reading.digest, reading.problem, reading.scheduled, runs)
    release = list_rows.with_scheduled_start(
        with_parts(replace(release, runs=reading.runs, levels=reading.levels)), reading
    )
    unmoved = last is not None and last.value.reading.said is reading.said
    count, texts = (last.value.rows, last.value.texts) if last and unmoved else _size(release)
    return Snapshot(LoadedRelease(release, reading, count, NameIndex(release.id, release.root), texts), as_of, version)


def _size(release: Release) -> tuple[int, int]:
    """Return the number of rows of a release, and of characters in their errors and details."""
    found = release.root.flattened()
    errors = sum([len(row.error) for row in found if row.error])
    return len(found), errors + sum([text_size(row.details) for row in found if row.details])


def with_recorded_changes(
    seen: Snapshot[LoadedRelease], last: Snapshot[LoadedRelease] | None, at: datetime
) -> Snapshot[LoadedRelease]:
    """Add the recorded history. A read without reports adds nothing to it."""
    told = last is not None and last.value.reading.said is not None and seen.value.reading.said is not None
    before = last.value.release if last and told else None
    history = record_changes(before, last.as_of if last else at, seen.value.release, at)
    return replace(seen, value=replace(seen.value, release=replace(seen.value.release, history=history)))


def _other_run(known: ReleaseReading, reading: ReleaseReading) -> bool:
    return known.execution.run_id != reading.execution.run_id


def tree_weight(seen: LoadedRelease) -> int:
    """Return the approximate size of a release in bytes."""
    return seen.weight
