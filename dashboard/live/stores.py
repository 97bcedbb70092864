"""Caches by kind of topic, with the polling interval of each kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.concurrency.bulkhead import Bulkhead
from dashboard.domain.causes import ProblemSummary
from dashboard.domain.snapshot import Snapshot
from dashboard.live.loaded_release import tree_weight
from dashboard.live.reader import ReleaseReader, list_weight, search_weight
from dashboard.live.snapshot_store import SnapshotStore

# Releases are polled more often, so that changes are visible within a second: at this share of the interval, or after
# this many seconds if recently changed.
RELEASE_INTERVAL_FACTOR = 0.8
FAST_INTERVAL_SECONDS = 0.4
# What is broken across releases takes many trees, and a search asks many releases: each is renewed this many times less
# often.
SLOW_INTERVAL_FACTOR = 3.0
# How much less often rows of lists are read, in general and if recently changed.
ROW_INTERVAL_FACTOR = 5.0
FAST_ROW_INTERVAL_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class TopicStore:
    """The cache of one kind of topic, and its polling interval in seconds."""

    store: SnapshotStore[Any, Any]
    every: float
    fast_interval: float | None = None


class TopicStores:
    """A cache per kind of topic, sharing the seats of waiting requests. `memory` is in bytes, most of it for trees."""

    def __init__(
        self,
        looks: ReleaseReader,
        find_problems: Callable[[], Snapshot[ProblemSummary]],
        *,
        max_age: float,
        memory: int,
        clock: Callable[[], float],
    ) -> None:
        bulkhead = Bulkhead()
        self.pages = SnapshotStore(
            looks.page, max_age=max_age, keep=memory // 16, weigh=list_weight, bulkhead=bulkhead, clock=clock
        )
        self.trees = SnapshotStore(
            looks.tree, max_age=max_age, keep=memory * 3 // 4, weigh=tree_weight, bulkhead=bulkhead, clock=clock
        )
        self.searches = SnapshotStore(
            looks.search, max_age=max_age, keep=memory // 16, weigh=search_weight, bulkhead=bulkhead, clock=clock
        )
        self.problems: SnapshotStore[str, ProblemSummary] = SnapshotStore(
            lambda _key, _last, _seconds: find_problems(),
            max_age=SLOW_INTERVAL_FACTOR * max_age,
            keep=1,
            bulkhead=bulkhead,
            clock=clock,
        )
        self.kinds = {
            "release": TopicStore(self.trees, RELEASE_INTERVAL_FACTOR * max_age, min(FAST_INTERVAL_SECONDS, max_age)),
            "list": TopicStore(self.pages, max_age),
            "problems": TopicStore(self.problems, SLOW_INTERVAL_FACTOR * max_age),
            "occurrences": TopicStore(self.searches, SLOW_INTERVAL_FACTOR * max_age),
            "row": TopicStore(looks.rows, ROW_INTERVAL_FACTOR * max_age, FAST_ROW_INTERVAL_FACTOR * max_age),
        }
