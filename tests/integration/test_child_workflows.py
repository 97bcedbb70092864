"""Releases whose parts are child workflows: trees that answer no query, odd ones, and those that tell and run both."""

from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client as Connected

from dashboard.domain.child_runs import ChildListing
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.temporal.child_list import ChildLister
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.executions import read_description
from tests.support.harness import Stage, scripted_worker
from tests.support.rollout_makers import hierarchy
from tests.support.stalled_machine import within
from tests.support.waiting import eventually

Plan = dict[str, Any]


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def part(entity_id: str, *children: Plan, workflow_type: str = "Part", **plan: Any) -> Plan:
    return {"id": entity_id, "type": workflow_type, "children": list(children), **plan}


def chain(tag: str, **app: Any) -> Plan:
    """A wave with a cluster with a bundle with an app."""
    bundle = part(f"bundle:b/{tag}", part(f"app:a/{tag}", **app))
    return part(f"wave:w-7.2/{tag}", part(f"cluster:c/{tag}", bundle))


def rows(page: Any) -> list[dict[str, Any]]:
    """All rows of a hierarchy below the release, parents first."""
    found = [*(page.get("waves") or ()), *(page.get("clusters") or ()), *(page.get("apps") or ())]
    found += [page["bundle"]] if page.get("bundle") else []
    found += page.get("children") or ()
    return [one for row in found for one in (row, *rows(row))]


def tree(stage: Stage, release_id: str) -> Any:
    return stage.json(f"/releases/{release_id}/hierarchy")


def phases(page: Any) -> dict[str, str]:
    """The phase of each row by the first part of its id."""
    return {row["id"].partition("/")[0]: row["phase"] for row in rows(page)}


def test_a_tree_that_answers_no_query_is_drawn_from_its_child_workflows(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag, end="well"))
    running = {"wave:w-7.2": "running", "cluster:c": "running", "bundle:b": "running", "app:a": "succeeded"}
    eventually(lambda: phases(tree(stage, release_id)) == running)
    page = tree(stage, release_id)
    assert (page["state"], page["phase"], page["problem"], page["stale"]) == ("running", "running", None, False)
    assert {row["problem"] and row["problem"]["code"] for row in rows(page)} == {None}
    app = rows(page)[-1]
    assert (app["id"], app["state"], app["details"]["workflow_type"]) == (f"app:a/{tag}", "completed", "Part")
    assert app["created_at"] <= app["updated_at"]
    entity = stage.json(f"/releases/{release_id}/entities/cluster:c~2F{tag}")
    assert entity["entity"]["bundle"]["id"] == f"bundle:b/{tag}"
    html = stage.ask(f"/releases/{release_id}").text
    assert "Incomplete data" not in html
    assert "last reported" not in html, "a running app is no contradiction here"
    item = stage.listed("r")["r"]
    assert (item["phase"], item["problem"]) == ("running", None)


def test_an_app_whose_own_activity_is_tried_again_says_so_and_the_release_too(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag, stumble=True))

    def attempt() -> Any:
        found = rows(tree(stage, release_id))
        return len(found) == 4 and found[-1]["attempt"] and found[-1]["attempt"]["retrying"]

    eventually(attempt)
    page = tree(stage, release_id)
    assert rows(page)[-1]["attempt"]["last_failure"]["type"] == "ImagePullError"
    assert page["progress"]["retrying"] == 1
    assert page["blocked_by"][0]["obstacles"][0]["id"] == f"cluster:c/{tag}"


def test_a_list_that_takes_several_answers_is_read_whole(stage: Stage, tag: str):
    release_id = stage.start_tree("r", *(part(f"wave:{n}/{tag}") for n in range(6)))
    eventually(lambda: len(rows(tree(stage, release_id))) == 6)

    async def listed(connected: Connected) -> ChildListing:
        client, budget = NamespaceClient(connected), Deadline.of(10)
        release = read_description(await client.get_workflow_handle(release_id).describe(budget))
        found = await ChildLister(client, budget, page=2).of(release)
        assert isinstance(found, ChildListing)
        return found

    whole = stage.run(listed)
    assert (len(whole.listed), whole.more) == (7, 0), "the release itself is listed too"


def test_what_happens_far_below_is_seen_though_the_release_has_no_news(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag))
    eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    before = stage.ask(f"/api/releases/{release_id}").headers["ETag"]
    stage.on(f"app:a/{tag}", lambda handle: handle.signal("finish", "boom"))
    eventually(lambda: phases(tree(stage, release_id))["app:a"] == "failed")
    assert stage.ask(f"/api/releases/{release_id}").headers["ETag"] != before


