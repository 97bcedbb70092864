"""Which ids viewers have opened lately, in each release."""

import threading
from collections.abc import Callable, Hashable, Iterable
from time import monotonic


class ExpandedRows:
    """Remembers for `seconds` what was wanted; of so many releases, and so many ids of each, the latest.

    The ids of a release have so many `characters` in all: they are what addresses say.
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
        """These are wanted now."""
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
        """What of a release has been wanted lately."""
        since = self._clock() - self._seconds
        with self._lock:
            wanted = self._expanded_rows.get(release, {})
            return frozenset(entity_id for entity_id, moment in wanted.items() if moment >= since)

    def _forget(self, since: float) -> None:
        """Let go of the releases of which nothing has been wanted for so long."""
        for release, wanted in list(self._expanded_rows.items()):
            if wanted[next(reversed(wanted))] < since:
                del self._expanded_rows[release]
