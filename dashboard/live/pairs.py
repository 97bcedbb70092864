"""Two things at once, as two releases: shown as of the older of them, and renewed when either is."""

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from dashboard.domain.entities import Release
from dashboard.live.looks import RunKey
from dashboard.live.snapshots import Pair, Snapshot, joined
from dashboard.live.watched import Watched

Notify = Callable[[str], None]

# What is two things: two releases to compare, or the list and one of its releases on a wall screen.
TWOFOLD = frozenset({"pair", "wall"})

# Second halves that are read at the same time. Whoever finds none free waits, for as long as a release takes.
AT_ONCE = 8


class PairReader:
    """Reads two releases at the same time; `release` is that of LiveReleases."""

    def __init__(self, release: Callable[[RunKey], Snapshot[Release]]) -> None:
        self._release = release
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pairs")

    def get(self, left: RunKey, right: RunKey) -> Snapshot[Pair[Release]]:
        """Both; raises what reading either raises, of the left one first."""
        if left == right:
            both = self._release(left)
            return joined(both, both)
        second = self._pool.submit(self._release, right)
        return joined(self._release(left), second.result())

    def close(self) -> None:
        """Read nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def sides(what: Watched) -> tuple[Watched, Watched]:
    """The two things that are shown together."""
    left, right = cast("tuple[Hashable, RunKey]", what.key)
    return Watched("list" if what.kind == "wall" else "release", left), Watched("release", right)


def subscribe_both(
    what: Watched,
    subscribe: Callable[[Watched, Notify], Callable[[], None]],
    shown: Callable[[Watched], Snapshot[Any] | None],
    notify: Notify,
) -> Callable[[], None]:
    """Watch both things of a pair.

    `notify` hears the version of both whenever either has another, and "" if one is gone.
    """
    both = sides(what)

    def tell(version: str) -> None:
        left, right = map(shown, both)
        if left and right:
            notify(joined(left, right).version)
        elif not version:
            # Not while one of them is still to be read for the first time.
            notify(version)

    ends = [subscribe(each, tell) for each in both]

    def end() -> None:
        for each in ends:
            each()

    return end
