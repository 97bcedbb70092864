"""Find problems across the newest releases and the trees of those in progress or recently failed."""

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
from dashboard.domain.snapshot import Snapshot, version_hash
from dashboard.live.list_rows import ListRow

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
    """Reads problems within `seconds`. Ended releases are read once and cached.

    `page` returns the first page of the list with recently ended releases. It and `release` are methods of
    LiveReleases, so that trees that are already polled are not read again; `row` returns the cached row of a release.
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
        """Return current problems; raise SourceUnavailable if the list is not available."""
        until = monotonic() + self._seconds
        listing = self._page(MAX_RELEASES_LISTED)
        rows = (*listing.value.releases, *listing.value.also)
        relevant = [each for each in _relevant(rows, listing.as_of) if not self._ended_whole(each)]
        remembered = {release.id: self._remembered(release) for release in relevant}
        # How many are read individually, failed ones first; others use rows from lists.
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
        """Stop reading."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended_whole(self, release: Release) -> bool:
        """Return whether a release ended successfully and was fully read without finding a problem."""
        return release.root.phase in _QUIET_ENDS and self._ended.get(release.execution.run_id) == ()

    def _remembered(self, release: Release) -> AffectedEntities | None:
        """Return the problems of a release if they are known without reading it again."""
        found = self._ended.get(release.execution.run_id)
        row = self._row(release) if found is None else None
        return row.broken if row and _trusted(row, release) else found

    def _waiting(
        self, chosen: Iterable[Release], answers: Mapping[str, Snapshot[Release]]
    ) -> tuple[AffectedEntity, ...]:
        """Return what waits for approval, longest first."""
        found: list[AffectedEntity] = []
        for release in chosen:
            row = self._row(release) if release.id not in answers else None
            if row and _trusted(row, release):
                found += row.waiting
            else:
                found += waiting_entities(answers[release.id].value if release.id in answers else release)
        return tuple(sorted(found, key=lambda item: item.at))

    def _read(self, releases: list[Release], until: float) -> dict[str, Snapshot[Release]]:
        """Return the trees that were read in time, by release ID. Late ones are cached for the next request."""
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
    """Return the findings of all releases, longest first."""
    seen = (answers[release.id].value if release.id in answers else release for release in chosen)
    return tuple(sorted((item for release in seen for item in find(release)), key=lambda item: item.at))


def _trusted(row: ListRow, release: Release) -> bool:
    """Return whether a row has all problems of its release: its tree was fully read, not before it ended."""
    same = row.release.execution.status is release.execution.status
    return same and row.release.parts is not None and row.release.root.problem is None and release.said_at is None


def _failed_first(release: Release) -> int:
    """Sort releases: failed first, then running, then succeeded."""
    if release.root.phase.broken:
        # Those that did not answer the list will hardly answer now.
        return 0
    return 2 if release.execution.status.closed else 1


def _whole(release: Release) -> bool:
    """Return whether a release was fully read: very large ones are loaded wave by wave or on demand."""
    if release.levels or not _readable(release):
        return False
    return not any(wave.problem and wave.problem.awaited for wave in release.root.children)


def _unknown(release: Release) -> bool:
    """Return whether the release did not respond, other than because its worker is busy."""
    problem = release.root.problem
    return problem is not None and not problem.awaited and not _readable(release)


def _readable(release: Release) -> bool:
    """Return whether its parts are known; child workflows are known by their status even if their data is encrypted."""
    problem = release.root.problem
    return problem is None or (problem.code is ProblemCode.UNREADABLE and bool(release.root.children))


def _moves(release: Release) -> bool:
    """Return whether something in an ended release is still running, or its failure reason is not read yet."""
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
    """Return releases in progress or recently failed, newest first, with only the newest run of each ID.

    Recently succeeded and stopped releases are included until it is known that none of their parts failed or is
    running.
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
