"""Poll viewed topics in the background, so that viewers neither wait for reads nor cause them."""

import threading
from collections.abc import Callable
from time import monotonic

import structlog

from dashboard.live.schedule import LATE_AFTER_SECONDS, PollJob, PollSchedule, VersionListener
from dashboard.live.topic import PolledTopic

log = structlog.get_logger()

# The maximum number of polling threads. They are separate from request threads and take no seats.
MAX_POLL_THREADS = 8
# How often late topics are detected, in seconds.
LATE_CHECK_INTERVAL_SECONDS = 1.0
# The version of what is unknown: it could not be read, or there is no such thing.
UNKNOWN_VERSION = ""


class Poller:
    """One schedule per topic, for any number of viewers. Runs nothing before the first request and after `close`.

    `look` reads a topic and returns whether to continue; `version` returns its current version, or UNKNOWN. `budget` is
    in calls per second, one per poll unless more are charged. A topic that waits for more than `late` seconds is late.
    """

    def __init__(
        self,
        look: Callable[[PolledTopic], bool],
        version: Callable[[PolledTopic], str],
        *,
        budget: float,
        clock: Callable[[], float] = monotonic,
        late: float = LATE_AFTER_SECONDS,
    ) -> None:
        self._look = look
        self._version = version
        self._clock = clock
        self._changed = threading.Condition()
        self._turns: PollSchedule[PolledTopic] = PollSchedule(
            budget=budget, at_once=MAX_POLL_THREADS, clock=clock, late=late
        )
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._check_at = clock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._turns)

    def is_polling(self, what: PolledTopic) -> bool:
        """Return whether a topic is already polled, so that a request need not read it."""
        with self._changed:
            watch = self._turns.get(what)
            if watch is None or watch.over:
                return False
            watch.asked_at = self._clock()
            return True

    def late(self, what: PolledTopic) -> bool:
        """Return whether the poll of a topic is overdue."""
        with self._changed:
            watch = self._turns.get(what)
            return watch is not None and self._turns.late(watch)

    def watch(self, what: PolledTopic, every: float, fast_interval: float | None = None, *, soon: bool = False) -> None:
        """Poll a requested topic at an interval for as long as it is requested.

        With `lively`, because it has changed recently, the interval may be shorter. With `soon`, the first poll is as
        soon as possible.
        """
        with self._changed:
            self._turns.renew(what, every, fast_interval, soon=soon)
            self._wake()

    def subscribe(
        self, what: PolledTopic, every: float, notify: VersionListener, fast_interval: float | None = None
    ) -> Callable[[], None]:
        """Poll a topic until the returned function is called. `notify` receives its version, immediately if known.

        It receives each later version from any thread.
        """
        me = object()
        version = self._version(what)
        with self._changed:
            watch = self._turns.add(what, every, 0.0, fast_interval)
            watch.subscribers[me] = notify
            # Not the version alone: a turn may have ended since, and have told all but this one.
            known = watch.told = watch.told or version
            self._wake()

        def end() -> None:
            with self._changed:
                if watch.subscribers.pop(me, None):
                    watch.asked_at = self._clock()

        if known != UNKNOWN_VERSION:
            notify(known)
        return end

    def charge(self, calls: int) -> None:
        """Charge additional calls made by a poll."""
        with self._changed:
            self._turns.charge(calls)

    def close(self) -> None:
        """Start no more polls, and wait for those in progress."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _wake(self) -> None:
        """Wake an idle worker thread, or start another one within the limit."""
        if not self._idle and not self._closed and len(self._threads) < MAX_POLL_THREADS:
            thread = threading.Thread(target=self._work, name="poller", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._changed.notify()

    def _work(self) -> None:
        while not self._closed:
            with self._changed:
                watch = self._turns.next()
                if watch is None:
                    self._rest()
                else:
                    self._wake()
            if watch is not None:
                self._turn(watch)
            self._tell_all()

    def _rest(self) -> None:
        if self._closed:
            return
        waits = [LATE_CHECK_INTERVAL_SECONDS] if len(self._turns) else []
        pause = self._turns.pause()
        self._idle += 1
        self._changed.wait(min(waits if pause is None else [*waits, pause], default=None))
        self._idle -= 1

    def _turn(self, watch: PollJob[PolledTopic]) -> None:
        going_on: bool | None
        try:
            going_on = self._look(watch.what)
        except Exception:
            # A bug. Requests for the topic meet it as well; polling of other topics continues.
            log.exception("poll_failed", kind=type(watch.what).__name__)
            going_on = None
        with self._changed:
            self._turns.done(watch, over=not going_on)
            self._changed.notify()
        self._tell(watch, UNKNOWN_VERSION if going_on is None else self._version(watch.what))

    def _tell_all(self) -> None:
        """Notify subscribers of topics that have not been polled for long."""
        with self._changed:
            if self._clock() < self._check_at:
                return
            self._check_at = self._clock() + LATE_CHECK_INTERVAL_SECONDS
            # What is over is not late, however long ago it was looked at.
            subscribed = [watch for watch in self._turns if watch.subscribers and not watch.over]
        for watch in subscribed:
            self._tell(watch, self._version(watch.what))

    def _tell(self, watch: PollJob[PolledTopic], version: str) -> None:
        """Send the version of a topic to its subscribers if it has changed."""
        with self._changed:
            if version == watch.told:
                return
            watch.told = version
            self._turns.moved(watch)
            subscribers = list(watch.subscribers.values())
        for notify in subscribers:
            notify(version)
