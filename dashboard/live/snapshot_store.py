"""Load snapshots once for all requests for the same topic, and keep the last good one."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from dashboard.concurrency.bounded_cache import BoundedCache
from dashboard.concurrency.bulkhead import Bulkhead
from dashboard.concurrency.single_flight import SingleFlight
from dashboard.concurrency.weight import weight_of
from dashboard.domain.filters import MalformedFilter
from dashboard.domain.problems import NotFound, Problem, ProblemCode, SourceUnavailable
from dashboard.domain.snapshot import Snapshot, mark_stale

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

TOO_MANY_WAITING = Problem(ProblemCode.BUSY, "Too many requests are waiting for Temporal.")
RENEWAL_BEHIND = Problem(
    ProblemCode.BEHIND,
    "The next update is late: too many open pages for the rate limit, or Temporal is slow.",
)


@dataclass(frozen=True, slots=True)
class _StoredSnapshot(Generic[T]):
    """The last loaded snapshot with its time, and the last good one (the same unless it is stale)."""

    loaded_at: float
    latest: Snapshot[T]
    good: Snapshot[T] | None


class SnapshotStore(Generic[K, T]):
    """Loads a snapshot per key once for all concurrent callers and caches it for `max_age` seconds.

    If the source is unavailable, the last good snapshot is returned, marked as stale; without one, the error is raised.
    `load` receives the key, the last good snapshot, if any, and its timeout in seconds, None for the default. The cache
    is limited by number or weight. Callers that have to wait need one of the `seats`; without one, the source counts as
    unavailable.
    """

    def __init__(
        self,
        load: Callable[[K, Snapshot[T] | None, float | None], Snapshot[T]],
        *,
        max_age: float,
        keep: int,
        weigh: Callable[[T], int] | None = None,
        bulkhead: Bulkhead | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._load = load
        self._bulkhead = bulkhead or Bulkhead()
        self._max_age = max_age
        self._clock = clock
        self._kept: BoundedCache[K, _StoredSnapshot[T]] = BoundedCache(
            keep, lambda key, kept: weight_of(key) + _weight(kept, weigh) if weigh else 1
        )
        self._flights: SingleFlight[K, Snapshot[T]] = SingleFlight()

    @property
    def weight(self) -> int:
        """Return the weight of the cache."""
        return self._kept.weight

    def get(self, key: K, *, anew: bool = False, seconds: float | None = None, seated: bool = True) -> Snapshot[T]:
        """Return the snapshot for a key, loaded within a timeout, again if `again`; raises what `load` raises.

        Callers that arrive during another's load wait for that one. Callers that are limited elsewhere need not be
        `seated`.
        """
        young = None if anew else self._young(key)
        if young:
            return young
        if seated and not self._bulkhead.take():
            return self._unasked(key)
        try:
            return self._flights.get(key, lambda: self._fly(key, seconds, anew=anew))
        finally:
            if seated:
                self._bulkhead.give()

    def put(self, key: K, snapshot: Snapshot[T]) -> None:
        """Store a value that was obtained elsewhere, as if it had just been loaded."""
        kept = self._kept.get(key)
        good = kept.good if kept and snapshot.stale else snapshot
        self._kept.keep(key, _StoredSnapshot(self._clock(), snapshot, good))

    def latest(self, key: K) -> Snapshot[T] | None:
        """Return the last loaded snapshot, or None."""
        kept = self._kept.get(key)
        return kept.latest if kept else None

    def all_latest(self) -> Iterator[tuple[K, Snapshot[T]]]:
        """Yield the last loaded snapshot of each key, oldest first."""
        for key in self._kept:
            latest = self.latest(key)
            if latest:
                yield key, latest

    def loaded_within(self, key: K, seconds: float) -> bool:
        """Return whether it was loaded recently, so that it is in use."""
        kept = self._kept.get(key)
        return kept is not None and self._clock() - kept.loaded_at < seconds

    def _unasked(self, key: K) -> Snapshot[T]:
        kept = self._kept.get(key)
        if kept is None or kept.good is None:
            raise SourceUnavailable(TOO_MANY_WAITING)
        return mark_stale(kept.good, TOO_MANY_WAITING)

    def _young(self, key: K) -> Snapshot[T] | None:
        kept = self._kept.get(key)
        return kept.latest if kept is not None and self._clock() - kept.loaded_at < self._max_age else None

    def _fly(self, key: K, seconds: float | None, *, anew: bool) -> Snapshot[T]:
        # Another one may have completed in between.
        young = None if anew else self._young(key)
        if young:
            return young
        started = self._clock()
        kept = self._kept.get(key)
        good = kept.good if kept else None
        snapshot = self._load_or_last(key, good, seconds)
        self._kept.keep(key, _StoredSnapshot(started, snapshot, good if snapshot.stale else snapshot))
        return snapshot

    def _load_or_last(self, key: K, last: Snapshot[T] | None, seconds: float | None) -> Snapshot[T]:
        try:
            return self._load(key, last, seconds)
        except (NotFound, MalformedFilter):
            # It is not to be shown as something that is, or can be asked for, whatever was known of it.
            self._kept.forget(key)
            raise
        except SourceUnavailable as exc:
            if last is None:
                raise
            return mark_stale(last, exc.problem)


def _weight(kept: _StoredSnapshot[T], weigh: Callable[[T], int]) -> int:
    """Return the combined weight of a snapshot and the last good one, which often share data."""
    latest = weigh(kept.latest.value)
    if kept.good is None or kept.good.value is kept.latest.value:
        return latest
    return latest + weigh(kept.good.value)
