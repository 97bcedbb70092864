"""A day and a half in which thousands of releases are looked at once: python -m scripts.memory_trace

A process of its own, as all that it allocates is traced: nothing else is to allocate, and what traces must not be
stopped while other threads do. Prints JSON: `kept` and `traced`, in bytes after each hour, and `watched`, how many are
still looked at when nobody has asked for an hour.
"""

import gc
import json
import sys
import tracemalloc
from typing import Any

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.live.service import LiveReleases
from dashboard.live.topic import ReleaseTopic
from tests.support.fake_source import FakeSource
from tests.support.waiting import eventually

HOUR = 3600.0
HOURS = 36
A_HOUR = 30
MEMORY = 256 * 1024


class Clock:
    """A clock that is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def look_through_an_hour(live: LiveReleases, clock: Clock, hour: int) -> None:
    """Look at releases, lists and occurrences of which nobody has asked before, and never again."""
    for number in range(A_HOUR):
        clock.now += HOUR / A_HOUR
        name = f"{hour}-{number}"
        for _ in range(2):
            live.release(f"release:{name}", opened=frozenset({f"wave:{name}"}))
            live.page(PageRequest(filter=ReleaseFilter(q=name)))
            live.occurrences(f"app:{name}")
        live.subscribe(ReleaseTopic(f"release:{name}"), str)()


def main() -> None:
    """Look through all hours, and tell what was there after each."""
    source: Any = FakeSource()
    clock = Clock()
    live = LiveReleases(source, LoopThread(), timeout=1.5, clock=clock, memory=MEMORY)
    kept, traced = [], []
    tracemalloc.start()
    for hour in range(HOURS):
        look_through_an_hour(live, clock, hour)
        gc.collect()
        kept.append(sum(store.weight for store in (live._stores.trees, live._stores.pages, live._stores.searches)))
        traced.append(tracemalloc.get_traced_memory()[0])
    clock.now += HOUR
    eventually(lambda: len(live._poller) == 0)
    sys.stdout.write(json.dumps({"kept": kept, "traced": traced, "watched": len(live._poller)}))
    live.close()


if __name__ == "__main__":
    main()
