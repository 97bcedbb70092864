"""Read rows of releases, each once for all lists, filters, wall screens and problem pages that show it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.domain.entities import Execution
from dashboard.domain.snapshot import Snapshot, utc_now
from dashboard.domain.source import ReleaseReading
from dashboard.live import list_rows
from dashboard.live.circuit_breaker import ReleaseBreakerKey
from dashboard.live.list_rows import ListRow, RowKey
from dashboard.live.loaded_release import LoadedRelease
from dashboard.live.movements import MovementTracker
from dashboard.live.reconciliation import reconcile_or_gap
from dashboard.live.snapshot_store import SnapshotStore
from dashboard.live.source_caller import SourceCaller

# In intervals of what is watched: for how long a tree that moves without its release is not read again for its row
# alone, where it has moved lately and else.
RECENTLY_MOVED_INTERVALS, RECENTLY_MOVED_TREE_INTERVALS, TREE_INTERVALS = 30, 4, 14


class RowReader:
    """Reads rows into `store`, which takes `memory` bytes, and caches the endings of `keep` runs."""

    def __init__(
        self,
        asker: SourceCaller,
        movements: MovementTracker,
        *,
        max_age: float,
        memory: int,
        keep: int,
        clock: Callable[[], float],
    ) -> None:
        self._source_caller = asker
        self._movements = movements
        self._interval = timedelta(seconds=max_age)
        self._ended: BoundedCache[str, Execution] = BoundedCache(keep)
        self.store: SnapshotStore[RowKey, ListRow] = SnapshotStore(
            self.row, max_age=max_age, keep=memory, weigh=list_rows.row_weight, clock=clock
        )

    def end_of(self, listed: Execution) -> Execution:
        """Return a run as ended if any read has seen it end; otherwise as listed."""
        return self._ended.get(listed.run_id, listed)

    def row(self, key: RowKey, last: Snapshot[ListRow] | None, _seconds: float | None) -> Snapshot[ListRow]:
        """Return the row of a run. Its tree is read and summarised again if it has changed."""
        as_of = utc_now()
        before = last.value if last else None
        known = before.reading if before and (before.tree_at or before.reading.large) else None
        reading = self._read(key, known, deep=before is None or self._deep(before, as_of))
        stood = known is not None and reading.said is known.said
        if (
            known
            and stood
            and list_rows.pending_activity_states(known.execution)
            != list_rows.pending_activity_states(reading.execution)
        ):
            reading = self._read(key, replace(known, fingerprint=None), deep=True)
            stood = False
        self._note_end(reading.execution)
        if last and stood:
            row = list_rows.same_row(last, reading, as_of)
        elif reading.said is None or reading.large:
            row = list_rows.state_row(last, reading, as_of)
        else:
            release = list_rows.with_scheduled_start(reconcile_or_gap(reading.execution, reading.said), reading)
            row = list_rows.tree_row(last, release, reading, as_of)
        self._movements.note(row.value.release, reading.execution.history_length, as_of)
        return row

    def _read(self, key: RowKey, known: ReleaseReading | None, *, deep: bool) -> ReleaseReading:
        read = partial(self._source_caller.source.row, *key, known, self._source_caller.timeout, deep=deep)
        return self._source_caller.ask(read, ReleaseBreakerKey(key[0]))

    def _deep(self, row: ListRow, at: datetime) -> bool:
        """Return whether to read a tree although its release has not changed: child workflows change independently."""
        if row.tree_at is None or row.reading.fingerprint is not None:
            return True
        recently_moved = row.moved_at is not None and at - row.moved_at < RECENTLY_MOVED_INTERVALS * self._interval
        return at - row.tree_at > (RECENTLY_MOVED_TREE_INTERVALS if recently_moved else TREE_INTERVALS) * self._interval

    def _note_end(self, execution: Execution) -> None:
        if execution.status.closed:
            self._ended.keep(execution.run_id, execution)

    def feed(self, seen: Snapshot[LoadedRelease]) -> None:
        """Update the row of a release with what was just read."""
        reading, release = seen.value.reading, seen.value.release
        self._note_end(reading.execution)
        key = (release.id, reading.execution.run_id)
        row = self.store.latest(key)
        if row is None or seen.stale or reading.said is None:
            return
        known = row.value.reading
        same = known.digest == reading.digest and list_rows.pending_activity_states(
            known.execution
        ) == list_rows.pending_activity_states(reading.execution)
        if same and row.value.tree_at and known.execution.status is reading.execution.status:
            self.store.put(key, list_rows.same_row(row, reading, seen.as_of))
        else:
            self.store.put(key, list_rows.tree_row(row, release, reading, seen.as_of))
