"""Provide the latest data of releases to any number of viewers. Views use only this module."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any

from dashboard.concurrency.call_log import count_calls
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.causes import ProblemSummary
from dashboard.domain.entities import Occurrence, Occurrences, Release, ReleaseList
from dashboard.domain.filters import MalformedFilter, PageRequest
from dashboard.domain.ids import is_below_release
from dashboard.domain.problems import NotFound, SourceUnavailable
from dashboard.domain.search import SearchResults
from dashboard.domain.snapshot import Snapshot, SnapshotPair, join_snapshots, mark_stale
from dashboard.domain.source import ReleaseSource
from dashboard.live.change_log import with_history
from dashboard.live.circuit_breaker import ReleaseBreakerKey
from dashboard.live.list_rows import ListRow
from dashboard.live.loaded_release import LoadedRelease
from dashboard.live.occurrence_search import find_other_occurrences
from dashboard.live.pair_reader import PairReader, subscribe_pair
from dashboard.live.poller import UNKNOWN_VERSION
from dashboard.live.pollers import PollerPair
from dashboard.live.problem_finder import MAX_RELEASES_LISTED, ProblemFinder
from dashboard.live.reader import ReleaseReader, RunKey
from dashboard.live.schedule import POLL_LINGER_SECONDS
from dashboard.live.search import NameSearch
from dashboard.live.snapshot_store import RENEWAL_BEHIND
from dashboard.live.stores import TopicStores
from dashboard.live.topic import (
    HistoryTopic,
    ListTopic,
    OccurrencesTopic,
    PairTopic,
    PolledTopic,
    ProblemsTopic,
    ReleaseTopic,
    RowTopic,
    Topic,
    WallTopic,
)
from dashboard.live.viewer_budget import VIEWER_SHARE, ViewerBudget

# The polling interval in seconds. Data of other topics is shared while it is younger than this.
DEFAULT_MAX_AGE_SECONDS = 1.0
# Counts of the list, which cost more the more releases there are, are asked for this rarely.
COUNT_MAX_AGE_SECONDS = 5.0
# Defaults: polling calls per second, and bytes of all caches.
DEFAULT_CALLS_PER_SECOND = 50
DEFAULT_CACHE_BYTES = 128 * 1024 * 1024
# And after how long without any change, and with nothing pending, a release is stuck.
DEFAULT_STUCK_AFTER = timedelta(minutes=30)
# How often a caller waiting for more of a large release checks again, in seconds: a read started by another user may
# not include it. With less time left, nothing more would arrive.
MAX_REREADS = 2
MIN_REREAD_SECONDS = 0.3


class LiveReleases:
    """Serves snapshots. Viewed topics are polled in the background; others are read on request.

    `max_age` is the polling interval in seconds, shorter for active topics and longer for expensive ones. With 0
    nothing is polled and each request reads. `budget` is in calls per second, and `memory` in bytes. A running release
    is stuck if nothing has changed in it for `stuck_after` and nothing is pending.
    """

    def __init__(
        self,
        source: ReleaseSource,
        loop: LoopThread,
        *,
        timeout: float,
        max_age: float = DEFAULT_MAX_AGE_SECONDS,
        count_age: float = COUNT_MAX_AGE_SECONDS,
        budget: float = DEFAULT_CALLS_PER_SECOND,
        memory: int = DEFAULT_CACHE_BYTES,
        stuck_after: timedelta = DEFAULT_STUCK_AFTER,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._loop = loop
        self._timeout = timeout
        self._reader = ReleaseReader(
            source,
            loop,
            timeout=timeout,
            count_age=count_age,
            max_age=max_age,
            memory=memory // 8,
            stuck_after=stuck_after,
            clock=clock,
        )
        self._problem_finder = ProblemFinder(self._listed, self._tree, self._row, timeout)
        self._stores = TopicStores(self._reader, self._problem_finder.find, max_age=max_age, memory=memory, clock=clock)
        self._names = NameSearch(self.page, self._stores.pages, self._stores.trees)
        self._pairs = PairReader(lambda key: self.release(*key, whole=True))
        self._watching = max_age > 0
        self._poller = PollerPair(self._look, self._version, budget=budget, clock=clock)
        self._viewer_budget = ViewerBudget(VIEWER_SHARE * budget, clock)

    def page(self, asked: PageRequest) -> Snapshot[ReleaseList]:
        """Return one page of the list; raise SourceUnavailable if there is no data yet."""
        return self._latest(ListTopic(asked))

    def release(
        self,
        release_id: str,
        run_id: str | None = None,
        *,
        whole: bool = False,
        opened: frozenset[str] = frozenset(),
        spent: float = 0.0,
    ) -> Snapshot[Release]:
        """Return a release with its tree.

        Its latest run, or the run with this ID. `spent` seconds of the timeout are used up.

        Raises ReleaseNotFound or RunNotFound, or SourceUnavailable if there is no data yet.

        A release that is too large for one response is read in parts. A first read returns the parts that arrive
        quickly; with `whole`, the caller waits for the rest within a limit. If it is read level by level, it includes
        the contents of entities that are `opened` now or were recently opened by any viewer.
        """
        key = (release_id, run_id)
        self._reader.open(key, opened)
        until = monotonic() + self._timeout - spent
        seen: Snapshot[LoadedRelease] = self._latest(
            ReleaseTopic(release_id, run_id), max(self._timeout - spent, MIN_REREAD_SECONDS)
        )
        for _ in range(MAX_REREADS):
            reading, left = seen.value.reading, until - monotonic()
            enough = not reading.misses(opened) and (reading.whole or not whole)
            if enough or seen.stale or left < MIN_REREAD_SECONDS:
                break
            seen = self._stores.trees.get(key, anew=True, seconds=left)
        return _release(seen)

    def elsewhere(self, entity_id: str, release_id: str, run_id: str) -> tuple[Snapshot[Occurrence], ...]:
        """Return other occurrences of an entity in recently read releases, without calling Temporal."""
        known = (_release(seen) for _, seen in reversed(list(self._stores.trees.all_latest())))
        return find_other_occurrences(known, entity_id, release_id, run_id)

    def peek(self, release_id: str, run_id: str | None = None) -> Snapshot[Release]:
        """Like `release()`, but do not start or prolong polling."""
        with self._allowed():
            return _release(self._stores.trees.get((release_id, run_id)))

    def cached(self, release_id: str, run_id: str | None = None) -> Snapshot[Release] | None:
        """Return the last read of a release immediately, from any thread. It may be old if it is not polled."""
        seen = self._shown(ReleaseTopic(release_id, run_id))
        return _release(seen) if seen else None

    def occurrences(self, entity_id: str) -> Snapshot[Occurrences]:
        """Return the occurrences of an entity ID within the search limit. A release ID occurs once."""
        if is_below_release(entity_id):
            return self._latest(OccurrencesTopic(entity_id))
        seen = self.release(entity_id)
        found = (Occurrence(seen.value.execution, seen.value.root),)
        return Snapshot(Occurrences(entity_id, found, (), 1, 1), seen.as_of, seen.version, seen.stale, seen.reason)

    def find(self, text: str, at: str | None = None) -> Snapshot[SearchResults]:
        """Search by name, with matches in the release that the viewer is `at` first.

        Raises MalformedFilter.
        """
        return self._names.find(text, at)

    def problems(self) -> Snapshot[ProblemSummary]:
        """Return current problems; raise SourceUnavailable if there is no data yet."""
        return self._latest(ProblemsTopic())

    def pair(self, left: RunKey, right: RunKey) -> Snapshot[SnapshotPair[Release]]:
        """Return two releases, each as complete as possible within the timeout; raises like `release()`."""
        return self._pairs.get(left, right)

    def renew(self, what: Topic, seconds: float) -> None:
        """Read a topic again regardless of its age, for a viewer who has seen later data, and charge the budget.

        If the read exceeds the timeout, or viewers have used up their share of the budget, cached data is returned:
        clients that claim to have seen later data cannot cause unlimited reads.
        """
        if not self._viewer_budget.is_left():
            return
        match what:
            case PairTopic(left, right) | WallTopic(left, right):
                self.renew(left, seconds)
                self.renew(right, seconds)
            case HistoryTopic(release):
                self.renew(release, seconds)
            case ProblemsTopic():
                # Problems are found from this list, and are as old as it is.
                self.renew(ListTopic(PageRequest(MAX_RELEASES_LISTED, lately=True)), seconds)
                self._read_again(what, seconds)
            case _:
                self._read_again(_looked_at(what), seconds)

    def _read_again(self, what: PolledTopic, seconds: float) -> None:
        stored = self._stores.of(what)
        with self._allowed(), suppress(SourceUnavailable, NotFound, MalformedFilter):
            stored.store.get(stored.key, anew=True, seconds=seconds)

    def subscribe(self, what: Topic, notify: Callable[[str], None]) -> Callable[[], None]:
        """Poll a topic while it is subscribed to.

        `notify` is called from any thread with the current version, immediately if known and whenever the version or
        its staleness changes; with "" when the topic no longer exists. Returns a function that ends the subscription,
        callable from any thread.
        """
        match what:
            case PairTopic(left, right) | WallTopic(left, right):
                return subscribe_pair((left, right), self.subscribe, self._shown, notify)
            case HistoryTopic(release):
                return self.subscribe(release, lambda version: notify(self._with_history(release, version)))
            case _:
                polled = _looked_at(what)
                stored = self._stores.of(polled)
                return self._poller.subscribe(polled, stored.every, notify, stored.fast_interval)

    def close(self) -> None:
        """Stop the event loop's thread and everything that runs on it."""
        self._poller.close()
        self._problem_finder.close()
        self._pairs.close()
        self._loop.stop()

    def known(self, what: Topic) -> Snapshot[Any] | None:
        """Return the current data of a polled topic immediately, from any thread. None if a read is needed."""
        match what:
            case PairTopic(left, right) | WallTopic(left, right):
                both = self.known(left), self.known(right)
                return join_snapshots(both[0], both[1]) if both[0] and both[1] else None
            case HistoryTopic(release):
                seen = self.known(release)
                return with_history(seen, seen.value.release.history) if seen else None
            case _:
                polled = _looked_at(what)
                return self._shown(polled) if self._poller.is_polling(polled) else None

    def _latest(self, what: PolledTopic, seconds: float | None = None) -> Snapshot[Any]:
        """Return the current data of a polled topic immediately, or read it within the timeout."""
        stored = self._stores.of(what)
        kept = self.known(what)
        if kept is not None:
            return kept
        # A script that reads thousands of releases once must not use up the polling budget.
        again = stored.store.loaded_within(stored.key, POLL_LINGER_SECONDS)
        snapshot = stored.store.get(stored.key, seconds=seconds)
        if self._watching and again and not _over(snapshot):
            self._poller.watch(what, stored.every, stored.fast_interval)
            self._watch_rows(snapshot)
        return snapshot

    def _shown(self, what: PolledTopic) -> Snapshot[Any] | None:
        """Return the current data of a topic, marked as stale if its next poll is late."""
        stored = self._stores.of(what)
        latest = stored.store.latest(stored.key)
        if latest is None or latest.stale or not self._poller.late(what):
            return latest
        return mark_stale(latest, self._reader.trouble(_breaker_of(what)) or RENEWAL_BEHIND)

    def _with_history(self, release: ReleaseTopic, version: str) -> str:
        """Return the version of a release including its history, if the release exists."""
        seen = self._shown(release) if version else None
        return with_history(seen, seen.value.release.history).version if seen else version

    def _look(self, what: PolledTopic) -> bool:
        stored = self._stores.of(what)
        try:
            snapshot = stored.store.get(stored.key, anew=True, seated=False)
        except SourceUnavailable:
            return True
        except (NotFound, MalformedFilter):
            return False
        self._watch_rows(snapshot)
        return not _over(snapshot)

    def _watch_rows(self, listing: Snapshot[Any]) -> None:
        """Poll the rows of a list while the list is polled."""
        if not isinstance(listing.value, ReleaseList):
            return
        for release in (*listing.value.releases, *listing.value.also):
            what = RowTopic(release.id, release.execution.run_id)
            row = self._stores.rows.latest((what.workflow_id, what.run_id))
            if row is None or row.value.over:
                continue
            # One that has ended is read again as soon as can be.
            behind = row.value.reading.execution.status is not release.execution.status and row.as_of < listing.as_of
            stored = self._stores.of(what)
            self._poller.watch(what, stored.every, stored.fast_interval, soon=behind or row.value.tree_at is None)

    def _version(self, what: PolledTopic) -> str:
        snapshot = self._shown(what)
        return snapshot.version if snapshot else UNKNOWN_VERSION

    def _listed(self, most: int) -> Snapshot[ReleaseList]:
        found = self._stores.pages.get(PageRequest(page_size=most, lately=True), seated=False)
        self._watch_rows(found)
        return found

    def _tree(self, release_id: str) -> Snapshot[Release]:
        """Return a release without polling it, charging the read to the polling budget."""
        with self._charged():
            return _release(self._stores.trees.get((release_id, None), seated=False))

    def _row(self, release: Release) -> ListRow | None:
        """Return the row of a release if its tree was read for it."""
        seen = self._stores.rows.latest((release.id, release.execution.run_id))
        return seen.value if seen and seen.value.tree_at else None

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        """Charge the calls of a read caused by a viewer, up to the viewers' share of the budget."""
        left = self._viewer_budget.is_left()
        with count_calls() as log:
            yield
        if left:
            self._viewer_budget.charge(log.calls)
            self._poller.charge(log.calls)

    @contextmanager
    def _charged(self) -> Iterator[None]:
        """Charge the calls of a read to the polling budget."""
        with count_calls() as log:
            yield
        self._poller.charge(log.calls)


def _looked_at(what: PolledTopic) -> PolledTopic:
    """Return the topic to poll: a search for a release ID is that release."""
    if isinstance(what, OccurrencesTopic) and not is_below_release(what.entity_id):
        return ReleaseTopic(what.entity_id)
    return what


def _breaker_of(what: PolledTopic) -> Hashable:
    match what:
        case ReleaseTopic(workflow_id) | RowTopic(workflow_id):
            return ReleaseBreakerKey(workflow_id)
        case ListTopic(page_request):
            return page_request
        case OccurrencesTopic(entity_id):
            return entity_id
        case ProblemsTopic():
            return ""


def _release(seen: Snapshot[LoadedRelease]) -> Snapshot[Release]:
    return Snapshot(seen.value.release, seen.as_of, seen.version, seen.stale, seen.reason)


def _over(snapshot: Snapshot[Any]) -> bool:
    return isinstance(snapshot.value, LoadedRelease | ListRow) and snapshot.value.over and not snapshot.stale
