"""What is broken across releases, from the newest of the list and the trees of those that run or failed lately."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from time import monotonic

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.domain.causes import (
    AffectedEntity,
    ProblemSummary,
    affected_entities,
    group_by_cause,
    stuck_entities,
    waiting_entities,
)
from dashboard.domain.entities import Release, ReleaseList
from dashboard.domain.overall import overall_state
from dashboard.domain.parts import parts_of
from dashboard.domain.phases import Phase
from dashboard.domain.problems import NotFound, ProblemCode, SourceUnavailable
from dashboard.live.list_rows import ListRow
from dashboard.live.snapshot_store import Snapshot, version_hash

# How far the list is looked at, and how many trees of those found are read at most; the page says so.
MAX_RELEASES_LISTED = 50
MAX_TREES_READ = 30
MAX_CONCURRENT_TREE_READS = 6
# An older failure is history, not a problem of now.
RECENT_FAILURE_WINDOW = timedelta(hours=24)
MAX_CACHED_ENDED_RELEASES = 500
# Ends that say nothing of the parts: these may have failed, or run on.
_QUIET_ENDS = frozenset({Phase.SUCCEEDED, Phase.CANCELLED, Phase.TERMINATED})

AffectedEntities = tuple[AffectedEntity, ...]


class ProblemFinder:
    """Reads what is broken, within so many `seconds`. Releases that have ended are read once and remembered.

    `page` gives the first so many of the list, with what ended lately. It and `release` are those of LiveReleases, so
    that a tree that somebody looks at is not read again; `row` is what lists know of one.
    """

    def __init__(
        self,
        page: Callable[[int], Snapshot[ReleaseList]],
        release: Callable[[str], Snapshot[Release]],
        row: Callable[[Release], ListRow | None],
        seconds: float,
    ) -> None:
        self._page = page
        self._seconds = seconds
        self._release = release
        self._row = row
        self._ended: BoundedCache[str, AffectedEntities] = BoundedCache(MAX_CACHED_ENDED_RELEASES)
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT_TREE_READS, thread_name_prefix="problems")

    def find(self) -> Snapshot[ProblemSummary]:
        """What is broken now; raises SourceUnavailable if not even the list is known."""
        until = monotonic() + self._seconds
        listing = self._page(MAX_RELEASES_LISTED)
        rows = (*listing.value.releases, *listing.value.also)
        relevant = [each for each in _relevant(rows, listing.as_of) if not self._ended_whole(each)]
        remembered = {release.id: self._remembered(release) for release in relevant}
        # So many are read for themselves, those that failed first; of the others it is known what lists have read.
        unread = sorted((each for each in relevant if remembered[each.id] is None), key=_failed_first)
        unknown = unread[:MAX_TREES_READ]
        left = {release.id for release in unread[MAX_TREES_READ:]}
        chosen = [release for release in relevant if release.id not in left]
        answers = self._read(unknown, until)
        latest = [answer.value for answer in answers.values() if not answer.stale and not _unknown(answer.value)]
        whole = sum(_whole(release) for release in latest)
        found = [
            self._broken(release, answers) if (known := remembered[release.id]) is None else known for release in chosen
        ]
        # What turned out to have ended well, in all of its parts, is none of those that matter.
        well = sum(map(self._ended_whole, chosen))
        value = ProblemSummary(
            causes=group_by_cause(broken for each in found for broken in each),
            total=listing.value.total,
            listed=len(rows),
            relevant=len(relevant) - well,
            read=len(chosen) - len(unknown) + whole - well,
            unanswered=len(unknown) - len(latest),
            partly=len(latest) - whole,
            waiting=self._waiting(chosen, answers),
            still=_longest_first(chosen, answers, stuck_entities),
        )
        return Snapshot(value, listing.as_of, version_hash(value, listing.stale), listing.stale, listing.reason)

    def close(self) -> None:
        """Read nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended_whole(self, release: Release) -> bool:
        """Whether a release has ended, not badly, and all of it was read without anything broken in it."""
        return release.root.phase in _QUIET_ENDS and self._ended.get(release.execution.run_id) == ()

    def _remembered(self, release: Release) -> AffectedEntities | None:
        """What is broken in a release, where that is known without reading it now."""
        found = self._ended.get(release.execution.run_id)
        row = self._row(release) if found is None else None
        return row.broken if row and _trusted(row, release) else found

    def _waiting(
        self, chosen: Iterable[Release], answers: Mapping[str, Snapshot[Release]]
    ) -> tuple[AffectedEntity, ...]:
        """What waits for somebody, the longest first, as far as its release told."""
        found: list[AffectedEntity] = []
        for release in chosen:
            row = self._row(release) if release.id not in answers else None
            if row and _trusted(row, release):
                found += row.waiting
            else:
                found += waiting_entities(answers[release.id].value if release.id in answers else release)
        return tuple(sorted(found, key=lambda item: item.at))

    def _read(self, releases: list[Release], until: float) -> dict[str, Snapshot[Release]]:
        """The trees that are there in time, by release id. A late one is in the store when somebody asks again."""
        # Those that did not answer the list will hardly answer now: they come last, so that they hold up no other.
        ordered = sorted(releases, key=lambda release: release.root.problem is not None)
        reading = {release.id: self._pool.submit(self._release, release.id) for release in ordered}
        wait(reading.values(), max(until - monotonic(), 0))
        for late in reading.values():
            late.cancel()
        answers = {release_id: _answer(each) for release_id, each in reading.items()}
        return {release_id: answer for release_id, answer in answers.items() if answer is not None}

    def _broken(self, listed: Release, answers: dict[str, Snapshot[Release]]) -> AffectedEntities:
        answer = answers.get(listed.id)
        if answer is None:
            return affected_entities(listed)
        release = answer.value
        found = affected_entities(release)
        if release.execution.status.closed and not answer.stale and _whole(release) and not _moves(release):
            self._ended.keep(release.execution.run_id, found)
        return found


