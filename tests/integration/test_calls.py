"""What a page costs Temporal: the calls are counted at the client that makes them."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from temporalio.client import Client as Connected
from temporalio.common import RetryPolicy

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.filters import Cursor, PageRequest, ReleaseFilter
from dashboard.domain.phases import Phase
from dashboard.live.service import LiveReleases
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.connection import TemporalConnection
from dashboard.temporal.gateway import TemporalGateway
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

pytestmark = pytest.mark.timing

TREE = hierarchy()
STATE = {key: value for key, value in TREE.items() if key != "waves"}


class Counting:
    """Counts calls by kind, queries by name, and how many of these were under way at once."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.queries: Counter[str] = Counter()
        self.under_way = 0
        self.most = 0


class CountedClient(NamespaceClient):
    """A client whose calls are counted; each answer of a list takes `slowness` seconds longer."""

    def __init__(self, connected: Connected, counts: Counting, slowness: float = 0) -> None:
        super().__init__(connected)
        self._counts = counts
        self._slowness = slowness

    async def query(self, execution: Any, name: str, *rest: Any) -> Any:
        counts = self._counts
        counts.calls["query"] += 1
        counts.queries[name] += 1
        counts.under_way += 1
        counts.most = max(counts.most, counts.under_way)
        try:
            return await super().query(execution, name, *rest)
        finally:
            counts.under_way -= 1

    async def describe(self, *args: Any) -> Any:
        self._counts.calls["describe"] += 1
        return await super().describe(*args)

    async def count_executions(self, *args: Any) -> Any:
        self._counts.calls["count"] += 1
        return await super().count_executions(*args)

    async def list_executions(self, *args: Any, **options: Any) -> Any:
        self._counts.calls["list"] += 1
        answer = await super().list_executions(*args, **options)
        await asyncio.sleep(self._slowness)
        return answer

    async def events(self, *args: Any, **options: Any) -> Any:
        self._counts.calls["history"] += 1
        return await super().events(*args, **options)

    async def newest_events(self, *args: Any, **options: Any) -> Any:
        self._counts.calls["history"] += 1
        return await super().newest_events(*args, **options)


