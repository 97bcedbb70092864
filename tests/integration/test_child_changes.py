"""Looking again at trees of child workflows: what a look costs, and that nothing is missed, twice or cut off unseen."""

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client as Connected

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.child_runs import ChildListing, merge_children
from dashboard.domain.children import tree_from_children
from dashboard.domain.entities import Execution, Status
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.child_details import MAX_DESCRIBED_PER_READ, MAX_EXPLAINED_PER_READ
from dashboard.temporal.child_list import ChildLister
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.executions import read_description
from dashboard.temporal.gateway import TemporalGateway
from tests.integration.test_calls import CountedClient, CountedConnection, Counting
from tests.integration.test_child_workflows import chain, part, rows, tree
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def counted(stage: Stage, look: Callable[[TemporalGateway, Counting], Coroutine[Any, Any, Any]]) -> None:
    """Let `look` use a gateway whose calls are counted."""
    counts = Counting()
    connection: Any = CountedConnection(stage.address, counts)
    gateway = TemporalGateway(connection, "")
    loop = LoopThread()
    try:
        loop.call(lambda: look(gateway, counts), 30)
    finally:
        loop.stop()


async def described(client: NamespaceClient, release_id: str) -> Execution:
    return read_description(await client.get_workflow_handle(release_id).describe(Deadline.of(10)))


def listed(
    stage: Stage,
    release_id: str,
    seconds: float = 10,
    known: ChildListing | None = None,
    *,
    slowly: bool = False,
    **bounds: int,
) -> ChildListing:
    """What the list of this release's child workflows gives."""

    async def ask(connected: Connected) -> Any:
        client = CountedClient(connected, Counting(), slowness=0.1 if slowly else 0)
        release = await described(client, release_id)
        return await ChildLister(client, Deadline.of(seconds), **bounds).of(release, known)

    found = stage.run(ask)
    assert isinstance(found, ChildListing), found
    return found


def grown(stage: Stage, tag: str, apps: int, name: str = "r", waves: int = 4) -> str:
    """A release whose waves have so many apps in all, once Temporal lists them."""
    each = apps // waves
    parts = (
        part(f"wave:w{w}/{tag}", *(part(f"app:a{w}-{n}/{tag}", end="well" if n % 2 else None) for n in range(each)))
        for w in range(waves)
    )
    release_id = stage.start_tree(name, *parts)
    ended = waves * (each // 2)
    eventually(lambda: sorted(listed(stage, release_id).tally.values()) == [ended, 1 + waves + apps - ended], 60)
    return release_id


@pytest.fixture(scope="module")
def eight(still: Stage) -> str:
    """A release of eight apps."""
    return grown(still, uuid4().hex[:8], 8, "eight")


@pytest.fixture(scope="module")
def hundred(still: Stage) -> str:
    """A release of a hundred child workflows."""
    return grown(still, uuid4().hex[:8], 96, "hundred")


def test_a_look_at_which_nothing_has_happened_lists_nothing(still: Stage, eight: str):

    async def look(gateway: TemporalGateway, counts: Counting) -> None:
        first = await gateway.read(eight, None, 5)
        counts.calls.clear()
        second = await gateway.read(eight, first, 5)
        assert (counts.calls["list"], counts.calls["count"], counts.calls["query"]) == (0, 1, 0)
        assert (second.said, second.digest) == (first.said, first.digest)

    counted(still, look)


def test_only_what_has_changed_is_listed_and_the_tree_is_that_of_a_whole_list(stage: Stage, tag: str):
    release_id = grown(stage, tag, 12)
    stage.run(lambda client: client.get_workflow_handle(release_id).signal("spawn", part(f"wave:late/{tag}")))
    eventually(lambda: len(listed(stage, release_id).listed) == 18)
    before = listed(stage, release_id)
    stage.on(f"app:a0-0/{tag}", lambda handle: handle.signal("finish", "boom"))
    stage.on(release_id, lambda handle: handle.signal("spawn", part(f"wave:later/{tag}")))
    now = before.tally + Counter({Status.FAILED: 1})
    eventually(lambda: listed(stage, release_id).tally == now)
    after, whole = listed(stage, release_id, known=before), listed(stage, release_id)
    assert after.whole_at == before.whole_at, "it was not all listed again"
    release = stage.run(lambda connected: described(NamespaceClient(connected), release_id))
    assert tree_from_children(release, after, EntityMap()) == tree_from_children(release, whole, EntityMap())


def test_what_appears_in_the_list_long_after_its_start_is_found_all_the_same(still: Stage, eight: str):
    known = listed(still, eight)
    late = next(child for child in known.listed if child.execution.workflow_id.startswith("app:a0-0/"))
    young = next(child for child in known.listed if child.execution.workflow_id.startswith("app:a3-1/"))
    assert young.execution.closed_at
    # The list as it would be if this one were not in it yet, and others were much younger than it.
    ahead = replace(young.execution, closed_at=young.execution.closed_at.replace(year=2100))
    rest = tuple(child for child in known.listed if child not in (late, young))
    found = listed(still, eight, known=replace(known, listed=(*rest, replace(young, execution=ahead))))
    assert late in found.listed
    assert len(found.listed) == len(known.listed)


def test_everything_is_listed_again_once_in_a_while(still: Stage, eight: str):
    known = listed(still, eight)
    found = listed(still, eight, known=replace(known, whole_at=known.whole_at - 61))
    assert found.whole_at > known.whole_at
    assert found.listed == known.listed


def test_a_run_that_has_been_seen_to_end_does_not_run_again_where_the_list_is_late(still: Stage, eight: str):
    known = listed(still, eight)
    ended = [
        replace(child, execution=replace(child.execution, status=Status.FAILED, closed_at=child.execution.started_at))
        for child in known.listed
        if child.execution.workflow_id.startswith("app:a0-0/")
    ]
    found = listed(still, eight, known=replace(known, listed=merge_children(known.listed, ended)))
    assert ended[0] in found.listed
    assert len(found.listed) == len(known.listed)


def test_another_run_of_a_release_is_listed_anew(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"wave:old/{tag}", end="well"))
    eventually(lambda: listed(stage, release_id).tally.total() == 2)

    async def read(gateway: TemporalGateway, _counts: Counting) -> None:
        nonlocal known
        known = await gateway.read(release_id, known, 5)

    known: ReleaseReading | None = None
    counted(stage, read)
    stage.end(release_id, "well")
    stage.start_tree("r", part(f"wave:new/{tag}"))
    eventually(lambda: len(listed(stage, release_id).listed) == 2)
    counted(stage, read)
    assert known is not None
    assert known.said is not None
    assert [wave.name for wave in known.said.children] == [f"new/{tag}"]