def _longest_first(
    chosen: Iterable[Release], answers: Mapping[str, Snapshot[Release]], find: Callable[[Release], AffectedEntities]
) -> AffectedEntities:
    """What is found in each release, as far as it told, the longest first."""
    seen = (answers[release.id].value if release.id in answers else release for release in chosen)
    return tuple(sorted((item for release in seen for item in find(release)), key=lambda item: item.at))


def _trusted(row: ListRow, release: Release) -> bool:
    """Whether a row says all that is broken in its release now: its tree was read whole, and not before it ended."""
    same = row.release.execution.status is release.execution.status
    return same and row.release.parts is not None and row.release.root.problem is None and release.said_at is None


def _failed_first(release: Release) -> int:
    """Releases that failed, then those that run, then those that ended well as far as is known."""
    if release.root.phase.broken:
        # Those that did not answer the list will hardly answer now.
        return 0
    return 2 if release.execution.status.closed else 1


def _whole(release: Release) -> bool:
    """Whether all of it has been read: a very large release comes wave by wave, or as far as it was opened."""
    if release.levels or not _readable(release):
        return False
    return not any(wave.problem and wave.problem.awaited for wave in release.root.children)


def _unknown(release: Release) -> bool:
    """Whether the release did not answer. One whose worker is at work on it will."""
    problem = release.root.problem
    return problem is not None and not problem.awaited and not _readable(release)


def _readable(release: Release) -> bool:
    """Whether its parts are known: of those that are child workflows by their statuses, whatever a codec hides."""
    problem = release.root.problem
    return problem is None or (problem.code is ProblemCode.UNREADABLE and bool(release.root.children))


def _moves(release: Release) -> bool:
    """Whether something in an ended release runs on, or why it ended is still to be read."""
    rows = release.root.flattened()
    return bool(release.left_running) or any(
        row.problem is not None and row.problem.code is ProblemCode.REASON_NOT_READ for row in rows
    )


def _answer(reading: "Future[Snapshot[Release]]") -> Snapshot[Release] | None:
    if not reading.done() or reading.cancelled():
        return None
    try:
        return reading.result()
    except (SourceUnavailable, NotFound):
        return None  # It is counted among those that did not answer.


def _relevant(releases: Iterable[Release], as_of: datetime) -> Iterable[Release]:
    """Those that run or failed lately, newest first; of several runs of one id, the newest is the release.

    One that ended well, or was stopped, lately is among them until it is known that no part of it failed or runs on.
    """
    seen: set[str] = set()
    for release in releases:
        if release.id in seen:
            continue
        seen.add(release.id)
        closed_at = release.execution.closed_at
        lately = closed_at is not None and as_of - closed_at < RECENT_FAILURE_WINDOW
        if not release.execution.status.closed or (lately and _may_have_failed(release)):
            yield release


def _may_have_failed(release: Release) -> bool:
    unread = release.root.phase in _QUIET_ENDS and parts_of(release) is None
    return unread or overall_state(release).attention
