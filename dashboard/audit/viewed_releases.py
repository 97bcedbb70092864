"""Which releases an answer shows, and which looks at them were written down lately.

One rule holds for every route: what a view reads of one release for an answer is shown by it. So views ask for releases
here and nowhere else, and no route has to say that it shows one.
"""

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic

from cachetools import TTLCache
from flask import g

from dashboard.domain.causes import ProblemSummary
from dashboard.domain.entities import Occurrence, Occurrences, Release, ReleaseList
from dashboard.domain.filters import PageRequest
from dashboard.domain.ids import is_below_release
from dashboard.domain.problem_filter import affected_releases
from dashboard.domain.search import SearchResults
from dashboard.live.reader import RunKey
from dashboard.live.service import LiveReleases
from dashboard.live.snapshot_store import Snapshot, SnapshotPair
from dashboard.live.topic import Topic

# Seconds in which the same user who asks for the same release in the same way still has the same look at it.
VIEW_TTL_SECONDS = 300.0
# As long as a session lasts: what an open page asks for in this time belongs to the look with which it was opened.
OPEN_PAGE_TTL_SECONDS = 12 * 3600.0
# How many looks are remembered. One that is forgotten too early is written down again.
MAX_REMEMBERED_VIEWS = 10_000
# In how many threads looks are written down at once; those of one key never are.
LOCK_COUNT = 32


class ViewLog:
    """The looks that this process has written down lately. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = monotonic, keep: int = MAX_REMEMBERED_VIEWS) -> None:
        self._clock = clock
        self._written: TTLCache[Hashable, float] = TTLCache(keep, OPEN_PAGE_TTL_SECONDS, clock)
        self._lock = Lock()
        self._turns = tuple(Lock() for _ in range(LOCK_COUNT))

    def note(self, key: Hashable, write: Callable[[], None], *, open_page: bool = False) -> None:
        """Write down a look, if it is a new one; what an open page asks for is none, as long as its own is known.

        What cannot be written was not: whoever asks next tries again.
        """
        with self._turns[hash(key) % LOCK_COUNT]:
            if not self._is_known(key, OPEN_PAGE_TTL_SECONDS if open_page else VIEW_TTL_SECONDS):
                write()
                with self._lock:
                    self._written[key] = self._clock()

    def _is_known(self, key: Hashable, seconds: float) -> bool:
        with self._lock:
            written = self._written.get(key)
        return written is not None and self._clock() - written < seconds


class LoggedReleases:
    """What views ask of `LiveReleases`, which takes note of each release that is read for itself.

    Lists and searches, in which many are told of beside each other, are no looks at any of them.
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
        """A release with its tree."""
        seen = self._live.release(release_id, run_id, whole=whole, opened=opened, spent=spent)
        _remember_read(release_id)
        return seen

    def peek(self, release_id: str, run_id: str | None = None) -> Snapshot[Release]:
        """The same for whoever does not stay."""
        seen = self._live.peek(release_id, run_id)
        _remember_read(release_id)
        return seen

    def pair(self, left: RunKey, right: RunKey) -> Snapshot[SnapshotPair[Release]]:
        """Two releases."""
        seen = self._live.pair(left, right)
        _remember_read(left[0], right[0])
        return seen

    def occurrences(self, entity_id: str) -> Snapshot[Occurrences]:
        """Where an entity id occurs; of a release's own id, that release."""
        seen = self._live.occurrences(entity_id)
        if not is_below_release(entity_id):
            _remember_read(entity_id)
        return seen

    def problems(self, release_id: str = "") -> Snapshot[ProblemSummary]:
        """What is broken now; with a release, for who shows what is broken in that one alone."""
        seen = self._live.problems()
        if release_id and any(release_id == found for found, _, _ in affected_releases(seen.value)):
            _remember_read(release_id)
        return seen

    def find(self, text: str, at: str | None = None) -> Snapshot[SearchResults]:
        """What is known by a name with this text; with a release, what is in that one first."""
        seen = self._live.find(text, at)
        if at and any(name.release_id == at for name in seen.value.entities):
            _remember_read(at)
        return seen

    def renew(self, what: Topic, seconds: float) -> None:
        """Read a thing anew within so many seconds, for who is shown it next."""
        self._live.renew(what, seconds)

    def page(self, asked: PageRequest) -> Snapshot[ReleaseList]:
        """One page of the list."""
        return self._live.page(asked)

    def elsewhere(self, entity_id: str, release_id: str, run_id: str) -> tuple[Snapshot[Occurrence], ...]:
        """Where else than in this run of its release an entity is."""
        return self._live.elsewhere(entity_id, release_id, run_id)

    def subscribe(self, what: Topic, notify: Callable[[str], None]) -> Callable[[], None]:
        """Watch a thing until what is returned is called."""
        return self._live.subscribe(what, notify)


def _remember_read(*release_ids: str) -> None:
    g.setdefault("read_releases", {}).update(dict.fromkeys(release_ids))
