"""Combine two topics, such as two releases: shown as of the older one and updated with either."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dashboard.domain.entities import Release
from dashboard.domain.snapshot import Snapshot, SnapshotPair, join_snapshots
from dashboard.live.reader import RunKey
from dashboard.live.topic import PolledTopic

PairListener = Callable[[str], None]

# Threads for reading the second release of a pair. Without a free one, requests wait.
MAX_CONCURRENT_PAIR_READS = 8


class PairReader:
    """Reads two releases concurrently. `release` is LiveReleases.release."""

    def __init__(self, release: Callable[[RunKey], Snapshot[Release]]) -> None:
        self._release = release
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT_PAIR_READS, thread_name_prefix="pairs")

    def get(self, left: RunKey, right: RunKey) -> Snapshot[SnapshotPair[Release]]:
        """Return both releases; raise the error of reading either, the left one first."""
        if left == right:
            both = self._release(left)
            return join_snapshots(both, both)
        second = self._pool.submit(self._release, right)
        return join_snapshots(self._release(left), second.result())

    def close(self) -> None:
        """Stop reading."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def subscribe_pair(
    both: tuple[PolledTopic, PolledTopic],
    subscribe: Callable[[PolledTopic, PairListener], Callable[[], None]],
    shown: Callable[[PolledTopic], Snapshot[Any] | None],
    notify: PairListener,
) -> Callable[[], None]:
    """Subscribe to both topics of a pair.

    `notify` receives the combined version when either changes, and "" if one no longer exists.
    """

    def tell(version: str) -> None:
        left, right = map(shown, both)
        if left and right:
            notify(join_snapshots(left, right).version)
        elif not version:
            # Not while one of them is still to be read for the first time.
            notify(version)

    ends = [subscribe(each, tell) for each in both]

    def end() -> None:
        for each in ends:
            each()

    return end
