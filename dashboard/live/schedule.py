"""Whose turn it is to be looked at: each thing about once in its interval, all together within a budget."""

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)
VersionListener = Callable[[str], None]

# For how many seconds after somebody last asked for it a thing is looked at.
POLL_LINGER_SECONDS = 30.0
# For how many seconds after it has moved a thing is lively.
FAST_WINDOW_SECONDS = 30.0
# How many seconds late a turn may be before its thing is behind.
LATE_AFTER_SECONDS = 2.0
# How seldom, in seconds, it is looked at whether a thing that is over has begun anew, while somebody subscribes to it.
FINISHED_INTERVAL_SECONDS = 10.0


@dataclass(slots=True)
class PollJob(Generic[W]):
    """What is known of one thing's turns, by a clock in seconds.

    They come `every` so many seconds, `fast_interval` if it moved lately. `due` is when the next is, and `ticket`
    its place in the queue, 0 while one is under way, `delayed` if that came late. `over` things are not renewed:
    whoever asks for one looks for himself. `told` is the version that its subscribers know.
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
    """Who waits longest is next, so that nobody is looked at twice before everybody once. Not safe for threads.

    No more than `budget` turns begin in a second, but for one, and `at_once` are under way. What has had to wait for
    more than `late` seconds is late.
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
        """The watch of a thing, if it has one."""
        return self._jobs.get(what)

    def add(self, what: W, every: float, delay: float, fast_interval: float | None = None) -> PollJob[W]:
        """The watch of a thing, which somebody asks for now. The first turn of a new one is after a `delay`."""
        now = self._clock()
        watch = self._jobs.get(what)
        if watch is None:
            watch = self._jobs[what] = PollJob(what, every, fast_interval or every, now + delay, now)
            self._wait(watch)
        watch.asked_at = now
        return watch

    def renew(self, what: W, every: float, fast_interval: float | None = None, *, soon: bool = False) -> None:
        """Somebody has just looked at a thing, which is not over: its next turn is after its interval.

        With `soon`, the first one is now, and the next not later than that of a lively thing.
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
        """The one whose turn begins now, if it is anybody's. What nobody looks at any more is let go on the way."""
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
        """Its turn has ended. What is `over` is let go, or looked at seldom while somebody subscribes to it."""
        self._under_way -= 1
        watch.over = over
        watch.delayed = False
        # A look that takes longer than the interval does not make the next one late.
        watch.due = max(watch.due, self._clock())
        if over and not watch.subscribers:
            self._jobs.pop(watch.what, None)
            return
        if over:
            watch.due = self._clock() + FINISHED_INTERVAL_SECONDS
        self._wait(watch)

    def late(self, watch: PollJob[W]) -> bool:
        """Whether it has had to wait for its turn for too long, and is not renewed yet."""
        return watch.delayed or (watch.ticket > 0 and not watch.over and self._clock() - watch.due > self._late)

    def moved(self, watch: PollJob[W]) -> None:
        """A look has found it changed: it may well change again soon."""
        watch.moved_at = self._clock()

    def charge(self, calls: int) -> None:
        """Take so many calls off the budget; the next turn begins when they are made up for. Fewer than none are given
        back."""
        # A turn that begins a little late does not delay those after it.
        self._free_at = max(self._free_at, self._clock() - self._pace) + calls * self._pace

    def pause(self) -> float | None:
        """Seconds until the next turn can begin; None if that is not a matter of time."""
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
