"""Reads what lists show of releases, each once for all lists, filters, walls and problems that show it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from dashboard.domain.entities import Execution
from dashboard.domain.source import Reading
from dashboard.live import rows
from dashboard.live.asker import Asker
from dashboard.live.breaker import OfRelease
from dashboard.live.judging import judge
from dashboard.live.memory import Memory
from dashboard.live.movements import Movements
from dashboard.live.rows import Row, RowKey
from dashboard.live.snapshots import Snapshot, SnapshotStore, now
from dashboard.live.trees import Seen

# In intervals of what is watched: for how long a tree that moves without its release is not read again for its row
# alone, where it has moved lately and else.
LIVELY, LIVELY_TREES, TREES = 30, 4, 14


class RowLooks:
    """Reads rows and keeps them in `store`; those that take `memory` bytes, and the ends of `keep` runs."""

    def __init__(
        self,
        asker: Asker,
        movements: Movements,
        *,
        max_age: float,
        memory: int,
        keep: int,
        clock: Callable[[], float],
    ) -> None:
        self._asker = asker
        self._movements = movements
        self._interval = timedelta(seconds=max_age)
        self._ended: Memory[str, Execution] = Memory(keep)
        self.store: SnapshotStore[RowKey, Row] = SnapshotStore(
            self.row, max_age=max_age, keep=memory, weigh=rows.row_weight, clock=clock
        )

    def end_of(self, listed: Execution) -> Execution:
        """Return a run as any read knows it to have ended; as it is listed where none does."""
        return self._ended.get(listed.run_id, listed)

    def row(self, key: RowKey, last: Snapshot[Row] | None, _seconds: float | None) -> Snapshot[Row]:
        """What lists show of one run: its tree is read where it has moved, and summarised."""
        as_of = now()
        before = last.value if last else None
        known = before.reading if before and (before.tree_at or before.reading.large) else None
        reading = self._read(key, known, deep=before is None or self._deep(before, as_of))
        stood = known is not None and reading.said is known.said
        if known and stood and rows.standing(known.execution) != rows.standing(reading.execution):
            reading = self._read(key, replace(known, fingerprint=None), deep=True)
            stood = False
        self._note_end(reading.execution)
        if last and stood:
            row = rows.same_row(last, reading, as_of)
        elif reading.said is None or reading.large:
            row = rows.state_row(last, reading, as_of)
        else:
            release = rows.scheduled(judge(reading.execution, reading.said), reading)
            row = rows.tree_row(last, release, reading, as_of)
        self._movements.note(row.value.release, reading.execution.history_length, as_of)
        return row

    def _read(self, key: RowKey, known: Reading | None, *, deep: bool) -> Reading:
        read = partial(self._asker.source.row, *key, known, self._asker.timeout, deep=deep)
        return self._asker.ask(read, OfRelease(key[0]))

    def _deep(self, row: Row, at: datetime) -> bool:
        """Whether a tree is to be read though its release has not moved: child workflows move for themselves."""
        if row.tree_at is None or row.reading.fingerprint is not None:
            return True
        lively = row.moved_at is not None and at - row.moved_at < LIVELY * self._interval
        return at - row.tree_at > (LIVELY_TREES if lively else TREES) * self._interval

    def _note_end(self, execution: Execution) -> None:
        if execution.status.closed:
            self._ended.keep(execution.run_id, execution)

    def feed(self, seen: Snapshot[Seen]) -> None:
        """Let lists that show a release know what was just read of it."""
        reading, release = seen.value.reading, seen.value.release
        self._note_end(reading.execution)
        key = (release.id, reading.execution.run_id)
        row = self.store.latest(key)
        if row is None or seen.stale or reading.said is None:
            return
        known = row.value.reading
        same = known.digest == reading.digest and rows.standing(known.execution) == rows.standing(reading.execution)
        if same and row.value.tree_at and known.execution.status is reading.execution.status:
            self.store.put(key, rows.same_row(row, reading, seen.as_of))
        else:
            self.store.put(key, rows.tree_row(row, release, reading, seen.as_of))
