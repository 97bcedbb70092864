"""What lists show of releases: read once for all lists, as true as the release's own page, and with what is inside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from dashboard.domain.entities import Release, Status
from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.domain.phases import Phase
from dashboard.live.service import LiveReleases
from dashboard.live.topic import ListTopic, ReleaseTopic
from tests.integration.test_calls import Counting
from tests.integration.test_child_workflows import part
from tests.integration.test_polling import watching
from tests.support.grpc_gate import counting_gate
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

TREE = hierarchy()
STATE = {key: value for key, value in TREE.items() if key != "waves"}
TELLS = {"get_hierarchy": TREE, "get_release_state": STATE}
FILTERS = 20


def with_failed_app(tree: dict[str, Any]) -> dict[str, Any]:
    """The same, of which one app has failed."""
    wave, *waves = tree["waves"]
    cluster, *clusters = wave["clusters"]
    app, *apps = cluster["bundle"]["apps"]
    apps = [app | {"state": "failed", "error_message": "image not found"}, *apps]
    cluster = cluster | {"bundle": cluster["bundle"] | {"apps": apps}}
    return tree | {"waves": [wave | {"clusters": [cluster, *clusters]}, *waves]}


@contextmanager
def looking_at(live: LiveReleases, *slices: PageRequest) -> Iterator[None]:
    """Somebody looks at these lists."""
    ends = [live.subscribe(ListTopic(each), str) for each in slices]
    try:
        yield
    finally:
        for end in ends:
            end()


def rows_of(live: LiveReleases, asked: PageRequest | None = None) -> dict[str, Release]:
    return {release.id: release for release in live.page(asked or PageRequest()).value.releases}


@pytest.mark.timing
def test_twenty_filters_cost_the_workers_what_one_does(unhurried_stage: Stage):
    stage = unhurried_stage
    ids = [stage.start(f"n{number:02}", TELLS) for number in range(20)]
    stage.listed(*(f"n{number:02}" for number in range(20)))
    slices = [PageRequest(20, filter=ReleaseFilter(q=stage.prefix + "-n"[: number % 3])) for number in range(3)]
    slices += [
        PageRequest(20, filter=ReleaseFilter.parse(stage.prefix, [], f"{number}h", "")) for number in range(1, 18)
    ]
    assert len(set(slices)) == FILTERS
    counts = Counting()
    with watching(stage, counts, visibility_rps=5) as live, looking_at(live, *slices):
        eventually(lambda: all(live.known(ListTopic(each)) for each in slices), 60)
        eventually(lambda: all(row.parts for each in slices for row in rows_of(live, each).values()), 60)
        eventually(lambda: settled(counts), 120)
        counts.calls.clear()
        began = monotonic()
        # Quiet rows are described each few seconds, and by all filters together.
        eventually(lambda: counts.calls["describe"] >= 4 * len(ids), 120)
        seconds = monotonic() - began
        assert counts.calls["query"] <= counts.calls["describe"] / 5
        assert counts.calls.total() / seconds <= 30, counts.calls
        assert (counts.calls["list"] + counts.calls["count"]) / seconds <= 6, counts.calls
        for each in slices:
            assert set(rows_of(live, each)) == set(ids)


def settled(counts: Counting) -> bool:
    """Whether no worker has been asked for a while: the first answers are confirmed once."""
    before = counts.calls["query"]
    described = counts.calls["describe"]
    eventually(lambda: counts.calls["describe"] > described + 50, 60)
    return counts.calls["query"] <= before + 8


def test_a_list_knows_what_is_inside_of_its_releases_and_keeps_no_tree_of_them(stage: Stage):
    well = stage.start("well", TELLS)
    bad = stage.start("bad", {"get_hierarchy": with_failed_app(TREE), "get_release_state": STATE})
    plain = stage.start_tree("plain", part(f"wave:w/{stage.prefix}", part(f"app:a/{stage.prefix}", end="boom")))
    stage.listed("well", "bad", "plain")
    with watching(stage, max_age=0.2) as live, looking_at(live, PageRequest()):
        eventually(lambda: len(rows_of(live)) == 3 and all(row.parts for row in rows_of(live).values()))
        rows = rows_of(live)
        assert [rows[each].parts and rows[each].parts.failed for each in (well, bad)] == [0, 1]
        eventually(lambda: (parts := rows_of(live)[plain].parts) is not None and parts.failed == 1)
        assert all(row.root.children == () for row in rows_of(live).values())
        assert len(live._stores.trees._kept) == 0
        stage.tell(bad, {"get_hierarchy": TREE})
        eventually(lambda: (parts := rows_of(live)[bad].parts) is not None and parts.failed == 0)


def test_releases_that_have_ended_are_read_once_for_what_is_inside(stage: Stage):
    ids = [stage.start(name, {"get_hierarchy": with_failed_app(TREE), "get_release_state": STATE}) for name in "abc"]
    for release_id in ids:
        stage.end(release_id, "well")
    stage.listed(*"abc")
    eventually(lambda: {item["status"] for item in stage.listed(*"abc").values()} == {"COMPLETED"})
    counts = Counting()
    with watching(stage, counts, max_age=0.2) as live, looking_at(live, PageRequest()):
        eventually(lambda: [row.parts.failed for row in rows_of(live).values() if row.parts] == [1, 1, 1])
        eventually(lambda: counts.calls["list"] >= 20)
        assert counts.queries == {"get_release_state": 3, "get_hierarchy": counts.queries["get_hierarchy"]}
        assert counts.queries["get_hierarchy"] <= 6, "the first answer may be older than what was described with it"
        before = counts.calls["query"], counts.calls["describe"]
        listed = counts.calls["list"]
        eventually(lambda: counts.calls["list"] >= listed + 10)
        assert before == (counts.calls["query"], counts.calls["describe"])


def test_a_large_release_has_no_parts_and_is_not_asked_for_all_of_it_again(stage: Stage):
    large = stage.start("large", {"get_hierarchy": {"repeat": 2_200_000}, "get_release_state": STATE})
    stage.listed("large")
    counts = Counting()
    with watching(stage, counts, max_age=0.2) as live, looking_at(live, PageRequest()):
        for number in range(3):
            stage.tell(large, {"get_release_state": STATE | {"state": f"step {number}"}})
            eventually(lambda number=number: rows_of(live)[large].root.state == f"step {number}")
        assert rows_of(live)[large].parts is None
        assert rows_of(live)[large].root.problem is None
        assert counts.queries["get_hierarchy"] <= 2


class LateStore:
    """Lets visibility answer what it answered before, from the moment at which it is `late`."""

    def __init__(self) -> None:
        self.late = False
        self._kept: dict[tuple[str, bytes], bytes] = {}

    def __call__(self, method: str, request: bytes, forward: Callable[[], bytes]) -> bytes:
        key = (method, request)
        if method not in {"ListWorkflowExecutions", "CountWorkflowExecutions"}:
            return forward()
        if not self.late or key not in self._kept:
            self._kept[key] = forward()
        return self._kept[key]


def test_what_is_known_to_have_ended_is_shown_so_by_every_list(stage: Stage):
    ending, other = stage.start("ending", TELLS), stage.start("other", TELLS)
    stage.listed("ending", "other")
    store = LateStore()
    with counting_gate(stage.address) as gate, watching(stage, at=gate.address, max_age=0.2) as live:
        gate.around = store
        running = PageRequest(filter=ReleaseFilter(phases=(Phase.RUNNING,)))
        with looking_at(live, PageRequest(), running):
            eventually(lambda: set(rows_of(live, running)) == {ending, other})
            store.late = True
            stage.on(ending, lambda handle: handle.terminate("no longer wanted"))
            assert live.release(ending).value.root.phase in {Phase.TERMINATED, Phase.RUNNING}
            eventually(lambda: rows_of(live)[ending].root.phase is Phase.TERMINATED)
            eventually(lambda: live.page(PageRequest()).value.counts == {Status.RUNNING: 1, Status.TERMINATED: 1})
            eventually(lambda: set(rows_of(live, running)) == {other})
            assert live.page(running).value.total == 1


@pytest.mark.timing
def test_an_open_release_tells_every_list_as_soon_as_its_own_page(unhurried_stage: Stage):
    stage = unhurried_stage
    release_id = stage.start("r", TELLS)
    stage.listed("r")
    with watching(stage) as live, looking_at(live, PageRequest()):
        live.subscribe(ReleaseTopic(release_id), str)
        eventually(lambda: rows_of(live)[release_id].parts)
        before = live.release(release_id).value.root.state
        stage.tell(release_id, {"get_hierarchy": TREE | {"state": "verifying"}, "get_release_state": STATE})
        eventually(lambda: live.release(release_id).value.root.state == "verifying")
        eventually(lambda: rows_of(live)[release_id].root.state == "verifying", 2.5)
        assert before == "in_progress"


def until_served(stage: Stage, path: str, holds: Callable[[Any], bool]) -> None:
    eventually(lambda: holds(stage.json(path)))


def test_the_row_of_a_release_that_stops_answering_says_since_when_its_words_are(stage: Stage):
    release_id = stage.start("r", TELLS)
    stage.listed("r")
    until_served(stage, "/releases", lambda page: page["items"][0]["said_at"] is None)
    stage.tell(release_id, {"get_hierarchy": {"raise": "KeyError"}, "get_release_state": {"raise": "KeyError"}})
    until_served(stage, "/releases", lambda page: page["items"][0]["said_at"] is not None)
    item = stage.json("/releases")["items"][0]
    assert (item["state"], item["problem"]["code"]) == ("in_progress", "query_failed")
