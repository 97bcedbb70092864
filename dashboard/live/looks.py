"""One look at the source at a time, made a snapshot of; what it told lately is remembered where it tells no more."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from dashboard.bridge import DeadlineExceeded, LoopThread
from dashboard.domain.entities import Entity, Occurrence, Occurrences, Release, ReleaseList
from dashboard.domain.filters import Slice
from dashboard.domain.finding import Names
from dashboard.domain.parts import with_parts
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.source import Reading, ReleaseSource, RunEntity, Search
from dashboard.domain.truth import judge, settle, unanswered
from dashboard.live.breaker import Breaker
from dashboard.live.counts import Counted, RecentCounts
from dashboard.live.history import remember, weight_of
from dashboard.live.last_seen import LastSeen
from dashboard.live.memory import Memory
from dashboard.live.snapshots import Snapshot, now, version_of
from dashboard.live.wanted import Wanted

T = TypeVar("T")
RunKey = tuple[str, str | None]
"""A release id, and a run id or None for its latest run."""

# For how many filters counts are kept.
KEEP_COUNTS = 256
# How many releases a look-up by entity id alone asks, newest first. It says so.
SEARCH_LIMIT = 50
# For how many seconds after somebody last asked for it what was opened in a large release is kept up with, in how many
# releases, and how much of one at most.
KEEP_OPEN = 30.0
OPEN_RELEASES = 64
MAX_OPEN = 1_000
# On top of the source's own budget: a source that overruns it is left alone.
GRACE = 0.3
# Bytes that a row takes, and a listed child workflow. Measured with 1,000 of each: from 600 (the fields of the contract
# alone) to 1,200 (an error, five further fields, and an end that overrules it), and 580. Long texts come on top.
ROW_BYTES = 1_000
CHILD_BYTES = 600
# Bytes of a release or another entity without what is below it, with its execution; and of how one last stood.
STATE_BYTES = 1_500
SEEN_BYTES = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """A release as it is shown, the reading that it was made of, how many rows it has, and their names."""

    release: Release
    reading: Reading
    rows: int
    names: Names

    @property
    def weight(self) -> int:
        """About how many bytes it takes."""
        children = self.reading.children
        listed = CHILD_BYTES * len(children.listed) if children else 0
        return ROW_BYTES * (1 + self.rows) + listed + weight_of(self.release.history)

    @property
    def over(self) -> bool:
        """Whether all of a run that has ended was read after its end: nothing that is shown can change any more."""
        reading = self.reading
        return reading.execution.status.closed and reading.fingerprint is not None and reading.whole


class Looks:
    """Asks the source, within `timeout` seconds and through one breaker. What is remembered takes `memory` bytes."""

    def __init__(
        self,
        source: ReleaseSource,
        loop: LoopThread,
        *,
        timeout: float,
        count_age: float,
        memory: int,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._loop = loop
        self._timeout = timeout
        self._breaker = Breaker(clock=clock)
        states = memory // 4 // STATE_BYTES
        self._final: Memory[str, Reading] = Memory(states)
        self._last_said: Memory[str, tuple[Reading, datetime]] = Memory(states)
        self._final_entities: Memory[RunEntity, Entity | None] = Memory(states)
        self._last_seen = LastSeen(memory // 4 // SEEN_BYTES)
        self._counts = RecentCounts(max_age=count_age, keep=KEEP_COUNTS)
        self._wanted: Wanted = Wanted(seconds=KEEP_OPEN, releases=OPEN_RELEASES, ids=MAX_OPEN, clock=clock)

    @property
    def trouble(self) -> Problem | None:
        """Why the source cannot be asked at present, as far as was found out."""
        return self._breaker.problem

    def open(self, key: RunKey, opened: frozenset[str]) -> None:
        """These rows of a release that is read as it is opened are looked at now."""
        self._wanted.note(key, opened)

    def page(self, asked: Slice, _last: Snapshot[ReleaseList] | None, _seconds: float | None) -> Snapshot[ReleaseList]:
        """A page of the list; the words of ended releases in it are asked for once."""
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
        absent = tuple((release_id, self._absence(release_id, why)) for release_id, why in listing.absent.items())
        value = ReleaseList(
            releases, asked.offset, asked.page_size, total, listing.counts, counted.at, listing.next, absent
        )
        # When it was counted is left out: the same counts again make no new version.
        return Snapshot(value, as_of, version_of(replace(value, counted_at=as_of.min)))

    def _absence(self, release_id: str, why: Problem | None) -> Problem:
        gone = ReleaseNotFound(release_id, self._last_seen.words(release_id))
        return why or Problem(ProblemCode.GONE, gone.reason)

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

    def tree(self, key: RunKey, last: Snapshot[Seen] | None, seconds: float | None) -> Snapshot[Seen]:
        """A release with its tree, read within so many seconds; where it does not answer, its last words, marked."""
        release_id, run_id = key
        known = last.value.reading if last and last.value.reading.said else None
        as_of = now()
        opened = self._wanted.of(key)
        budget = seconds or self._timeout
        try:
            reading = self._ask(lambda: self._source.read(release_id, known, budget, run_id=run_id, opened=opened))
        except ReleaseNotFound as exc:
            raise ReleaseNotFound(release_id, self._last_seen.words(release_id)) from exc
        seen = _remembering(_seen_or_last(reading, known, last, as_of), last, as_of)
        self._last_seen.keep(seen.value.release, as_of)
        return seen

    def search(
        self, entity_id: str, _last: Snapshot[Occurrences] | None, _seconds: float | None
    ) -> Snapshot[Occurrences]:
        """An entity wherever it occurs, as far as is looked."""
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
    reading: Reading, known: Reading | None, last: Snapshot[Seen] | None, as_of: datetime
) -> Snapshot[Seen]:
    """What was read; where the release did not answer, its last words, under what Temporal knows of it now."""
    if reading.said:
        return _seen(judge(reading.execution, reading.said), reading, as_of, last)
    problem = reading.problem or Problem(ProblemCode.MISSING, "The release was not asked.")
    if last is None or known is None or known.said is None or _other_run(known, reading):
        return _seen(unanswered(reading.execution, problem), reading, as_of, None)
    # The last words are marked with their time.
    kept = replace(known, execution=reading.execution, runs=reading.runs)
    stale = _seen(judge(reading.execution, known.said), kept, last.as_of, last)
    return replace(stale, version=version_of(stale.version, problem.code), stale=True, reason=problem)


def _seen(release: Release, reading: Reading, as_of: datetime, last: Snapshot[Seen] | None) -> Snapshot[Seen]:
    # The history's length is left out: an event that changes nothing that is shown makes no new version.
    execution = replace(reading.execution, history_length=None)
    runs = [(run.run_id, run.status) for run in reading.runs.executions]
    version = version_of(execution, reading.digest, reading.problem, runs)
    release = with_parts(replace(release, runs=reading.runs, levels=reading.levels))
    unmoved = last is not None and last.value.reading.said is reading.said
    rows = last.value.rows if last and unmoved else len(release.root.flattened())
    return Snapshot(Seen(release, reading, rows, Names(release.id, release.root)), as_of, version)


def _remembering(seen: Snapshot[Seen], last: Snapshot[Seen] | None, at: datetime) -> Snapshot[Seen]:
    """The same with what looks have shown of it. What has no words says nothing about how its rows stood."""
    told = last is not None and last.value.reading.said is not None and seen.value.reading.said is not None
    before = last.value.release if last and told else None
    history = remember(before, last.as_of if last else at, seen.value.release, at)
    return replace(seen, value=replace(seen.value, release=replace(seen.value.release, history=history)))


def _other_run(known: Reading, reading: Reading) -> bool:
    return known.execution.run_id != reading.execution.run_id


def _occurrences(entity_id: str, search: Search) -> Occurrences:
    seen = [Occurrence(run, settle(run, entity)) for run, entity in search.answers if entity is not None]
    seen.sort(key=lambda occurrence: occurrence.release.started_at, reverse=True)
    found = tuple(occurrence for occurrence in seen if occurrence.entity.state)
    unanswered_by = tuple(occurrence for occurrence in seen if not occurrence.entity.state)
    return Occurrences(entity_id, found, unanswered_by, len(search.answers), search.total)


def tree_weight(seen: Seen) -> int:
    """About how many bytes a release takes."""
    return seen.weight


def list_weight(found: ReleaseList) -> int:
    """About how many bytes a page of the list takes."""
    return STATE_BYTES * (1 + len(found.releases))


def search_weight(found: Occurrences) -> int:
    """About how many bytes an entity takes wherever it was found."""
    return STATE_BYTES * (1 + len(found.found) + len(found.unanswered))
