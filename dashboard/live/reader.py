"""Read releases, searches and lists from the source as snapshots, falling back to their last known data."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import datetime, timedelta

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import Entity, Occurrence, Occurrences, ReleaseList
from dashboard.domain.problems import Problem, ReleaseNotFound
from dashboard.domain.reconcile import apply_execution_status
from dashboard.domain.snapshot import Snapshot, utc_now, version_hash
from dashboard.domain.source import EntitySearchResult, ReleaseSource, RunEntity
from dashboard.live.circuit_breaker import ReleaseBreakerKey
from dashboard.live.expanded_rows import ExpandedRows
from dashboard.live.last_known import LastKnownStates
from dashboard.live.list_reader import ReleaseListReader
from dashboard.live.loaded_release import LoadedRelease, load_or_last, with_recorded_changes
from dashboard.live.movements import MovementTracker
from dashboard.live.row_reader import RowReader
from dashboard.live.source_caller import SourceCaller

RunKey = tuple[str, str | None]
"""A release id, and a run id or None for its latest run."""

# How many releases a search by entity ID reads, newest first. The result reports it.
MAX_RELEASES_PER_SEARCH = 50
# How long expanded rows of a large release are kept up to date after the last request, in how many releases, and how
# much of one.
EXPANDED_ROWS_TTL_SECONDS = 30.0
MAX_EXPANDED_RELEASES = 64
MAX_EXPANDED_IDS_PER_RELEASE, MAX_EXPANDED_IDS_LENGTH = 1_000, 64_000
# Bytes of a release or another entity without what is below it, with its execution; and of how one last stood.
ENTITY_STATE_BYTES = 1_500
LAST_KNOWN_BYTES = 300


class ReleaseReader:
    """Reads the source within `timeout` seconds and with circuit breakers. Caches take `memory` bytes."""

    def __init__(
        self,
        source: ReleaseSource,
        loop: LoopThread,
        *,
        timeout: float,
        count_age: float,
        max_age: float,
        memory: int,
        stuck_after: timedelta,
        clock: Callable[[], float],
    ) -> None:
        self._source_caller = SourceCaller(source, loop, timeout, clock)
        states = memory // 4 // ENTITY_STATE_BYTES
        self._final_entities: BoundedCache[RunEntity, Entity | None] = BoundedCache(states)
        self._movements = MovementTracker(states, stuck_after)
        self._last_seen = LastKnownStates(memory // 4 // LAST_KNOWN_BYTES)
        self._expanded_rows: ExpandedRows = ExpandedRows(
            seconds=EXPANDED_ROWS_TTL_SECONDS,
            releases=MAX_EXPANDED_RELEASES,
            ids=MAX_EXPANDED_IDS_PER_RELEASE,
            characters=MAX_EXPANDED_IDS_LENGTH,
            clock=clock,
        )
        self._rows = RowReader(
            self._source_caller, self._movements, max_age=max_age, memory=memory // 2, keep=states, clock=clock
        )
        self.rows = self._rows.store
        lists = ReleaseListReader(
            self._source_caller,
            self._rows,
            self._movements,
            self._last_seen,
            max_age=max_age,
            count_age=count_age,
            keep=memory // 4,
            clock=clock,
        )
        self.page = lists.page

    def trouble(self, key: Hashable) -> Problem | None:
        """Return why this release, list or search cannot be read now, if known."""
        return self._source_caller.trouble(key)

    def open(self, key: RunKey, opened: frozenset[str]) -> None:
        """Note which rows of a release that is loaded on demand are expanded."""
        self._expanded_rows.note(key, opened)

    def tree(self, key: RunKey, last: Snapshot[LoadedRelease] | None, seconds: float | None) -> Snapshot[LoadedRelease]:
        """Return a release with its tree, read within a timeout, or its last reports marked as such."""
        release_id, run_id = key
        known = last.value.reading if last and last.value.reading.said else None
        as_of = utc_now()
        opened = self._expanded_rows.of(key)
        budget = seconds or self._source_caller.timeout
        try:
            reading = self._source_caller.ask(
                lambda: self._source_caller.source.read(release_id, known, budget, run_id=run_id, opened=opened),
                ReleaseBreakerKey(release_id),
            )
        except ReleaseNotFound as exc:
            raise ReleaseNotFound(release_id, self._last_seen.words(release_id)) from exc
        seen = with_recorded_changes(load_or_last(reading, known, last, as_of), last, as_of)
        self._last_seen.keep(seen.value.release, as_of)
        self._rows.feed(seen)
        return seen if seen.stale else self._with_movement(seen, as_of)

    def _with_movement(self, seen: Snapshot[LoadedRelease], as_of: datetime) -> Snapshot[LoadedRelease]:
        """Add to a release whether it is stuck."""
        release = seen.value.release
        self._movements.note(release, seen.value.reading.execution.history_length, as_of)
        judged = self._movements.judged(release, as_of)
        if judged.stuck is None:
            return seen
        version = version_hash(seen.version, judged.stuck)
        return replace(seen, value=replace(seen.value, release=judged), version=version)

    def search(
        self, entity_id: str, _last: Snapshot[Occurrences] | None, _seconds: float | None
    ) -> Snapshot[Occurrences]:
        """Return the occurrences of an entity within the search limit."""
        as_of = utc_now()
        search = self._source_caller.ask(
            lambda: self._source_caller.source.search(
                entity_id, MAX_RELEASES_PER_SEARCH, self._final_entities, self._source_caller.timeout
            ),
            entity_id,
        )
        for run, entity in search.answers:
            if run.status.closed and not (entity and entity.problem):
                self._final_entities.keep((run.run_id, entity_id), entity)
        value = _occurrences(entity_id, search)
        return Snapshot(value, as_of, version_hash(value))


def _occurrences(entity_id: str, search: EntitySearchResult) -> Occurrences:
    seen = [
        Occurrence(run, apply_execution_status(run, entity)) for run, entity in search.answers if entity is not None
    ]
    seen.sort(key=lambda occurrence: occurrence.release.started_at, reverse=True)
    found = tuple(occurrence for occurrence in seen if occurrence.entity.state)
    unanswered_by = tuple(occurrence for occurrence in seen if not occurrence.entity.state)
    return Occurrences(entity_id, found, unanswered_by, len(search.answers), search.total)


def list_weight(found: ReleaseList) -> int:
    """Return the approximate size of a page of the list in bytes."""
    return ENTITY_STATE_BYTES * (1 + len(found.releases))


def search_weight(found: Occurrences) -> int:
    """Return the approximate size of a search result in bytes."""
    return ENTITY_STATE_BYTES * (1 + len(found.found) + len(found.unanswered))