def test_a_hundred_child_workflows_are_there_each_exactly_once(still: Stage, hundred: str):
    found = Counter(row["id"] for row in rows(tree(still, hundred)) if row["details"])
    assert len(found) == 100
    assert set(found.values()) == {1}


def test_a_deadline_amid_the_answers_shows_what_has_come_and_counts_the_rest(still: Stage, hundred: str):
    found = listed(still, hundred, 2.5, slowly=True, page=1)
    assert 0 < len(found.listed) < 101
    assert len(found.listed) + found.more == 101
    release = still.run(lambda connected: described(NamespaceClient(connected), hundred))
    root = tree_from_children(release, found, EntityMap())
    assert root.children[-1].name == f"{found.more} not shown"
    assert root.children[-1].problem
    whole = listed(still, hundred, known=found)
    assert (len(whole.listed), whole.more) == (101, 0), "what was cut off is no ground to build on"


def test_past_the_limit_the_rest_is_counted(still: Stage, eight: str):
    found = listed(still, eight, page=2, limit=5)
    assert (len(found.listed), found.more) == (5, 8)
    assert len(listed(still, eight, known=found, page=2, limit=13).listed) == 13


def test_a_chain_thirty_levels_deep_is_shown_whole(stage: Stage, tag: str):
    deepest = part(f"app:29/{tag}")
    for level in reversed(range(29)):
        deepest = part(f"app:{level}/{tag}", deepest)
    release_id = stage.start_tree("r", deepest)
    eventually(lambda: listed(stage, release_id).tally.total() == 31)
    found = Counter(row["name"] for row in rows(tree(stage, release_id)) if row["details"])
    assert found == Counter(f"{level}/{tag}" for level in range(30))


def test_how_an_ended_child_workflow_ended_is_seen_at_the_first_look(stage: Stage, tag: str):
    told = hierarchy(clusters=1, apps=2)
    apps = told["waves"][0]["clusters"][0]["bundle"]
    apps["apps"][0]["id"] = apps["app_ids"][0] = f"app:lost-{tag}"
    release_id = stage.start("r", {"get_hierarchy": told})
    child = part(f"app:lost-{tag}", end="boom")
    stage.on(release_id, lambda handle: handle.signal("spawn", child))
    eventually(lambda: listed(stage, release_id).tally[Status.FAILED] == 1)
    assert {row["id"]: row["phase"] for row in rows(tree(stage, release_id))}[f"app:lost-{tag}"] == "failed"


