"""Track which rows viewers have recently expanded, per release."""

import threading
from collections.abc import Callable, Hashable, Iterable
from time import monotonic


class ExpandedRows:
    """Expanded row IDs of the last `seconds`, limited in releases and in IDs per release; the latest are kept.

    The IDs of a release are also limited to `characters` in total.
    """

    def __init__(
        self,
        *,
        seconds: float,
        releases: int,
        ids: int,
        characters: int = 64_000,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._seconds = seconds
        self._releases = releases
        self._ids = ids
        self._characters = characters
        self._clock = clock
        self._lock = threading.Lock()
        self._expanded_rows: dict[Hashable, dict[str, float]] = {}

    def note(self, release: Hashable, ids: Iterable[str]) -> None:
        """Record expanded rows."""
        moment = self._clock()
        with self._lock:
            self._forget(moment - self._seconds)
            wanted = self._expanded_rows.pop(release, {})
            for entity_id in ids:
                wanted.pop(entity_id, None)
                wanted[entity_id] = moment
            characters = sum(map(len, wanted))
            while len(wanted) > self._ids or characters > self._characters:
                oldest = next(iter(wanted))
                characters -= len(oldest)
                del wanted[oldest]
            if wanted:
                self._expanded_rows[release] = wanted
            while len(self._expanded_rows) > self._releases:
                del self._expanded_rows[next(iter(self._expanded_rows))]

    def of(self, release: Hashable) -> frozenset[str]:
        """Return the recently expanded rows of a release."""
        since = self._clock() - self._seconds
        with self._lock:
            wanted = self._expanded_rows.get(release, {})
            return frozenset(entity_id for entity_id, moment in wanted.items() if moment >= since)

    def _forget(self, since: float) -> None:
        """Drop releases without recently expanded rows."""
        for release, wanted in list(self._expanded_rows.items()):
            if wanted[next(reversed(wanted))] < since:
                del self._expanded_rows[release]