def test_a_tree_without_children_has_no_parts_yet(stage: Stage):
    release_id = stage.start_tree("r")
    page = stage.json(f"/releases/{release_id}")
    assert (page["phase"], page["waves"], page["problem"]) == ("running", [], None)
    assert "No parts yet" in stage.ask(f"/releases/{release_id}").text


def test_nothing_that_ended_with_its_release_is_shown_as_running(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag))
    eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    stage.on(release_id, lambda handle: handle.terminate())
    eventually(lambda: set(phases(tree(stage, release_id)).values()) == {"terminated"})
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "terminated")


def test_a_child_that_outlives_its_release_is_told_of(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", abandoned=True))
    eventually(lambda: len(rows(tree(stage, release_id))) == 1)
    stage.end(release_id, "well")
    eventually(lambda: tree(stage, release_id)["phase"] == "succeeded")
    assert tree(stage, release_id)["problem"]["code"] == "lagging", "it may have ended with its release"
    eventually(lambda: tree(stage, release_id)["problem"] is None)
    (row,) = rows(tree(stage, release_id))
    assert (row["problem"]["code"], row["phase"]) == ("left_running", "running")
    stage.end(f"wave:w/{tag}", "well")
    eventually(lambda: phases(tree(stage, release_id)) == {"wave:w": "succeeded"})
    assert tree(stage, release_id)["problem"] is None


def test_an_earlier_release_of_the_same_id_does_not_mix_in(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"wave:old/{tag}", end="well"))
    eventually(lambda: list(phases(tree(stage, release_id))) == ["wave:old"])
    stage.end(release_id, "well")
    assert stage.start_tree("r", part(f"wave:new/{tag}")) == release_id
    eventually(lambda: list(phases(tree(stage, release_id))) == ["wave:new"])


def test_runs_that_continue_one_another_are_one_release_and_a_child_that_does_counts_once(stage: Stage, tag: str):
    first = part(f"wave:one/{tag}", end="again", next={"end": "well"})
    release_id = stage.start_tree("r", first)
    eventually(lambda: phases(tree(stage, release_id)) == {"wave:one": "succeeded"})
    run = tree(stage, release_id)["run_id"]
    stage.on(release_id, lambda handle: handle.signal("finish", "again"))
    eventually(lambda: tree(stage, release_id)["run_id"] != run)
    stage.on(release_id, lambda handle: handle.signal("spawn", part(f"wave:two/{tag}")))
    eventually(lambda: phases(tree(stage, release_id)) == {"wave:one": "succeeded", "wave:two": "running"})
    assert [row["problem"] for row in rows(tree(stage, release_id))] == [None, None]


def test_missing_levels_and_unknown_types_are_no_gaps(stage: Stage, tag: str):
    release_id = stage.start_tree(
        "r",
        part(f"cluster:direct/{tag}"),
        part(f"wave:w/{tag}", part(f"app:high/{tag}")),
        part(f"Notify the desk {tag}", part(f"wave:below/{tag}"), workflow_type="Notification"),
    )
    eventually(lambda: len(rows(tree(stage, release_id))) == 5)
    codes = {row["name"].partition("/")[0]: row["problem"] for row in rows(tree(stage, release_id))}
    assert codes == {"w": None, "high": None, "direct": None, f"Notify the desk {tag}": None, "below": None}
    notify = next(row for row in rows(tree(stage, release_id)) if row["name"].startswith("Notify"))
    assert (notify["type"], notify["details"]["kind"]) == ("app", "unknown")
    assert [row["type"] for row in notify["children"]] == ["wave"]
    assert stage.ask(f"/releases/{release_id}/entities/{notify['id']}").status_code == 200


def test_a_map_says_what_the_child_workflows_are(stage: Stage, tag: str):
    app = part(f"pay-{tag}", workflow_type="InstallApp")
    cluster = part(f"deploy-cluster-{tag}", part(f"bundle:b/{tag}", app))
    release_id = stage.start_tree("r", part(f"canary-{tag}", cluster, workflow_type="RolloutWave"))
    entity_map = EntityMap(
        {"RolloutWave": EntityType.WAVE, "InstallApp": EntityType.APP}, {"deploy-cluster-": EntityType.CLUSTER}
    )
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'", entity_map=entity_map)
    eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    assert [(row["id"], row["problem"]) for row in rows(tree(stage, release_id))] == [
        (f"wave:canary-{tag}", None),
        (f"cluster:{tag}", None),
        (f"bundle:b/{tag}", None),
        (f"app:pay-{tag}", None),
    ]
    stage.listed("r")
    assert stage.json(f"/entities/cluster:{tag}")["release_id"] == release_id


