"""Two watchers: what needs visibility calls, which may take their time or hang, never holds up what does not."""

from collections.abc import Callable
from time import monotonic

from dashboard.concurrency.call_log import count_calls
from dashboard.live.poller import Poller
from dashboard.live.schedule import VersionListener
from dashboard.live.topic import Topic

# Kinds that begin with a list of releases. Each is renewed as often as the visibility budget allows, and is late only
# after so many seconds.
LIST_TOPIC_KINDS = frozenset({"list", "problems", "occurrences"})
LISTS_LATE_AFTER_SECONDS = 10.0


class PollerPair:
    """Passes each kind on to its watcher. `budget` is in calls for each second, those of both together.

    `look` and `version` are as for a Poller.
    """

    def __init__(
        self,
        look: Callable[[Topic], bool],
        version: Callable[[Topic], str],
        *,
        budget: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._look = look
        self._budget = budget
        self._releases = Poller(self._counted, version, budget=budget, clock=clock)
        self._lists = Poller(self._counted, version, budget=budget, clock=clock, late=LISTS_LATE_AFTER_SECONDS)

    def __len__(self) -> int:
        return len(self._releases) + len(self._lists)

    def is_polling(self, what: Topic) -> bool:
        """Whether a thing is watched already, and so need not be read by whoever asks for it now."""
        return self._of(what).is_polling(what)

    def late(self, what: Topic) -> bool:
        """Whether a thing has had to wait for its turn for too long."""
        return self._of(what).late(what)

    def watch(self, what: Topic, every: float, fast_interval: float | None = None, *, soon: bool = False) -> None:
        """Read a thing every so many seconds, the first time `soon`, for as long as it is asked for."""
        self._of(what).watch(what, every, fast_interval, soon=soon)

    def subscribe(
        self, what: Topic, every: float, notify: VersionListener, fast_interval: float | None = None
    ) -> Callable[[], None]:
        """Watch a thing until what is returned is called; `notify` gets its versions."""
        return self._of(what).subscribe(what, every, notify, fast_interval)

    def charge(self, calls: int) -> None:
        """Take calls off the budget that were made on the way."""
        self._releases.charge(calls)

    def close(self) -> None:
        """Begin no more reads, and wait for those under way."""
        self._releases.close()
        self._lists.close()

    def _counted(self, what: Topic) -> bool:
        """Read a thing and charge what it cost: its turn is charged with one call, if it is not one of a list."""
        with count_calls(background=True, share=self._share()) as log:
            try:
                return self._look(what)
            finally:
                self._releases.charge(log.calls - (what.kind not in LIST_TOPIC_KINDS))

    def _share(self) -> int:
        """How many calls one read may make, so that all that is watched has its turn within about a second."""
        return max(int(self._budget / max(len(self._releases), 1)) - 1, 1)

    def _of(self, what: Topic) -> Poller:
        return self._lists if what.kind in LIST_TOPIC_KINDS else self._releases
