"""One look at the source at a time, made a snapshot of; what it told lately is remembered where it tells no more."""

from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from dashboard.bridge import DeadlineExceeded, LoopThread
from dashboard.domain.entities import Entity, Execution, Occurrence, Occurrences, Release, ReleaseList, Status
from dashboard.domain.filters import Slice
from dashboard.domain.finding import Names
from dashboard.domain.overview import LATELY
from dashboard.domain.parts import with_parts
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.source import Listing, Reading, ReleaseSource, RunEntity, Search
from dashboard.domain.texts import text_size
from dashboard.domain.truth import settle
from dashboard.live import rows
from dashboard.live.breaker import Breakers
from dashboard.live.counts import Counted, RecentCounts
from dashboard.live.history import remember, weight_of
from dashboard.live.judging import judge, unanswered
from dashboard.live.last_seen import LastSeen
from dashboard.live.memory import Memory
from dashboard.live.movements import Movements
from dashboard.live.rows import KnownRows, Row, RowKey, ShownRows
from dashboard.live.snapshots import Snapshot, SnapshotStore, now, outdated, version_of
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
# A list, or a tree of child workflows, that is older than this is no longer the latest, whatever the reason.
LISTED_AGE = timedelta(seconds=10)
# In intervals of what is watched: for how long a row that is not renewed is shown without asking again, and from when
# on it says since when it stands; how long a tree that moves without its release is not read again for its row alone,
# where it has moved lately and else.
KEEP_ROWS, LATE_ROWS = 30, 8
LIVELY, LIVELY_TREES, TREES = 30, 4, 14
# What ended lately is asked for this much less often than a list, so many of each kind, for so many filters.
LATELY_EVERY = 5
LATELY_LISTED = 50
KEEP_LATELY = 64
ENDED_BADLY = (Phase.FAILED, Phase.CANCELLED, Phase.TERMINATED, Phase.TIMED_OUT)
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
    """A release as it is shown, the reading that it was made of, how many rows it has, and their names.

    `texts` is how many characters its errors and details have.
    """

    release: Release
    reading: Reading
    rows: int
    names: Names
    texts: int = 0

    @property
    def weight(self) -> int:
        """About how many bytes it takes."""
        children = self.reading.children
        listed = CHILD_BYTES * len(children.listed) if children else 0
        return ROW_BYTES * (1 + self.rows) + self.texts + listed + weight_of(self.release.history)

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
        max_age: float,
        memory: int,
        stuck_after: timedelta,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._loop = loop
        self._timeout = timeout
        self._breakers = Breakers(clock)
        states = memory // 4 // STATE_BYTES
        self._interval = timedelta(seconds=max_age)
        self._ended: Memory[str, Execution] = Memory(states)
        self.rows: SnapshotStore[RowKey, Row] = SnapshotStore(
            self.row, max_age=max_age, keep=memory // 2, weigh=rows.row_weight, clock=clock
        )
        self._final_entities: Memory[RunEntity, Entity | None] = Memory(states)
        self._movements = Movements(states, stuck_after)
        self.lately: SnapshotStore[Slice, ReleaseList] = SnapshotStore(
            self._lately, max_age=LATELY_EVERY * max_age, keep=KEEP_LATELY, clock=clock
        )
        self._last_seen = LastSeen(memory // 4 // SEEN_BYTES)
        self._listings: Memory[Slice, Listing] = Memory(states, lambda listing: 1 + len(listing.readings))
        self._counts = RecentCounts(max_age=count_age, keep=KEEP_COUNTS)
        self._wanted: Wanted = Wanted(seconds=KEEP_OPEN, releases=OPEN_RELEASES, ids=MAX_OPEN, clock=clock)

    def trouble(self, key: Hashable = None) -> Problem | None:
        """Why this list or search, or without a key a release, cannot be read at present, as far as was found out."""
        return self._breakers.problem(key)

    def open(self, key: RunKey, opened: frozenset[str]) -> None:
        """These rows of a release that is read as it is opened are looked at now."""
        self._wanted.note(key, opened)

    def page(self, asked: Slice, last: Snapshot[ReleaseList] | None, _seconds: float | None) -> Snapshot[ReleaseList]:
        """A page of the list; releases of which nothing is known yet are asked for their own state."""
        counted = self._counts.get(asked.filter)
        known = KnownRows(self.rows.latest, now() - KEEP_ROWS * self._interval)
        listing = self._listed(asked, known, counted.counts if counted else None, renewed=last is not None)
        as_of = listing.listed_at or now()
        counted = self._counted(asked, listing, last, as_of)
        found = self._shown(asked, listing, counted, as_of)
        if asked.lately and not asked.offset:
            found = self._with_lately(asked, found, as_of)
        # When it was counted is left out: the same counts again make no new version.
        return _dated(Snapshot(found, as_of, version_of(replace(found, counted_at=as_of.min))), listing.late)

    def _lately(
        self, asked: Slice, last: Snapshot[ReleaseList] | None, _seconds: float | None
    ) -> Snapshot[ReleaseList]:
        """What ended lately: nothing is counted, and no release is asked for its own state."""
        known = ShownRows(self.rows.latest, now())
        listing = self._listed(asked, known, {}, renewed=last is not None)
        as_of = listing.listed_at or now()
        found = self._shown(asked, listing, Counted({}, as_of), as_of)
        return _dated(Snapshot(found, as_of, ""), listing.late)

    def _with_lately(self, asked: Slice, found: ReleaseList, as_of: datetime) -> ReleaseList:
        """A first page with what ended lately and is not on it: asked for by a filter of its own, however much runs."""
        since = as_of - LATELY
        earlier = (release.execution.closed_at for release in found.releases)
        if found.next is None or any(closed_at and closed_at < since for closed_at in earlier):
            return replace(found, also_whole=True)
        there, also, whole = {release.execution.run_id for release in found.releases}, [], True
        for phases in (ENDED_BADLY, (Phase.SUCCEEDED,)):
            wanted = replace(asked.filter, phases=phases, ended_within=LATELY)
            try:
                ended = self.lately.get(Slice(LATELY_LISTED, filter=wanted), seated=False)
            except SourceUnavailable:
                whole = False
                continue
            whole = whole and ended.value.next is None and not ended.stale
            also += [release for release in ended.value.releases if release.execution.run_id not in there]
        return replace(found, also=tuple(also), also_whole=whole)

    def _listed(self, asked: Slice, known: KnownRows, counts: Mapping[Status, int] | None, *, renewed: bool) -> Listing:
        before = self._listings.get(asked) if renewed else None
        listing = self._ask(lambda: self._source.page(asked, known, counts, self._timeout, before), asked)
        self._listings.keep(asked, listing)
        return listing

    def _shown(self, asked: Slice, listing: Listing, counted: Counted, as_of: datetime) -> ReleaseList:
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

    def _counted(self, asked: Slice, listing: Listing, last: Snapshot[ReleaseList] | None, as_of: datetime) -> Counted:
        """The counts of a page, and when they were taken."""
        whole = not (asked.offset or listing.next or asked.filter.phases)
        counted = self._counts.get(asked.filter)
        if listing.counted_at or whole or (counted is None and last is None):
            counted = Counted(listing.counts, listing.counted_at or as_of)
            self._counts.keep(asked.filter, counted)
        return counted or Counted(listing.counts, last.value.counted_at if last else as_of)

    def _absence(self, release_id: str, why: Problem | None) -> Problem:
        gone = ReleaseNotFound(release_id, self._last_seen.words(release_id))
        return why or Problem(ProblemCode.GONE, gone.reason)

    def _row_of(self, listed: Execution, reading: Reading, as_of: datetime) -> Release:
        """A release of the list, by the row that is known of it, or by what it was asked now."""
        key = (listed.workflow_id, listed.run_id)
        row = self.rows.latest(key)
        if reading.problem is rows.UNREAD:
            reading = replace(reading, execution=listed)
        if row is None or row.value.reading is not reading:
            row = rows.state_row(row, reading, as_of)
            self.rows.put(key, row)
        read = row.value.reading.execution
        # What was read of a run says more than its record in a list: how it began, what is pending.
        listed = read if read.status is listed.status else listed
        known = rows.newest(read, self._ended.get(listed.run_id, listed))
        release = rows.of_execution(row.value, rows.newest(listed, known))
        final = row.value.reading.execution.status.closed and row.value.reading.fingerprint is not None
        if release.said_at or final:
            return release
        if as_of - row.as_of <= LATE_ROWS * self._interval:
            return self._movements.judged(release, as_of)
        return replace(release, said_at=row.as_of)

    def row(self, key: RowKey, last: Snapshot[Row] | None, _seconds: float | None) -> Snapshot[Row]:
        """What lists show of one run: its tree is read where it has moved, and summarised."""
        as_of = now()
        before = last.value if last else None
        known = before.reading if before and (before.tree_at or before.reading.large) else None
        reading = self._ask_row(key, known, deep=before is None or self._deep(before, as_of))
        stood = known is not None and reading.said is known.said
        if known and stood and rows.standing(known.execution) != rows.standing(reading.execution):
            reading = self._ask_row(key, replace(known, fingerprint=None), deep=True)
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

    def _ask_row(self, key: RowKey, known: Reading | None, *, deep: bool) -> Reading:
        return self._ask(lambda: self._source.row(*key, known, self._timeout, deep=deep))

    def _deep(self, row: Row, at: datetime) -> bool:
        """Whether a tree is to be read though its release has not moved: child workflows move for themselves."""
        if row.tree_at is None or row.reading.fingerprint is not None:
            return True
        lively = row.moved_at is not None and at - row.moved_at < LIVELY * self._interval
        return at - row.tree_at > (LIVELY_TREES if lively else TREES) * self._interval

    def _note_end(self, execution: Execution) -> None:
        if execution.status.closed:
            self._ended.keep(execution.run_id, execution)

    def _feed(self, seen: Snapshot[Seen]) -> None:
        """Let lists that show a release know what was just read of it."""
        reading, release = seen.value.reading, seen.value.release
        self._note_end(reading.execution)
        key = (release.id, reading.execution.run_id)
        row = self.rows.latest(key)
        if row is None or seen.stale or reading.said is None:
            return
        known = row.value.reading
        same = known.digest == reading.digest and rows.standing(known.execution) == rows.standing(reading.execution)
        if same and row.value.tree_at and known.execution.status is reading.execution.status:
            self.rows.put(key, rows.same_row(row, reading, seen.as_of))
        else:
            self.rows.put(key, rows.tree_row(row, release, reading, seen.as_of))

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
        self._feed(seen)
        return seen if seen.stale else self._with_movement(seen, as_of)

    def _with_movement(self, seen: Snapshot[Seen], as_of: datetime) -> Snapshot[Seen]:
        """The same, and whether nothing has moved in the release for long."""
        release = seen.value.release
        self._movements.note(release, seen.value.reading.execution.history_length, as_of)
        judged = self._movements.judged(release, as_of)
        if judged.stuck is None:
            return seen
        version = version_of(seen.version, judged.stuck)
        return replace(seen, value=replace(seen.value, release=judged), version=version)

    def search(
        self, entity_id: str, _last: Snapshot[Occurrences] | None, _seconds: float | None
    ) -> Snapshot[Occurrences]:
        """An entity wherever it occurs, as far as is looked."""
        as_of = now()
        search = self._ask(
            lambda: self._source.search(entity_id, SEARCH_LIMIT, self._final_entities, self._timeout), entity_id
        )
        for run, entity in search.answers:
            if run.status.closed and not (entity and entity.problem):
                self._final_entities.keep((run.run_id, entity_id), entity)
        value = _occurrences(entity_id, search)
        return Snapshot(value, as_of, version_of(value))

    def _ask(self, make: Callable[[], Coroutine[Any, Any, T]], key: Hashable = None) -> T:
        with self._breakers.guard(key):
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
        return _listed(_seen(judge(reading.execution, reading.said), reading, as_of, last), reading)
    problem = reading.problem or Problem(ProblemCode.MISSING, "The release was not asked.")
    # What was said of it before it began says nothing of how it goes.
    if last is None or known is None or known.said is None or known.scheduled or _other_run(known, reading):
        return _seen(unanswered(reading.execution, problem), reading, as_of, None)
    # The last words are marked with their time.
    kept = replace(known, execution=reading.execution, runs=reading.runs)
    stale = _seen(judge(reading.execution, known.said), kept, last.as_of, last)
    return replace(stale, version=version_of(stale.version, problem.code), stale=True, reason=problem)


def _listed(seen: Snapshot[Seen], reading: Reading) -> Snapshot[Seen]:
    """The same as of when its child workflows were listed, where these are part of what is shown and may move."""
    children = reading.children
    if children is None or children.listed_at is None or reading.fingerprint:
        return seen
    return _dated(replace(seen, as_of=min(seen.as_of, children.listed_at)), children.late)


def _dated(seen: Snapshot[T], late: Problem | None) -> Snapshot[T]:
    """What is renewed as often as Temporal allows it says since when it stands; past a bound, it is not the latest."""
    if late is None:
        return seen
    if now() - seen.as_of > LISTED_AGE:
        return outdated(seen, late)
    if late.code is not ProblemCode.REFUSED:
        return seen
    return replace(seen, reason=late, version=version_of(seen.version, late.code))


def _seen(release: Release, reading: Reading, as_of: datetime, last: Snapshot[Seen] | None) -> Snapshot[Seen]:
    # The history's length is left out: an event that changes nothing that is shown makes no new version.
    execution = replace(reading.execution, history_length=None)
    runs = [(run.run_id, run.status) for run in reading.runs.executions]
    version = version_of(execution, reading.digest, reading.problem, reading.scheduled, runs)
    release = rows.scheduled(with_parts(replace(release, runs=reading.runs, levels=reading.levels)), reading)
    unmoved = last is not None and last.value.reading.said is reading.said
    count, texts = (last.value.rows, last.value.texts) if last and unmoved else _size(release)
    return Snapshot(Seen(release, reading, count, Names(release.id, release.root), texts), as_of, version)


def _size(release: Release) -> tuple[int, int]:
    """How many rows a release has, and how many characters their errors and details, which may be of any length."""
    rows = release.root.flattened()
    errors = sum([len(row.error) for row in rows if row.error])
    return len(rows), errors + sum([text_size(row.details) for row in rows if row.details])


def _remembering(seen: Snapshot[Seen], last: Snapshot[Seen] | None, at: datetime) -> Snapshot[Seen]:
    """The same with what looks have shown of it. What has no words says nothing about how its rows stood."""
    told = last is not None and last.value.reading.said is not None and seen.value.reading.said is not None
    before = last.value.release if last and told else None
    history = remember(before, last.as_of if last else at, seen.value.release, at)
    return replace(seen, value=replace(seen.value, release=replace(seen.value.release, history=history)))


def _moved(counts: Mapping[Status, int], listed: Sequence[Execution], shown: Sequence[Release]) -> Mapping[Status, int]:
    """Counts by status, after what is known of these to have ended though the list has not got so far."""
    moved: Counter[Status] = Counter(counts)
    for run, release in zip(listed, shown, strict=True):
        if run.status is not release.execution.status:
            moved[run.status] -= 1
            # One that another run stands for is no release of its own, and is not counted.
            moved[release.execution.status] += not release.execution.next_run_id
    return {status: count for status, count in moved.items() if count > 0}


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
