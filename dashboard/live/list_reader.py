"""Read pages of the list, with recently ended releases and cached rows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.concurrency.weight import weight_of
from dashboard.domain.entities import Execution, Release, ReleaseList, Status
from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.domain.overview import RECENTLY_ENDED_WINDOW
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.snapshot import Snapshot, mark_late, utc_now, version_hash
from dashboard.domain.source import ReleaseListing, ReleaseReading
from dashboard.live import list_rows
from dashboard.live.last_known import LastKnownStates
from dashboard.live.list_rows import KnownRows, ShownRows
from dashboard.live.movements import MovementTracker
from dashboard.live.row_reader import RowReader
from dashboard.live.snapshot_store import SnapshotStore
from dashboard.live.source_caller import SourceCaller

# For how many filters counts are kept.
MAX_CACHED_COUNTS = 256
# In intervals of what is watched: for how long a row that is not renewed is shown without asking again, and from when
# on it says since when it stands.
ROW_MAX_AGE_INTERVALS, ROW_LATE_AFTER_INTERVALS = 30, 8
# How much less often than the list recently ended releases are read, how many per kind, and for how many filters.
RECENTLY_ENDED_INTERVALS = 5
MAX_RECENTLY_ENDED = 50
MAX_RECENTLY_ENDED_LISTS = 64
# Bytes of a row of a listing, and of a listing without any.
LISTED_RELEASE_BYTES = 1_500
UNSUCCESSFUL_PHASES = (Phase.FAILED, Phase.CANCELLED, Phase.TERMINATED, Phase.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class CachedCount:
    """Counts by status for a filter without its phases, and the time of the count (UTC)."""

    counts: Mapping[Status, int]
    at: datetime


class ReleaseListReader:
    """Reads pages of the list. `keep` limits the cached listings, in bytes."""

    def __init__(
        self,
        asker: SourceCaller,
        row_looks: RowReader,
        movements: MovementTracker,
        last_seen: LastKnownStates,
        *,
        max_age: float,
        count_age: float,
        keep: int,
        clock: Callable[[], float],
    ) -> None:
        self._source_caller = asker
        self._row_looks = row_looks
        self._rows = row_looks.store
        self._movements = movements
        self._last_seen = last_seen
        self._interval = timedelta(seconds=max_age)
        self._ended_lately: SnapshotStore[PageRequest, ReleaseList] = SnapshotStore(
            self._lately, max_age=RECENTLY_ENDED_INTERVALS * max_age, keep=MAX_RECENTLY_ENDED_LISTS, clock=clock
        )
        self._listings: BoundedCache[PageRequest, ReleaseListing] = BoundedCache(
            keep, lambda asked, listing: weight_of(asked) + LISTED_RELEASE_BYTES * (1 + len(listing.readings))
        )
        self._counts: BoundedCache[ReleaseFilter, CachedCount] = BoundedCache(MAX_CACHED_COUNTS, ttl=count_age)

    def page(
        self, asked: PageRequest, last: Snapshot[ReleaseList] | None, _seconds: float | None
    ) -> Snapshot[ReleaseList]:
        """Return a page of the list. Releases that are not cached are queried for their own state."""
        counted = self._counts.get(_without_phases(asked))
        known = KnownRows(self._rows.latest, utc_now() - ROW_MAX_AGE_INTERVALS * self._interval)
        listing = self._listed(asked, known, counted.counts if counted else None, renewed=last is not None)
        as_of = listing.listed_at or utc_now()
        counted = self._counted(asked, listing, last, as_of)
        found = self._shown(asked, listing, counted, as_of)
        if asked.lately and not asked.offset:
            found = self._with_lately(asked, found, as_of)
        # When it was counted is left out: the same counts again make no new version.
        return mark_late(Snapshot(found, as_of, version_hash(replace(found, counted_at=as_of.min))), listing.late)

    def _lately(
        self, asked: PageRequest, last: Snapshot[ReleaseList] | None, _seconds: float | None
    ) -> Snapshot[ReleaseList]:
        """Return recently ended releases, without counting and without querying releases."""
        known = ShownRows(self._rows.latest, utc_now())
        listing = self._listed(asked, known, {}, renewed=last is not None)
        as_of = listing.listed_at or utc_now()
        found = self._shown(asked, listing, CachedCount({}, as_of), as_of)
        return mark_late(Snapshot(found, as_of, ""), listing.late)

    def _with_lately(self, asked: PageRequest, found: ReleaseList, as_of: datetime) -> ReleaseList:
        """Add recently ended releases to a first page, using a separate filter."""
        since = as_of - RECENTLY_ENDED_WINDOW
        earlier = (release.execution.closed_at for release in found.releases)
        if found.next is None or any(closed_at and closed_at < since for closed_at in earlier):
            return replace(found, also_whole=True)
        there, also, whole = {release.execution.run_id for release in found.releases}, [], True
        for phases in (UNSUCCESSFUL_PHASES, (Phase.SUCCEEDED,)):
            wanted = replace(asked.filter, phases=phases, ended_within=RECENTLY_ENDED_WINDOW)
            try:
                ended = self._ended_lately.get(PageRequest(MAX_RECENTLY_ENDED, filter=wanted), seated=False)
            except SourceUnavailable:
                whole = False
                continue
            whole = whole and ended.value.next is None and not ended.stale
            also += [release for release in ended.value.releases if release.execution.run_id not in there]
        return replace(found, also=tuple(also), also_whole=whole)

    def _listed(
        self, asked: PageRequest, known: KnownRows, counts: Mapping[Status, int] | None, *, renewed: bool
    ) -> ReleaseListing:
        before = self._listings.get(asked) if renewed else None
        listing = self._source_caller.ask(
            lambda: self._source_caller.source.page(asked, known, counts, self._source_caller.timeout, before), asked
        )
        self._listings.keep(asked, listing)
        return listing

    def _shown(self, asked: PageRequest, listing: ReleaseListing, counted: CachedCount, as_of: datetime) -> ReleaseList:
        listed = listing.runs or tuple(reading.execution for reading in listing.readings)
        shown = [self._row_of(run, each, as_of) for run, each in zip(listed, listing.readings, strict=True)]
        counts = _moved(listing.counts, listed, shown)
        # One that has ended is no longer found by a filter for what runs, though the list still has it.
        wanted = asked.filter.statuses
        releases = tuple(
            each for each in shown if (not wanted or each.execution.status in wanted) and not each.execution.next_run_id
        )
        for release in releases:
            self._last_seen.keep(release, as_of)
        # The list may have grown since it was counted.
        total = max(asked.filter.total_of(counts), asked.offset + len(releases) if releases else 0)
        absent = tuple((release_id, self._absence(release_id, why)) for release_id, why in listing.absent.items())
        return ReleaseList(
            releases,
            asked.offset,
            asked.page_size,
            total,
            counts,
            counted.at,
            listing.next,
            absent,
            earlier=listing.earlier,
            exact=listing.exact,
        )

    def _counted(
        self, asked: PageRequest, listing: ReleaseListing, last: Snapshot[ReleaseList] | None, as_of: datetime
    ) -> CachedCount:
        """Return the counts of a page, and their time."""
        whole = not (asked.offset or listing.next or asked.filter.phases)
        counted = self._counts.get(_without_phases(asked))
        if listing.counted_at or whole or (counted is None and last is None):
            counted = CachedCount(listing.counts, listing.counted_at or as_of)
            self._counts.keep(_without_phases(asked), counted)
        return counted or CachedCount(listing.counts, last.value.counted_at if last else as_of)

    def _absence(self, release_id: str, why: Problem | None) -> Problem:
        gone = ReleaseNotFound(release_id, self._last_seen.words(release_id))
        return why or Problem(ProblemCode.GONE, gone.reason)

    def _row_of(self, listed: Execution, reading: ReleaseReading, as_of: datetime) -> Release:
        """Return a release of the list from its cached row, or from a new read."""
        key = (listed.workflow_id, listed.run_id)
        row = self._rows.latest(key)
        if reading.problem is list_rows.RELEASE_NOT_READ:
            reading = replace(reading, execution=replace(listed, began_unread=True))
        if row is None or row.value.reading is not reading:
            row = list_rows.state_row(row, reading, as_of)
            self._rows.put(key, row)
        read = row.value.reading.execution
        # What was read of a run says more than its record in a list: how it began, what is pending.
        listed = read if read.status is listed.status else list_rows.with_known_origin(listed, read)
        known = list_rows.newest_execution(read, self._row_looks.end_of(listed))
        release = list_rows.with_current_execution(row.value, list_rows.newest_execution(listed, known))
        final = row.value.reading.execution.status.closed and row.value.reading.fingerprint is not None
        if release.said_at or final:
            return release
        if as_of - row.as_of <= ROW_LATE_AFTER_INTERVALS * self._interval:
            return self._movements.judged(release, as_of)
        return replace(release, said_at=row.as_of)


def _without_phases(asked: PageRequest) -> ReleaseFilter:
    """Return the filter by which counts are cached: those of all phases are counted together."""
    return replace(asked.filter, phases=())


def _moved(counts: Mapping[Status, int], listed: Sequence[Execution], shown: Sequence[Release]) -> Mapping[Status, int]:
    """Correct the counts by status for releases known to have ended that the list still shows as running."""
    moved: Counter[Status] = Counter(counts)
    for run, release in zip(listed, shown, strict=True):
        if run.status is not release.execution.status:
            moved[run.status] -= 1
            # A superseded run is not a release of its own and is not counted.
            moved[release.execution.status] += not release.execution.next_run_id
    return {status: count for status, count in moved.items() if count > 0}
