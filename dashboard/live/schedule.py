"""Decide what to poll next: each topic about once per interval, all within a rate budget."""

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)
VersionListener = Callable[[str], None]

# How long a topic is polled after the last request, in seconds.
POLL_LINGER_SECONDS = 30.0
# For how many seconds after it has moved a thing is lively.
FAST_WINDOW_SECONDS = 30.0
# How many seconds late a turn may be before its thing is behind.
LATE_AFTER_SECONDS = 2.0
# The interval in seconds for checking whether an ended topic has restarted, while subscribed to.
FINISHED_INTERVAL_SECONDS = 10.0


@dataclass(slots=True)
class PollJob(Generic[W]):
    """The polling schedule of one topic, by a clock in seconds.

    The interval is `every` seconds, or `lively` seconds after a recent change. `due` is the time of the next poll and
    `ticket` its place in the queue, 0 while one is in progress; `delayed` if it was late. Topics that are `over` are
    not polled. `told` is the version last sent to subscribers.
    """

    what: W
    every: float
    fast_interval: float
    due: float
    asked_at: float
    moved_at: float = -inf
    ticket: int = 0
    delayed: bool = False
    over: bool = False
    told: str = ""
    subscribers: dict[object, VersionListener] = field(default_factory=dict)


class PollSchedule(Generic[W]):
    """A fair queue: the topic that has waited longest is next. Not thread-safe.

    At most `budget` polls start per second, and `at_once` run concurrently. A topic that has waited for more than
    `late` seconds is late.
    """

    def __init__(
        self, *, budget: float, at_once: int, clock: Callable[[], float], late: float = LATE_AFTER_SECONDS
    ) -> None:
        self._pace = 1 / budget
        self._at_once = at_once
        self._late = late
        self._clock = clock
        self._jobs: dict[W, PollJob[W]] = {}
        self._waiting: list[tuple[float, int, PollJob[W]]] = []
        self._tickets = count(1)
        self._under_way = 0
        self._free_at = clock()

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[PollJob[W]]:
        return iter(self._jobs.values())

    def get(self, what: W) -> PollJob[W] | None:
        """Return the schedule of a topic, or None."""
        return self._jobs.get(what)

    def add(self, what: W, every: float, delay: float, fast_interval: float | None = None) -> PollJob[W]:
        """Return the schedule of a requested topic. The first poll of a new one is after `delay`."""
        now = self._clock()
        watch = self._jobs.get(what)
        if watch is None:
            watch = self._jobs[what] = PollJob(what, every, fast_interval or every, now + delay, now)
            self._wait(watch)
        watch.asked_at = now
        return watch

    def renew(self, what: W, every: float, fast_interval: float | None = None, *, soon: bool = False) -> None:
        """Note that a topic was just requested: its next poll is after its interval.

        With `soon`, a first poll is now, and the next one not later than the fast interval.
        """
        watch = self.add(what, every, 0.0 if soon else every, fast_interval)
        soonest = self._clock() + watch.fast_interval
        if soon and watch.ticket and watch.due > soonest:
            watch.due = soonest
            self._wait(watch)
        if watch.over and watch.ticket:
            watch.due = self._clock() + every
            self._wait(watch)
        watch.over = False

    def next(self) -> PollJob[W] | None:
        """Return the topic to poll now, or None. Drops topics that are no longer requested."""
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            if self._under_way >= self._at_once or self._free_at > now:
                return None
            _, ticket, watch = heapq.heappop(self._waiting)
            if ticket != watch.ticket:
                continue
            if not watch.subscribers and now - watch.asked_at >= POLL_LINGER_SECONDS:
                del self._jobs[watch.what]
                continue
            return self._begin(watch, now)
        return None

    def done(self, watch: PollJob[W], *, over: bool) -> None:
        """Finish a poll. Topics that are `over` are dropped, or polled rarely while subscribed to."""
        self._under_way -= 1
        watch.over = over
        watch.delayed = False
        # A poll that takes longer than the interval does not make the next one late.
        watch.due = max(watch.due, self._clock())
        if over and not watch.subscribers:
            self._jobs.pop(watch.what, None)
            return
        if over:
            watch.due = self._clock() + FINISHED_INTERVAL_SECONDS
        self._wait(watch)

    def late(self, watch: PollJob[W]) -> bool:
        """Return whether its poll is overdue."""
        return watch.delayed or (watch.ticket > 0 and not watch.over and self._clock() - watch.due > self._late)

    def moved(self, watch: PollJob[W]) -> None:
        """Note that a poll found a change, so that the fast interval applies."""
        watch.moved_at = self._clock()

    def charge(self, calls: int) -> None:
        """Charge a number of calls to the budget, delaying the next poll. A negative number is refunded."""
        # A turn that begins a little late does not delay those after it.
        self._free_at = max(self._free_at, self._clock() - self._pace) + calls * self._pace

    def pause(self) -> float | None:
        """Return the seconds until the next poll can start; None if it does not depend on time."""
        if not self._waiting or self._under_way >= self._at_once:
            return None
        return max(self._waiting[0][0] - self._clock(), self._free_at - self._clock(), 0.0)

    def _begin(self, watch: PollJob[W], now: float) -> PollJob[W]:
        watch.delayed = self.late(watch)
        watch.due = now + (watch.fast_interval if now - watch.moved_at < FAST_WINDOW_SECONDS else watch.every)
        watch.ticket = 0
        self._under_way += 1
        self.charge(1)
        return watch

    def _wait(self, watch: PollJob[W]) -> None:
        watch.ticket = next(self._tickets)
        heapq.heappush(self._waiting, (watch.due, watch.ticket, watch))
