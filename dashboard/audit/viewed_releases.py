"""Track which releases a response shows, and which views were recorded recently.

Any release that a view reads for a response counts as viewed. Views therefore read releases only through this module.
"""

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic

from flask import g

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.domain.causes import ProblemSummary
from dashboard.domain.entities import Occurrence, Occurrences, Release, ReleaseList
from dashboard.domain.filters import PageRequest
from dashboard.domain.ids import is_below_release
from dashboard.domain.problem_filter import affected_releases
from dashboard.domain.search import SearchResults
from dashboard.domain.snapshot import Snapshot, SnapshotPair
from dashboard.live.reader import RunKey
from dashboard.live.service import LiveReleases
from dashboard.live.topic import Topic

# Seconds within which repeated requests of a user for a release in the same way count as one view.
VIEW_TTL_SECONDS = 300.0
# The lifetime of a session: polls of an open page within this time belong to the view that opened it.
OPEN_PAGE_TTL_SECONDS = 12 * 3600.0
# How many views are remembered. A view forgotten too early is recorded again.
MAX_REMEMBERED_VIEWS = 10_000
# How many threads record views concurrently; views of one key are recorded one after another.
LOCK_COUNT = 32


class ViewLog:
    """The views recorded recently by this process. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic, keep: int = MAX_REMEMBERED_VIEWS) -> None:
        self._clock = clock
        self._written: BoundedCache[Hashable, float] = BoundedCache(keep, ttl=OPEN_PAGE_TTL_SECONDS, clock=clock)
        self._turns = tuple(Lock() for _ in range(LOCK_COUNT))

    def note(self, key: Hashable, write: Callable[[], None], *, open_page: bool = False) -> None:
        """Record a view if it is new. Polls of an open page do not count.

        If recording fails, the next request retries.
        """
        with self._turns[hash(key) % LOCK_COUNT]:
            if not self._is_known(key, OPEN_PAGE_TTL_SECONDS if open_page else VIEW_TTL_SECONDS):
                write()
                self._written.keep(key, self._clock())

    def _is_known(self, key: Hashable, seconds: float) -> bool:
        written = self._written.get(key)
        return written is not None and self._clock() - written < seconds


class LoggedReleases:
    """Access to `LiveReleases` for views that tracks each release read individually.

    Lists and searches show many releases and do not count as views.
    """

    def __init__(self, live: LiveReleases) -> None:
        self._live = live

    def release(
        self,
        release_id: str,
        run_id: str | None = None,
        *,
        whole: bool = False,
        opened: frozenset[str] = frozenset(),
        spent: float = 0.0,
    ) -> Snapshot[Release]:
        """Return a release with its tree."""
        seen = self._live.release(release_id, run_id, whole=whole, opened=opened, spent=spent)
        _remember_read(release_id)
        return seen

    def peek(self, release_id: str, run_id: str | None = None) -> Snapshot[Release]:
        """Return a release without polling it."""
        seen = self._live.peek(release_id, run_id)
        _remember_read(release_id)
        return seen

    def pair(self, left: RunKey, right: RunKey) -> Snapshot[SnapshotPair[Release]]:
        """Two releases."""
        seen = self._live.pair(left, right)
        _remember_read(left[0], right[0])
        return seen

    def occurrences(self, entity_id: str) -> Snapshot[Occurrences]:
        """Return where an entity id occurs; of a release's own id, that release."""
        seen = self._live.occurrences(entity_id)
        if not is_below_release(entity_id):
            _remember_read(entity_id)
        return seen

    def problems(self, release_id: str = "") -> Snapshot[ProblemSummary]:
        """Return current problems; with a release, those of that release only."""
        seen = self._live.problems()
        if release_id and any(release_id == found for found, _, _ in affected_releases(seen.value)):
            _remember_read(release_id)
        return seen

    def find(self, text: str, at: str | None = None) -> Snapshot[SearchResults]:
        """Search by name, with matches of the given release first."""
        seen = self._live.find(text, at)
        if at and any(name.release_id == at for name in seen.value.entities):
            _remember_read(at)
        return seen

    def renew(self, what: Topic, seconds: float) -> None:
        """Read a topic again within a timeout."""
        self._live.renew(what, seconds)

    def page(self, asked: PageRequest) -> Snapshot[ReleaseList]:
        """Return one page of the list."""
        return self._live.page(asked)

    def elsewhere(self, entity_id: str, release_id: str, run_id: str) -> tuple[Snapshot[Occurrence], ...]:
        """Return other occurrences of an entity."""
        return self._live.elsewhere(entity_id, release_id, run_id)

    def subscribe(self, what: Topic, notify: Callable[[str], None]) -> Callable[[], None]:
        """Poll a topic until the returned function is called."""
        return self._live.subscribe(what, notify)


def _remember_read(*release_ids: str) -> None:
    g.setdefault("read_releases", {}).update(dict.fromkeys(release_ids))
