"""Caches by kind of topic, with the polling interval of each kind."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, assert_never

from dashboard.concurrency.bulkhead import Bulkhead
from dashboard.domain.causes import ProblemSummary
from dashboard.domain.snapshot import Snapshot
from dashboard.live.loaded_release import tree_weight
from dashboard.live.reader import ReleaseReader, list_weight, search_weight
from dashboard.live.snapshot_store import SnapshotStore
from dashboard.live.topic import ListTopic, OccurrencesTopic, PolledTopic, ProblemsTopic, ReleaseTopic, RowTopic

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
    """The cache of a topic, the topic's key in it, and its polling interval in seconds."""

    store: SnapshotStore[Any, Any]
    key: Hashable
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
        self.rows = looks.rows
        self._interval = max_age

    def of(self, what: PolledTopic) -> TopicStore:
        """Return where a topic is cached, and how often it is polled."""
        every = self._interval
        match what:
            case ReleaseTopic(release_id, run_id):
                fast = min(FAST_INTERVAL_SECONDS, every)
                return TopicStore(self.trees, (release_id, run_id), RELEASE_INTERVAL_FACTOR * every, fast)
            case RowTopic(workflow_id, run_id):
                fast = FAST_ROW_INTERVAL_FACTOR * every
                return TopicStore(self.rows, (workflow_id, run_id), ROW_INTERVAL_FACTOR * every, fast)
            case ListTopic(page_request):
                return TopicStore(self.pages, page_request, every)
            case ProblemsTopic():
                return TopicStore(self.problems, "", SLOW_INTERVAL_FACTOR * every)
            case OccurrencesTopic(entity_id):
                return TopicStore(self.searches, entity_id, SLOW_INTERVAL_FACTOR * every)
            case _:
                assert_never(what)