class CountedConnection(TemporalConnection):
    """A connection whose calls are counted."""

    def __init__(self, address: str, counts: Counting, visibility_rps: float = inf) -> None:
        super().__init__({"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}, visibility_rps)
        self._counts = counts

    def _client_of(self, connected: Connected) -> NamespaceClient:
        return CountedClient(connected, self._counts)


def watched(stage: Stage, act: Callable[[LiveReleases], None], counts: Counting | None = None) -> Counting:
    """The calls that a fresh dashboard makes for what `act` asks of it."""
    counts = counts or Counting()
    connection: Any = CountedConnection(stage.address, counts)
    live = LiveReleases(
        TemporalGateway(connection, f"WorkflowId STARTS_WITH '{stage.prefix}'"), LoopThread(), timeout=5
    )
    try:
        act(live)
    finally:
        live.close()
    return counts


def test_a_cold_list_of_25_running_releases_is_one_list_one_count_and_20_descriptions_and_queries_at_once(stage: Stage):
    names = [f"n{number}" for number in range(25)]
    for name in names:
        stage.start(name, {"get_release_state": STATE})
    stage.listed(*names)

    def look_thrice(live: LiveReleases) -> None:
        for size in (20, 19, 18):
            live.page(PageRequest(size))

    assert watched(stage, look_thrice).calls["describe"] == 20, "with what a run began is read once"
    counts = watched(stage, lambda live: live.page(PageRequest()))
    assert counts.calls == {"list": 1, "count": 1, "describe": 20, "query": 20}
    assert counts.most == 20


def test_pages_of_one_filter_share_their_counts_whatever_their_phase(stage: Stage):
    names = [f"n{number}" for number in range(3)]
    for name in names:
        stage.start(name, {"get_release_state": STATE})
    stage.listed(*names)

    def look_around(live: LiveReleases) -> None:
        first = live.page(PageRequest(1)).value
        failed = live.page(PageRequest(1, filter=ReleaseFilter(phases=(Phase.FAILED,)))).value
        deep = live.page(PageRequest(1, cursor=Cursor(first.next or b"", 1))).value
        assert (first.total, failed.total, deep.total) == (3, 0, 3)
        assert first.counted_at == failed.counted_at == deep.counted_at
        live.page(PageRequest(1, filter=ReleaseFilter(q=stage.prefix)))

    calls = watched(stage, look_around).calls
    assert (calls["list"], calls["count"]) == (4, 2)


def test_closed_releases_are_asked_once_and_then_remembered(stage: Stage):
    for name in ("a", "b", "c"):
        stage.end(stage.start(name, {"get_release_state": STATE}), "well")
    running = stage.start("running", {"get_release_state": STATE})
    items = stage.listed("a", "b", "c", "running")
    assert items["running"]["id"] == running

    def look_twice(live: LiveReleases) -> None:
        live.page(PageRequest())
        live.page(PageRequest(19))

    counts = watched(stage, look_twice)
    assert counts.calls["query"] == 4, "the running one is shared by lists that are read within a moment"


def test_a_cold_release_is_described_and_asked_at_the_same_time_and_its_children_listed(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": TREE})
    counts = watched(stage, lambda live: live.release(release_id))
    assert counts.calls == {"describe": 1, "query": 1, "list": 2}, "one list of its runs, one of its child workflows"


def test_a_release_that_has_not_moved_is_described_and_not_asked_again(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": TREE})

    async def look(gateway: TemporalGateway) -> list[bool]:
        first = await gateway.read(release_id, None, 5)
        second = await gateway.read(release_id, first, 5)
        third = await gateway.read(release_id, second, 5)
        return [first.fingerprint is None, second.fingerprint is not None, third.said is second.said]

    counts = Counting()
    connection: Any = CountedConnection(stage.address, counts)
    gateway = TemporalGateway(connection, "")
    loop = LoopThread()
    try:
        assert loop.call(lambda: look(gateway), 30) == [True, True, True]
    finally:
        loop.stop()
    assert counts.calls == {"describe": 3, "query": 2, "list": 2}, (
        "the first answer may be older than what describe counted"
    )


def test_a_burst_of_viewers_costs_what_one_costs(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": TREE})

    def burst(live: LiveReleases) -> None:
        async def all_at_once() -> None:
            await asyncio.gather(*(asyncio.to_thread(live.release, release_id) for _ in range(100)))

        loop = LoopThread()
        loop.call(all_at_once, 30)
        loop.stop()

    assert watched(stage, burst).calls == {"describe": 1, "query": 1, "list": 2}


def test_how_a_run_began_and_which_runs_another_stands_for_is_read_once(stage: Stage):
    soon = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=2)
    release_id = stage.start_tree("again", retry_policy=soon)
    stage.on(release_id, lambda handle: handle.signal("finish", "no capacity"))
    eventually(lambda: [item["phase"] for item in stage.listed("again").values()] == ["running"])

    def look_thrice(live: LiveReleases) -> None:
        for size in (20, 19, 18):
            assert [release.execution.run_id for release in live.page(PageRequest(size)).value.releases]
        for whole in (False, True):
            assert live.release(release_id, whole=whole).value.execution.origin

    assert watched(stage, look_thrice).calls["history"] == 2, "the end of the first run and the begin of the second"


def test_a_release_that_waits_for_its_time_is_described_and_not_asked(stage: Stage):
    stage.start("later", {"get_release_state": STATE}, start_delay=timedelta(hours=1))
    stage.listed("later")
    counts = watched(stage, lambda live: live.page(PageRequest()))
    assert counts.calls == {"list": 1, "count": 1, "describe": 1, "history": 1}
