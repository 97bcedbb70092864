"""Two pollers: topics that need visibility calls, which may be slow, never delay those that do not."""

from collections.abc import Callable
from time import monotonic

from dashboard.concurrency.call_log import count_calls
from dashboard.live.poller import Poller
from dashboard.live.schedule import VersionListener
from dashboard.live.topic import ListTopic, OccurrencesTopic, PolledTopic, ProblemsTopic

# Topics that start with a list of releases. They are polled as often as the visibility budget allows, and are late only
# after this many seconds.
LIST_TOPICS = (ListTopic, ProblemsTopic, OccurrencesTopic)
LISTS_LATE_AFTER_SECONDS = 10.0


class PollerPair:
    """Routes each kind of topic to its poller. `budget` is the total calls per second.

    `look` and `version` are as for a Poller.
    """

    def __init__(
        self,
        look: Callable[[PolledTopic], bool],
        version: Callable[[PolledTopic], str],
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

    def is_polling(self, what: PolledTopic) -> bool:
        """Return whether a topic is already polled, so that a request need not read it."""
        return self._of(what).is_polling(what)

    def late(self, what: PolledTopic) -> bool:
        """Return whether the poll of a topic is overdue."""
        return self._of(what).late(what)

    def watch(self, what: PolledTopic, every: float, fast_interval: float | None = None, *, soon: bool = False) -> None:
        """Poll a requested topic at an interval, the first time `soon`."""
        self._of(what).watch(what, every, fast_interval, soon=soon)

    def subscribe(
        self, what: PolledTopic, every: float, notify: VersionListener, fast_interval: float | None = None
    ) -> Callable[[], None]:
        """Poll a topic until the returned function is called; `notify` receives its versions."""
        return self._of(what).subscribe(what, every, notify, fast_interval)

    def charge(self, calls: int) -> None:
        """Charge additional calls."""
        self._releases.charge(calls)

    def close(self) -> None:
        """Start no more polls, and wait for those in progress."""
        self._releases.close()
        self._lists.close()

    def _counted(self, what: PolledTopic) -> bool:
        """Poll a topic and charge its calls. One call is already charged, unless it is a list."""
        with count_calls(background=True, share=self._share()) as log:
            try:
                return self._look(what)
            finally:
                self._releases.charge(log.calls - (not isinstance(what, LIST_TOPICS)))

    def _share(self) -> int:
        """Return how many calls one poll may make, so that every topic is polled within about a second."""
        return max(int(self._budget / max(len(self._releases), 1)) - 1, 1)

    def _of(self, what: PolledTopic) -> Poller:
        return self._lists if isinstance(what, LIST_TOPICS) else self._releases
