"""What is watched on the real server: how soon a change is known, what watching costs, and that it recovers."""

import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any

import pytest

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.filters import PageRequest
from dashboard.live.service import LiveReleases
from dashboard.live.stores import FAST_INTERVAL_SECONDS
from dashboard.live.topic import ListTopic, ReleaseTopic
from dashboard.temporal.connection import TemporalConnection
from dashboard.temporal.gateway import TemporalGateway
from dashboard.web.services import services
from tests.integration.test_calls import CountedConnection, Counting
from tests.support.harness import Stage
from tests.support.replaced_services import replace_services
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

pytestmark = pytest.mark.timing

TREE = hierarchy()
WAITING = hierarchy() | {"state": "awaiting_approval"}
STATE = {key: value for key, value in TREE.items() if key != "waves"}
# Seconds within which a change is known, with room for a machine that is busy with other things.
SOON = 2.0


@contextmanager
def watching(
    stage: Stage, counts: Counting | None = None, *, at: str = "", visibility_rps: float = inf, **options: Any
) -> Iterator[LiveReleases]:
    """A dashboard's live room of its own, whose calls may be counted."""
    address = at or stage.address
    connection = CountedConnection(address, counts, visibility_rps) if counts else connection_to(address)
    gateway = TemporalGateway(connection, f"WorkflowId STARTS_WITH '{stage.prefix}'")
    live = LiveReleases(gateway, LoopThread(), timeout=1.8, **options)
    try:
        yield live
    finally:
        live.close()


