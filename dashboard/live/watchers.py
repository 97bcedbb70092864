"""Two watchers: what needs visibility calls, which may take their time or hang, never holds up what does not."""

from collections.abc import Callable
from time import monotonic

from dashboard.calls import logged
from dashboard.live.turns import Notify
from dashboard.live.watched import Watched
from dashboard.live.watcher import Watcher

# Kinds that begin with a list of releases. Each is renewed as often as the visibility budget allows, and is late only
# after so many seconds.
LISTS = frozenset({"list", "problems", "occurrences"})
LISTS_LATE = 10.0


class Watchers:
    """Passes each kind on to its watcher. `budget` is in calls for each second, those of both together.

    `look` and `version` are as for a Watcher.
    """

    def __init__(
        self,
        look: Callable[[Watched], bool],
        version: Callable[[Watched], str],
        *,
        budget: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._look = look
        self._budget = budget
        self._releases = Watcher(self._counted, version, budget=budget, clock=clock)
        self._lists = Watcher(self._counted, version, budget=budget, clock=clock, late=LISTS_LATE)

    def __len__(self) -> int:
        return len(self._releases) + len(self._lists)

    def renews(self, what: Watched) -> bool:
        """Whether a thing is watched already, and so need not be read by whoever asks for it now."""
        return self._of(what).renews(what)

    def late(self, what: Watched) -> bool:
        """Whether a thing has had to wait for its turn for too long."""
        return self._of(what).late(what)

    def watch(self, what: Watched, every: float, lively: float | None = None, *, soon: bool = False) -> None:
        """Read a thing every so many seconds, the first time `soon`, for as long as it is asked for."""
        self._of(what).watch(what, every, lively, soon=soon)

    def subscribe(self, what: Watched, every: float, notify: Notify, lively: float | None = None) -> Callable[[], None]:
        """Watch a thing until what is returned is called; `notify` gets its versions."""
        return self._of(what).subscribe(what, every, notify, lively)

    def spend(self, calls: int) -> None:
        """Take calls off the budget that were made on the way."""
        self._releases.spend(calls)

    def close(self) -> None:
        """Begin no more reads, and wait for those under way."""
        self._releases.close()
        self._lists.close()

    def _counted(self, what: Watched) -> bool:
        """Read a thing and charge what it cost: its turn is charged with one call, if it is not one of a list."""
        with logged(background=True, share=self._share()) as log:
            try:
                return self._look(what)
            finally:
                self._releases.spend(log.calls - (what.kind not in LISTS))

    def _share(self) -> int:
        """How many calls one read may make, so that all that is watched has its turn within about a second."""
        return max(int(self._budget / max(len(self._releases), 1)) - 1, 1)

    def _of(self, what: Watched) -> Watcher:
        return self._lists if what.kind in LISTS else self._releases
