"""The latest that is known of releases, for any number of viewers. Views ask here and nowhere else."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

from dashboard.bridge import DeadlineExceeded, LoopThread
from dashboard.domain.causes import Problems
from dashboard.domain.entities import Entity, Occurrence, Occurrences, Release, ReleaseList
from dashboard.domain.filters import Slice
from dashboard.domain.ids import EntityType, parse_entity_id
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.source import Reading, ReleaseSource, RunEntity, Search
from dashboard.domain.truth import judge, settle, unanswered
from dashboard.live.breaker import Breaker
from dashboard.live.counts import Counted, RecentCounts
from dashboard.live.last_seen import LastSeen
from dashboard.live.memory import Memory
from dashboard.live.problems import ProblemFinder
from dashboard.live.seats import Seats
from dashboard.live.snapshots import Snapshot, SnapshotStore, now, version_of
from dashboard.live.wanted import Wanted

T = TypeVar("T")

# Viewers who ask within this many seconds share one answer, and see how old it is.
MAX_AGE = 1.0
# What is broken across releases takes many trees, and whoever looks at it asks again every 5 seconds.
PROBLEMS_AGE = 3.0
# Counts of the list, which cost more the more releases there are, are asked for this seldom.
COUNT_AGE = 5.0
# Trees and pages kept at most. A tree of 1,000 entities takes 0.64 MB, one of 12,000 takes 7.6 MB (tracemalloc); the
# page that is made of it takes 0.36 and 4.3 MB, until it has been rendered.
KEEP_TREES = 64
KEEP_PAGES = 256
# What is remembered of closed releases for lists and searches: small, and it never changes.
KEEP_STATES = 5_000
# How many releases a look-up by entity id alone asks, newest first. It says so.
SEARCH_LIMIT = 50
# How often a caller who wants more of a large release than has come looks again, within the time of one answer: a look
# that somebody else has begun may not know of it. With less time than this left, in seconds, nothing more would come.
MORE_LOOKS = 2
TOO_LITTLE = 0.3
# For how many seconds after somebody last asked for it what was opened in a large release is kept up with, and how
# much of one release at most.
KEEP_OPEN = 30.0
MAX_OPEN = 1_000
# On top of the source's own budget: a source that overruns it is left alone.
GRACE = 0.3


@dataclass(frozen=True, slots=True)
class _Seen:
    release: Release
    reading: Reading


class LiveReleases:
    """Answers from snapshots; asks the source only for what has not just been asked."""

    def __init__(
        self,
        source: ReleaseSource,
        loop: LoopThread,
        *,
        timeout: float,
        max_age: float = MAX_AGE,
        count_age: float = COUNT_AGE,
    ) -> None:
        self._source = source
        self._loop = loop
        self._timeout = timeout
        self._breaker = Breaker()
        seats = Seats()
        self._final: Memory[str, Reading] = Memory(KEEP_STATES)
        self._last_said: Memory[str, tuple[Reading, datetime]] = Memory(KEEP_STATES)
        self._final_entities: Memory[RunEntity, Entity | None] = Memory(KEEP_STATES)
        self._last_seen = LastSeen(KEEP_STATES)
        self._counts = RecentCounts(max_age=count_age, keep=KEEP_PAGES)
        self._wanted = Wanted(seconds=KEEP_OPEN, releases=KEEP_TREES, ids=MAX_OPEN)
        self._pages = SnapshotStore(self._load_page, max_age=max_age, keep=KEEP_PAGES, seats=seats)
        self._trees = SnapshotStore(self._load_tree, max_age=max_age, keep=KEEP_TREES, seats=seats)
        self._finder = ProblemFinder(lambda most: self.page(Slice(page_size=most)), self.release, timeout)
        self._problems: SnapshotStore[str, Problems] = SnapshotStore(
            lambda _key, _last, _seconds: self._finder.find(), max_age=PROBLEMS_AGE, keep=1, seats=seats
        )
        self._searches = SnapshotStore(self._load_search, max_age=max_age, keep=KEEP_PAGES, seats=seats)

    def page(self, asked: Slice) -> Snapshot[ReleaseList]:
        """One page of the list; raises SourceUnavailable if nothing is known yet."""
        return self._pages.get(asked)

    def release(
        self,
        release_id: str,
        run_id: str | None = None,
        *,
        whole: bool = False,
        opened: frozenset[str] = frozenset(),
    ) -> Snapshot[Release]:
        """A release with its tree: its latest run, or the one with this id.

        Raises ReleaseNotFound or RunNotFound, or SourceUnavailable if nothing is known yet.

        A release too large for one answer is read in parts, and a first look shows those that came in a moment; with
        `whole` the caller waits for the rest, within a bound. One that is read level by level has what is below those
        that are `opened` now, or were lately by anybody.
        """
        key = (release_id, run_id)
        self._wanted.note(key, opened)
        until = monotonic() + self._timeout
        seen = self._trees.get(key)
        for _ in range(MORE_LOOKS):
            reading, left = seen.value.reading, until - monotonic()
            enough = not reading.lacks(opened) and (reading.whole or not whole)
            if enough or seen.stale or left < TOO_LITTLE:
                break
            seen = self._trees.get(key, anew=True, seconds=left)
        return Snapshot(seen.value.release, seen.as_of, seen.version, seen.stale, seen.reason)

    def occurrences(self, entity_id: str) -> Snapshot[Occurrences]:
        """Where an entity id occurs, as far as was looked; a release's own id occurs once."""
        if parse_entity_id(entity_id).type is not EntityType.RELEASE:
            return self._searches.get(entity_id)
        seen = self.release(entity_id)
        found = (Occurrence(seen.value.execution, seen.value.root),)
        return Snapshot(Occurrences(entity_id, found, (), 1, 1), seen.as_of, seen.version, seen.stale, seen.reason)

    def problems(self) -> Snapshot[Problems]:
        """What is broken now, as far as was looked; raises SourceUnavailable if nothing is known yet."""
        return self._problems.get("all")

    def close(self) -> None:
        """End the loop's thread and whatever runs on it."""
        self._finder.close()
        self._loop.stop()

    def _load_page(
        self, asked: Slice, _last: Snapshot[ReleaseList] | None, _seconds: float | None
    ) -> Snapshot[ReleaseList]:
        as_of = now()
        counted = self._counts.get(asked.filter)
        known = counted.counts if counted else None
        listing = self._ask(lambda: self._source.page(asked, self._final, known, self._timeout))
        whole = not (asked.offset or listing.next or asked.filter.phases)
        if counted is None or whole:
            counted = Counted(listing.counts, as_of)
            self._counts.keep(asked.filter, counted)
        releases = tuple(self._release_of(reading, as_of) for reading in listing.readings)
        for release in releases:
            self._last_seen.keep(release, as_of)
        # The list may have grown since it was counted.
        total = max(asked.filter.total_of(listing.counts), asked.offset + len(releases) if releases else 0)
        value = ReleaseList(releases, asked.offset, asked.page_size, total, listing.counts, counted.at, listing.next)
        # When it was counted is left out: the same counts again make no new version.
        return Snapshot(value, as_of, version_of(replace(value, counted_at=as_of.min)))

    def _release_of(self, reading: Reading, as_of: datetime) -> Release:
        run = reading.execution.run_id
        if reading.said:
            if reading.execution.status.closed:
                self._final.keep(run, reading)
            else:
                self._last_said.keep(run, (reading, as_of))
            return judge(reading.execution, reading.said)
        problem = reading.problem or Problem(ProblemCode.MISSING, "The release was not asked.")
        last = self._last_said.get(run)
        if last is None or last[0].said is None:
            return unanswered(reading.execution, problem)
        release = judge(reading.execution, last[0].said)
        return replace(release, root=replace(release.root, problem=problem), said_at=last[1])

    def _load_tree(
        self, key: tuple[str, str | None], last: Snapshot[_Seen] | None, seconds: float | None
    ) -> Snapshot[_Seen]:
        release_id, run_id = key
        known = last.value.reading if last and last.value.reading.said else None
        as_of = now()
        opened = self._wanted.of(key)
        budget = seconds or self._timeout
        try:
            reading = self._ask(lambda: self._source.read(release_id, known, budget, run_id=run_id, opened=opened))
        except ReleaseNotFound as exc:
            raise ReleaseNotFound(release_id, self._last_seen.words(release_id)) from exc
        seen = _seen_or_last(reading, known, last, as_of)
        self._last_seen.keep(seen.value.release, as_of)
        return seen

    def _load_search(
        self, entity_id: str, _last: Snapshot[Occurrences] | None, _seconds: float | None
    ) -> Snapshot[Occurrences]:
        as_of = now()
        search = self._ask(lambda: self._source.search(entity_id, SEARCH_LIMIT, self._final_entities, self._timeout))
        for run, entity in search.answers:
            if run.status.closed and not (entity and entity.problem):
                self._final_entities.keep((run.run_id, entity_id), entity)
        value = _occurrences(entity_id, search)
        return Snapshot(value, as_of, version_of(value))

    def _ask(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with self._breaker.guard():
            try:
                return self._loop.call(make, self._timeout + GRACE)
            except DeadlineExceeded as exc:
                problem = Problem(ProblemCode.TIMED_OUT, "Temporal did not answer in time.", str(exc))
                raise SourceUnavailable(problem) from exc


def _seen_or_last(
    reading: Reading, known: Reading | None, last: Snapshot[_Seen] | None, as_of: datetime
) -> Snapshot[_Seen]:
    """What was read; where the release did not answer, its last words, under what Temporal knows of it now."""
    if reading.said:
        return _seen(judge(reading.execution, reading.said), reading, as_of)
    problem = reading.problem or Problem(ProblemCode.MISSING, "The release was not asked.")
    if last is None or known is None or known.said is None or _other_run(known, reading):
        return _seen(unanswered(reading.execution, problem), reading, as_of)
    # The last words are marked with their time.
    kept = replace(known, execution=reading.execution, runs=reading.runs)
    stale = _seen(judge(reading.execution, known.said), kept, last.as_of)
    return replace(stale, version=version_of(stale.version, problem.code), stale=True, reason=problem)


def _seen(release: Release, reading: Reading, as_of: datetime) -> Snapshot[_Seen]:
    # The history's length is left out: an event that changes nothing that is shown makes no new version.
    execution = replace(reading.execution, history_length=None)
    runs = [(run.run_id, run.status) for run in reading.runs.executions]
    version = version_of(execution, reading.digest, reading.problem, runs)
    release = replace(release, runs=reading.runs, levels=reading.levels)
    return Snapshot(_Seen(release, reading), as_of, version)


def _other_run(known: Reading, reading: Reading) -> bool:
    return known.execution.run_id != reading.execution.run_id


def _occurrences(entity_id: str, search: Search) -> Occurrences:
    seen = [Occurrence(run, settle(run, entity)) for run, entity in search.answers if entity is not None]
    seen.sort(key=lambda occurrence: occurrence.release.started_at, reverse=True)
    found = tuple(occurrence for occurrence in seen if occurrence.entity.state)
    unanswered_by = tuple(occurrence for occurrence in seen if not occurrence.entity.state)
    return Occurrences(entity_id, found, unanswered_by, len(search.answers), search.total)
