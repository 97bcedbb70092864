"""Looks again and again at what somebody looks at, so that a viewer never waits for a look and never causes one."""

import threading
from collections.abc import Callable
from time import monotonic

import structlog

from dashboard.live.turns import LATE, Notify, Turns, Watch
from dashboard.live.watched import Watched

log = structlog.get_logger()

# Threads that look, at most. They are not those of requests, and none takes a seat that a request could have.
AT_ONCE = 8
# How often it is found out, in seconds, which things that somebody subscribes to are late.
CHECK = 1.0
# The version of what is not known: it could not be read, or there is no such thing.
UNKNOWN = ""


class Watcher:
    """One watch for each thing, however many look at it. Nothing runs before the first, nor after `close`.

    `look` renews what is known of a thing and says whether that is to go on; `version` says which version of it
    whoever asks now would be told, or UNKNOWN. `budget` is in calls for each second, one for a look if it spends no
    more; what waits for more than `late` seconds for its turn is late.
    """

    def __init__(
        self,
        look: Callable[[Watched], bool],
        version: Callable[[Watched], str],
        *,
        budget: float,
        clock: Callable[[], float] = monotonic,
        late: float = LATE,
    ) -> None:
        self._look = look
        self._version = version
        self._clock = clock
        self._changed = threading.Condition()
        self._turns: Turns[Watched] = Turns(budget=budget, at_once=AT_ONCE, clock=clock, late=late)
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._check_at = clock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._turns)

    def renews(self, what: Watched) -> bool:
        """Whether a thing is watched already, and so need not be looked at by whoever asks for it now."""
        with self._changed:
            watch = self._turns.get(what)
            if watch is None or watch.over:
                return False
            watch.asked_at = self._clock()
            return True

    def late(self, what: Watched) -> bool:
        """Whether a thing has had to wait for its turn for too long."""
        with self._changed:
            watch = self._turns.get(what)
            return watch is not None and self._turns.late(watch)

    def watch(self, what: Watched, every: float, lively: float | None = None, *, soon: bool = False) -> None:
        """Somebody has just looked at a thing: look at it every so many seconds, for as long as it is asked for.

        While it is `lively`, because it has moved lately, that may be after fewer seconds. With `soon`, the first
        look is as soon as there is a turn, and the next one not later than a lively one.
        """
        with self._changed:
            self._turns.renew(what, every, lively, soon=soon)
            self._wake()

    def subscribe(self, what: Watched, every: float, notify: Notify, lively: float | None = None) -> Callable[[], None]:
        """Watch a thing until what is returned is called; `notify` hears its version, at once if it is known.

        It hears of each other version that comes, from any thread.
        """
        me = object()
        version = self._version(what)
        with self._changed:
            watch = self._turns.add(what, every, 0.0, lively)
            watch.subscribers[me] = notify
            # Not the version alone: a turn may have ended since, and have told all but this one.
            known = watch.told = watch.told or version
            self._wake()

        def end() -> None:
            with self._changed:
                if watch.subscribers.pop(me, None):
                    watch.asked_at = self._clock()

        if known != UNKNOWN:
            notify(known)
        return end

    def spend(self, calls: int) -> None:
        """Take calls off the budget that a look has made on its way."""
        with self._changed:
            self._turns.spend(calls)

    def close(self) -> None:
        """Begin no more looks, and wait for those under way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _wake(self) -> None:
        """Let a thread see to what has changed: one that waits, else one more, unless there are enough."""
        if not self._idle and not self._closed and len(self._threads) < AT_ONCE:
            thread = threading.Thread(target=self._work, name="watcher", daemon=True)
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
        waits = [CHECK] if len(self._turns) else []
        pause = self._turns.pause()
        self._idle += 1
        self._changed.wait(min(waits if pause is None else [*waits, pause], default=None))
        self._idle -= 1

    def _turn(self, watch: Watch[Watched]) -> None:
        going_on: bool | None
        try:
            going_on = self._look(watch.what)
        except Exception:
            # A mistake of ours. Whoever asks for the thing meets it himself; the others' turns go on.
            log.exception("look_failed", kind=watch.what.kind)
            going_on = None
        with self._changed:
            self._turns.done(watch, over=not going_on)
            self._changed.notify()
        self._tell(watch, UNKNOWN if going_on is None else self._version(watch.what))

    def _tell_all(self) -> None:
        """Once in a while: what nobody has looked at for long is told to be so by its version."""
        with self._changed:
            if self._clock() < self._check_at:
                return
            self._check_at = self._clock() + CHECK
            # What is over is not late, however long ago it was looked at.
            subscribed = [watch for watch in self._turns if watch.subscribers and not watch.over]
        for watch in subscribed:
            self._tell(watch, self._version(watch.what))

    def _tell(self, watch: Watch[Watched], version: str) -> None:
        """Tell a thing's subscribers its version, if it is another than they were told."""
        with self._changed:
            if version == watch.told:
                return
            watch.told = version
            self._turns.moved(watch)
            subscribers = list(watch.subscribers.values())
        for notify in subscribers:
            notify(version)