def connection_to(address: str) -> TemporalConnection:
    return TemporalConnection({"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull})


class Heard:
    """The versions that a subscriber has heard, and when the last came."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.at = 0.0

    def __call__(self, version: str) -> None:
        self.at = monotonic()
        self.versions.append(version)


def test_a_change_is_known_and_told_without_anybody_asking(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": TREE, "get_release_state": STATE})
    stage.listed("r")
    with watching(stage) as live:
        of_release, of_list = Heard(), Heard()
        live.subscribe(ReleaseTopic(release_id), of_release)
        live.subscribe(ListTopic(PageRequest()), of_list)
        eventually(lambda: of_release.versions and of_list.versions)
        # Of three, as a machine may stall once.
        took = [change_heard(stage, live, release_id, state, of_release, of_list) for state in ("one", "two", "three")]
        assert statistics.median(took) < SOON


def change_heard(stage: Stage, live: LiveReleases, release_id: str, state: str, *heard: Heard) -> float:
    """Seconds until all have heard of a change of state, with which every page then is."""
    before, told, changed = [len(each.versions) for each in heard], monotonic(), {"state": state}
    stage.tell(release_id, {"get_hierarchy": TREE | changed, "get_release_state": STATE | changed})
    eventually(lambda: all(len(each.versions) > count for each, count in zip(heard, before, strict=True)))
    took = max(each.at for each in heard) - told
    eventually(lambda: live.release(release_id).value.root.state == state)
    eventually(lambda: live.page(PageRequest()).value.releases[0].root.state == state)
    return took


def test_a_hundred_viewers_cost_what_one_costs(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": TREE})
    one, hundred = (calls_of(stage, release_id, viewers) for viewers in (1, 100))
    assert hundred.calls.total() <= 1.2 * one.calls.total() + 1, (one.calls, hundred.calls)


def calls_of(stage: Stage, release_id: str, viewers: int) -> Counting:
    """The calls of so many viewers who ask again and again until a release has been looked at three times."""
    counts = Counting()
    with watching(stage, counts) as live, ThreadPoolExecutor(20) as pool:
        live.release(release_id)
        looks = 3

        def all_ask() -> bool:
            list(pool.map(lambda _: live.release(release_id), range(viewers)))
            return counts.calls["describe"] >= looks

        started = monotonic()
        eventually(all_ask)
        assert monotonic() - started > (looks - 1) * FAST_INTERVAL_SECONDS, "however many ask"
    return counts


def test_releases_that_wait_for_a_person_are_described_and_never_queried(stage: Stage):
    ids = [stage.start(f"n{number}", {"get_hierarchy": WAITING}) for number in range(10)]
    counts = Counting()
    with watching(stage, counts) as live:
        ends = [live.subscribe(ReleaseTopic(release_id), str) for release_id in ids]
        # The first answer may be older than what was described with it: each is asked once more.
        eventually(lambda: counts.calls["query"] >= 20)
        described = counts.calls["describe"]
        eventually(lambda: counts.calls["describe"] >= described + 50)
        assert counts.calls["query"] == 20
        for end in ends:
            end()


def test_more_than_the_budget_allows_is_behind_and_says_so(stage: Stage):
    ids = [stage.start(f"n{number}", {"get_hierarchy": WAITING}) for number in range(6)]
    counts = Counting()
    with watching(stage, counts, budget=1) as live:
        show_with(stage, live)
        for release_id in ids * 2:
            live.release(release_id)
        cold = counts.calls["describe"]
        started = monotonic()

        def some_behind() -> bool:
            seen = [live.release(release_id) for release_id in ids]
            assert {each.reason.code for each in seen if each.reason} <= {"behind"}
            return sum(each.stale for each in seen) >= 2

        eventually(some_behind)
        assert counts.calls["describe"] - cold <= monotonic() - started + 2
        eventually(lambda: any(says_behind(stage, release_id) for release_id in ids))


def says_behind(stage: Stage, release_id: str) -> bool:
    """Whether a release's twin says that it is behind and its page says the same in words."""
    twin, page = stage.json(f"/releases/{release_id}"), stage.ask(f"/releases/{release_id}").text
    return twin["stale"] and twin["reason"]["code"] == "behind" and twin["reason"]["message"] in page


def show_with(stage: Stage, live: LiveReleases) -> None:
    """Let the stage's pages show what this live room knows."""
    services(stage.app).live.close()
    replace_services(stage.app, live=live)


PRINT_VERSIONS = """
import os, sys
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.filters import PageRequest
from dashboard.live.service import LiveReleases
from dashboard.temporal.connection import TemporalConnection
from dashboard.temporal.gateway import TemporalGateway

address, prefix, release_id = sys.argv[1:]
connection = TemporalConnection({"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull})
live = LiveReleases(TemporalGateway(connection, f"WorkflowId STARTS_WITH '{prefix}'"), LoopThread(), timeout=10)
seen = live.release(release_id), live.page(PageRequest()), live.problems(), live.occurrences("app:a0-0")
assert not any(each.stale for each in seen)
print(*(each.version for each in seen), flush=True)
os._exit(0)
"""


def test_processes_that_read_the_same_give_the_same_versions(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": TREE, "get_release_state": STATE})
    app = TREE["waves"][0]["clusters"][0]["bundle"]["apps"][0]
    stage.tell(release_id, {"get_app_state": app})
    other = stage.start("s", {"get_hierarchy": TREE, "get_release_state": STATE, "get_app_state": app})
    stage.on(other, lambda handle: handle.terminate("no longer wanted"))
    stage.listed("r", "s")
    eventually(lambda: stage.listed("s")["s"]["phase"] == "terminated")
    with ThreadPoolExecutor() as pool:
        printed = Counter(pool.map(lambda seed: versions_in_a_process(stage, release_id, seed), ("1", "2")))
    assert len(printed) == 1
    assert len(set(next(iter(printed)).split())) == 4


def versions_in_a_process(stage: Stage, release_id: str, seed: str) -> str:
    """What a process of its own, with hashes of its own, gives as the versions of four pages."""
    argv = [sys.executable, "-c", PRINT_VERSIONS, stage.address, stage.prefix, release_id]
    done = subprocess.run(argv, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
