"""Snapshots: what was known at one moment, shared by all who ask for the same thing."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from time import monotonic
from typing import Generic, TypeVar

from cachetools import LRUCache

from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.flights import Flights
from dashboard.live.seats import Seats

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

BUSY = Problem(ProblemCode.BUSY, "Too many requests are waiting for Temporal already.")


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """What was known at `as_of` (UTC). `stale` says that it is not the latest, and `reason` why.

    `version` is a hash of the content, so that two processes that read the same agree on it.
    """

    value: T
    as_of: datetime
    version: str
    stale: bool = False
    reason: Problem | None = None


def version_of(*parts: object) -> str:
    """A hash of content; the parts must have a `repr` that says all that matters."""
    return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def outdated(snapshot: Snapshot[T], reason: Problem) -> Snapshot[T]:
    """The same content, marked as not the latest."""
    version = version_of(snapshot.version, reason.code)
    return replace(snapshot, version=version, stale=True, reason=reason)


class SnapshotStore(Generic[K, T]):
    """Loads a snapshot for a key once for all who ask at the same time, and keeps it for `max_age` seconds.

    When the source cannot be asked, the last good snapshot is answered, marked as stale; without one the error is
    raised. `load` gets the key, the last good snapshot, if there is one, and how many seconds it may take, None for as
    many as usual. Whoever has to wait needs one of the
    `seats`; where there is none, it is the same as if the source could not be asked.
    """

    def __init__(
        self,
        load: Callable[[K, Snapshot[T] | None, float | None], Snapshot[T]],
        *,
        max_age: float,
        keep: int,
        seats: Seats | None = None,
    ) -> None:
        self._load = load
        self._seats = seats or Seats()
        self._max_age = max_age
        self._lock = threading.Lock()
        self._good: LRUCache[K, Snapshot[T]] = LRUCache(keep)
        self._fresh: LRUCache[K, tuple[float, Snapshot[T]]] = LRUCache(keep)
        self._flights: Flights[K, Snapshot[T]] = Flights()

    def get(self, key: K, *, anew: bool = False, seconds: float | None = None) -> Snapshot[T]:
        """The snapshot for a key, loaded `anew` even if it is young, within so many seconds; raises what `load` raises.

        Whoever comes while another's load is under way waits for that one, however long it may take.
        """
        young = None if anew else self._young(key)
        if young:
            return young
        if not self._seats.take():
            return self._unasked(key)
        try:
            return self._flights.get(key, lambda: self._fly(key, seconds, anew=anew))
        finally:
            self._seats.give()

    def _unasked(self, key: K) -> Snapshot[T]:
        with self._lock:
            last = self._good.get(key)
        if last is None:
            raise SourceUnavailable(BUSY)
        return outdated(last, BUSY)

    def _young(self, key: K) -> Snapshot[T] | None:
        with self._lock:
            kept = self._fresh.get(key)
        return kept[1] if kept is not None and monotonic() - kept[0] < self._max_age else None

    def _fly(self, key: K, seconds: float | None, *, anew: bool) -> Snapshot[T]:
        # Another may have landed between the look and the take-off.
        young = None if anew else self._young(key)
        if young:
            return young
        started = monotonic()
        with self._lock:
            last = self._good.get(key)
        snapshot = self._load_or_last(key, last, seconds)
        with self._lock:
            self._fresh[key] = (started, snapshot)
            if not snapshot.stale:
                self._good[key] = snapshot
        return snapshot

    def _load_or_last(self, key: K, last: Snapshot[T] | None, seconds: float | None) -> Snapshot[T]:
        try:
            return self._load(key, last, seconds)
        except SourceUnavailable as exc:
            if last is None:
                raise
            return outdated(last, exc.problem)