def test_a_release_that_has_no_child_workflows_costs_no_call_for_them_at_later_looks(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": hierarchy()})

    async def look(gateway: TemporalGateway, counts: Counting) -> None:
        reading = await gateway.read(release_id, None, 5)
        assert counts.calls["list"] == 2, "of its runs, and of its child workflows"
        for _ in range(2):
            reading = await gateway.read(release_id, reading, 5)
        assert (counts.calls["list"], counts.calls["count"]) == (2, 0)

    counted(stage, look)


def test_a_release_too_large_to_tell_of_itself_is_shown_by_its_child_workflows(stage: Stage, tag: str):
    release_id = stage.start("r", {"get_hierarchy": {"repeat": 2_200_000}})
    stage.on(release_id, lambda handle: handle.signal("spawn", chain(tag, end="boom")))
    eventually(lambda: [row["phase"] for row in rows(tree(stage, release_id))] == ["running"] * 3 + ["failed"])
    page = tree(stage, release_id)
    assert (page["phase"], page["problem"]["code"], page["stale"]) == ("running", "too_large", False)
    stage.on(f"cluster:c/{tag}", lambda handle: handle.terminate())
    eventually(lambda: rows(tree(stage, release_id))[1]["phase"] == "terminated")
    assert tree(stage, release_id)["problem"]["code"] == "too_large"
    assert page["problem"]["message"] in unescape(stage.ask(f"/releases/{release_id}").text)


def test_a_release_too_large_to_tell_of_itself_without_child_workflows_says_so(stage: Stage):
    release_id = stage.start("r", {"get_hierarchy": {"repeat": 2_200_000}})
    page = tree(stage, release_id)
    assert (page["problem"]["code"], page["waves"]) == ("too_large", [])


def test_every_running_child_is_described_in_its_turn_and_no_look_describes_more_than_the_bound(stage: Stage, tag: str):
    apps = MAX_DESCRIBED_PER_READ * 2 + 5
    waves = (part(f"wave:w{n}/{tag}") for n in range(apps))
    release_id = stage.start_tree("many", *waves)
    eventually(lambda: listed(stage, release_id).tally.total() == apps + 1, 60)

    async def look(gateway: TemporalGateway, counts: Counting) -> None:
        reading: ReleaseReading | None = None
        told = []
        for _ in range(4):
            counts.calls.clear()
            reading = await gateway.read(release_id, reading, 10)
            assert counts.calls["describe"] <= MAX_DESCRIBED_PER_READ + 1, (
                "the release itself, and so many of its children"
            )
            told.append(sum(row.execution.described_at is not None for row in waves_of(reading)))
        assert told == sorted(told), "what is known stays"
        assert told[-1] == apps
        other = await gateway.read(release_id, None, 10)
        assert all(row.execution.described_at for row in waves_of(other)), "whoever looks, it is known"

    counted(stage, look)


def waves_of(reading: ReleaseReading) -> Any:
    assert reading.said
    return reading.said.children


def test_why_children_ended_is_read_once_and_never_again(stage: Stage, tag: str):
    apps = MAX_EXPLAINED_PER_READ + 5
    release_id = stage.start_tree("ended", *(part(f"wave:w{n}/{tag}", end="boom") for n in range(apps)))
    eventually(lambda: listed(stage, release_id).tally[Status.FAILED] == apps, 60)

    async def look(gateway: TemporalGateway, counts: Counting) -> None:
        reading: ReleaseReading | None = None
        told, calls = [], []
        for _ in range(4):
            counts.calls.clear()
            reading = await gateway.read(release_id, reading, 10)
            told.append(sum(row.error == "RolloutFailed: boom" for row in waves_of(reading)))
            unread = [row.problem.code for row in waves_of(reading) if row.error is None]
            assert set(unread) <= {"reason_not_read_yet"}, "a row never says nothing"
            calls.append(counts.calls["history"])
        assert told[0] <= MAX_EXPLAINED_PER_READ
        assert told[-1] == apps
        assert (sum(calls), calls[-1]) == (apps, 0)

    counted(stage, look)