def test_a_map_says_what_words_mean_in_the_tree_the_list_and_the_search(stage: Stage):
    told = hierarchy(clusters=1, apps=1, state="soaking") | {"state": "soaking"}
    answers = {"get_hierarchy": told, "get_release_state": {"id": "release:r", "state": "soaking"}}
    answers["get_app_state"] = told["waves"][0]["clusters"][0]["bundle"]["apps"][0]
    release_id = stage.start("r", answers)
    words = {None: {"soaking": Phase.RUNNING}, EntityType.APP: {"soaking": Phase.SUCCEEDED}}
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'", entity_map=EntityMap(words=words))
    page = tree(stage, release_id)
    assert (page["phase"], rows(page)[-1]["phase"], rows(page)[-1]["state"]) == ("running", "succeeded", "soaking")
    assert "last reported" not in stage.ask(f"/releases/{release_id}/hierarchy").text
    assert stage.listed("r")["r"]["phase"] == "running"
    assert stage.json("/entities/app:a0-0")["phase"] == "succeeded"


def test_an_entity_is_found_by_its_id_alone_in_a_tree_that_answers_no_query(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag, end="boom"))
    eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    stage.listed("r")
    found = stage.json(f"/entities/app:a~2F{tag}")
    assert [(item["release_id"], item["phase"]) for item in found["occurrences"]] == [(release_id, "failed")]
    stage.json(f"/entities/app:nowhere-{tag}", 404)


def test_an_id_with_quotes_and_backslashes_finds_its_own_children(stage: Stage, tag: str):
    release_id = stage.start_tree(r"it's\'odd\\", part(f"wave:w/{tag}"))
    page: Any = {}

    def there() -> bool:
        page.update(stage.json("/releases/" + release_id.replace("\\", "%5C") + "/hierarchy"))
        return bool(page["waves"])

    eventually(there)
    assert [row["id"] for row in rows(page)] == [f"wave:w/{tag}"]


@pytest.mark.timing
def test_without_a_worker_the_child_workflows_are_shown_and_the_reason(stage: Stage, tag: str, tmp_path):
    queue = f"{stage.prefix}-queue"
    with scripted_worker(stage.address, queue, tmp_path / "worker.log"):
        release_id = stage.start_tree("r", chain(tag), task_queue=queue)
        eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    assert len(rows(within(2.5, stage, lambda: tree(stage, release_id)))) == 4
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    page = within(2.5, stage, lambda: tree(stage, release_id))
    assert len(rows(page)) == 4
    assert page["problem"]["code"] in {"no_worker", "query_timed_out"}


def test_how_a_child_workflow_ended_beats_the_word_of_its_row_and_of_all_below(stage: Stage, tag: str):
    told = hierarchy(clusters=2, apps=2)
    clusters = told["waves"][0]["clusters"]
    clusters[0]["id"] = told["waves"][0]["cluster_ids"][0] = f"cluster:one-{tag}"
    clusters[1]["bundle"]["apps"][0]["id"] = clusters[1]["bundle"]["app_ids"][0] = f"app:lost-{tag}"
    release_id = stage.start("r", {"get_hierarchy": told})
    stage.on(release_id, lambda handle: handle.signal("spawn", part(f"cluster:one-{tag}/attempt-2")))
    stage.on(release_id, lambda handle: handle.signal("spawn", part(f"app:lost-{tag}")))

    def started() -> int:
        pending = stage.on(release_id, lambda handle: handle.describe()).raw_description.pending_children
        return sum(bool(child.run_id) for child in pending)

    eventually(lambda: started() == 2)
    before = rows(tree(stage, release_id))
    assert {row["phase"] for row in before} == {"running"}
    stage.on(f"cluster:one-{tag}/attempt-2", lambda handle: handle.terminate())
    stage.on(f"app:lost-{tag}", lambda handle: handle.signal("finish", "boom"))
    eventually(lambda: {row["phase"] for row in rows(tree(stage, release_id))} == {"running", "failed", "terminated"})
    after = {row["id"]: row["phase"] for row in rows(tree(stage, release_id))}
    assert after[f"cluster:one-{tag}"] == after["bundle:b0"] == after["app:a0-1"] == "terminated"
    assert after[f"app:lost-{tag}"] == "failed"
    assert after["wave:one"] == after["cluster:c1"] == after["app:a1-1"] == "running"
    assert started() == 0
    as_of = tree(stage, release_id)["as_of"]
    eventually(lambda: tree(stage, release_id)["as_of"] != as_of)
    assert {row["id"]: row["phase"] for row in rows(tree(stage, release_id))} == after, "also once none is running"
