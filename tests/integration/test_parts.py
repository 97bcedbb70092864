"""Releases as their parts have them: failed parts of what completed, waiting inside, paused activities, cancelling."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest

from tests.support.harness import Stage, dashboard_for, logged_in, shut
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


def answers(tree: dict[str, Any]) -> dict[str, Any]:
    return {"get_hierarchy": tree, "get_release_state": {key: tree[key] for key in tree if key != "waves"}}


def told(state: str, apps: Iterable[str], wave: str = "completed") -> dict[str, Any]:
    """What a release of one cluster with apps in these states answers."""
    words = list(apps)
    tree = hierarchy(clusters=1, apps=len(words)) | {"state": state}
    (first,) = tree["waves"]
    (cluster,) = first["clusters"]
    for row in (first, cluster, cluster["bundle"]):
        row["state"] = wave
    for app, word in zip(cluster["bundle"]["apps"], words, strict=True):
        app["state"] = word
    return answers(tree)


def page_of(stage: Stage, path: str) -> BeautifulSoup:
    answer = stage.ask(path)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def words(stage: Stage, path: str) -> str:
    return " ".join(page_of(stage, path).get_text(" ").split())


def title(stage: Stage, path: str) -> str:
    return str(page_of(stage, path).title.get_text())


def child(stage: Stage, kind: str, name: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{name}/{stage.prefix}", "children": list(children), **more}


def ended_tree(stage: Stage, name: str, ends: dict[str, str]) -> str:
    """A release that ended well although some of its clusters, two levels below it, did not."""
    clusters = [child(stage, "Cluster", f"cluster:{key}", end=end) for key, end in ends.items()]
    release_id = stage.start_tree(name, child(stage, "Wave", "wave:one", *clusters))
    for key in ends:
        cluster_id = f"cluster:{key}/{stage.prefix}"
        eventually(lambda cluster_id=cluster_id: closed(stage, cluster_id), 30)
    stage.end(f"wave:one/{stage.prefix}", "well")
    stage.end(release_id, "well")
    return release_id


def rows_of(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """All rows of a tree's JSON, these among them."""
    for row in rows:
        yield row
        bundle = [row["bundle"]] if row.get("bundle") else []
        levels = (row.get(name) or [] for name in ("waves", "clusters", "apps", "children"))
        yield from rows_of([*bundle, *(each for level in levels for each in level)])


def closed(stage: Stage, workflow_id: str) -> bool:
    rows = stage.run(lambda client: count_of(client, workflow_id))
    return rows > 0


async def count_of(client: Any, workflow_id: str) -> int:
    query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus != 'Running'"
    return (await client.count_workflows(query)).count


def pause(stage: Stage, workflow_id: str, activity_id: str) -> None:
    execution = WorkflowExecution(workflow_id=workflow_id)
    request = PauseActivityRequest(namespace="default", execution=execution, id=activity_id)
    stage.run(lambda client: client.workflow_service.pause_activity(request))


def test_a_tree_that_completed_with_failed_clusters_says_so_wherever_the_release_is_named(stage: Stage):
    release_id = ended_tree(stage, "mixed", {"a": "chart 1.4 does not render", "b": "well", "c": "well"})
    eventually(lambda: stage.json(f"/releases/{release_id}")["failed"] == 1, 30)
    release = stage.json(f"/releases/{release_id}")
    assert (release["phase"], release["overall_phase"]) == ("succeeded", "failed")
    assert (release["inside"]["failed"], release["inside"]["total"], release["inside"]["level"]) == (1, 3, "cluster")
    said = "succeeded with 1 of 3 failed"
    for path in ("", "/hierarchy", "/strip", "/timeline"):
        assert said in title(stage, f"/releases/{release_id}{path}"), path
    assert said in stage.ask(f"/badges/releases/{release_id}.svg").text
    assert said in words(stage, f"/kiosk/releases/{release_id}")
    assert "Failed in wave one" in words(stage, f"/releases/{release_id}")
    waited = stage.json(f"/releases/{release_id}/wait?phase=succeeded&timeout=5")
    assert (waited["reached"], waited["failed"]) == (True, 1)
    stage.listed("mixed")
    eventually(lambda: stage.json("/problems")["groups"], 30)
    (group,) = stage.json("/problems")["groups"]
    assert (group["standing"], group["what"]) == ("gave_up", "1 cluster of 1 release")


def test_a_release_that_calls_itself_completed_with_failed_apps_says_so_before_and_after_its_end(stage: Stage):
    release_id = stage.start("says", told("completed", ["failed", "deployed", "timed_out", "deployed"]))
    for end in ("", "well"):
        if end:
            stage.end(release_id, end)
        eventually(lambda: "succeeded with 2 of 4 failed" in title(stage, f"/releases/{release_id}"), 30)
        assert stage.json(f"/releases/{release_id}/wait?phase=succeeded&timeout=5")["failed"] == 2
    stage.listed("says")
    eventually(lambda: stage.json("/problems")["groups"], 30)


@pytest.mark.parametrize(
    ("end", "failed", "summary"),
    [
        ("terminate", 1, "succeeded with 1 of 2 failed"),
        ("cancel", 0, "succeeded with 1 of 2 cancelled"),
    ],
)
def test_parts_that_were_stopped_from_outside_are_counted_too(stage: Stage, end: str, failed: int, summary: str):
    clusters = [child(stage, "Cluster", f"cluster:{key}") for key in ("a", "b")]
    release_id = stage.start_tree("stopped", *clusters)
    eventually(lambda: (stage.json(f"/releases/{release_id}")["inside"] or {}).get("total") == 2, 30)
    stage.on(f"cluster:a/{stage.prefix}", lambda handle: getattr(handle, end)())
    stage.end(f"cluster:b/{stage.prefix}", "well")
    stage.wait_until_closed(f"cluster:a/{stage.prefix}")
    stage.end(release_id, "well")
    eventually(lambda: stage.json(f"/releases/{release_id}")["summary"].startswith(summary), 30)
    assert stage.json(f"/releases/{release_id}")["failed"] == failed


def test_a_release_whose_parts_are_all_well_says_nothing_more(stage: Stage):
    release_id = ended_tree(stage, "well", {"a": "well", "b": "well"})
    eventually(lambda: (stage.json(f"/releases/{release_id}")["inside"] or {}).get("total") == 2, 30)
    release = stage.json(f"/releases/{release_id}")
    assert (release["overall_phase"], release["summary"], release["failed"]) == ("succeeded", "succeeded", 0)
    stage.listed("well")
    eventually(lambda: stage.json("/problems")["relevant"] == 0, 30)
    assert stage.json("/problems")["groups"] == []


def test_a_release_with_an_app_that_waits_is_waiting_and_one_that_fails_as_well_is_not(stage: Stage):
    release_id = stage.start("gate", told("in_progress", ["deployed", "awaiting_approval"], "in_progress"))
    eventually(lambda: title(stage, f"/releases/{release_id}").endswith(": waiting in c0 / a0-1"), 30)
    assert stage.json(f"/releases/{release_id}/wait?phase=paused&timeout=5")["reached"] is True
    assert "waiting in c0 / a0-1: awaiting approval" in words(stage, f"/releases/{release_id}")
    stage.tell(release_id, told("in_progress", ["failed", "awaiting_approval"], "in_progress"))
    eventually(lambda: stage.json(f"/releases/{release_id}")["overall_phase"] == "running", 30)
    assert stage.json(f"/releases/{release_id}/wait?phase=paused&timeout=1")["reached"] is False
    both = "running, 1 of 2 apps failed, waiting in c0 / a0-1: awaiting approval"
    assert stage.json(f"/releases/{release_id}")["summary"] == both


def test_a_release_that_waits_while_something_else_is_tried_again_says_both_in_the_list(stage: Stage):
    release_id = stage.start("both", told("in_progress", ["deploying", "awaiting_approval"], "in_progress"))
    stage.on(release_id, lambda handle: handle.signal("retry", "app:a0-0"))
    stage.listed("both")
    both = "running, 1 retrying, waiting in c0 / a0-1: awaiting approval"
    eventually(lambda: [item["summary"] for item in stage.json("/releases")["items"]] == [both], 30)
    assert "waiting in c0 / a0-1: awaiting approval" in words(stage, "/releases")
    assert stage.json("/releases")["items"][0]["overall_phase"] == "running"


def test_a_wait_is_answered_when_something_inside_comes_to_wait(stage: Stage):
    release_id = stage.start("comes", told("in_progress", ["deploying"], "in_progress"))
    stage.tell(release_id, told("in_progress", ["on_hold"], "in_progress"))
    answer = stage.json(f"/releases/{release_id}/wait?phase=paused&timeout=60")
    assert (answer["reached"], answer["phase"], answer["overall_phase"]) == (True, "running", "paused")
    assert answer["inside"]["waits"]["name"] == "a0-0"


def test_paused_activities_are_paused_with_a_row_and_without_one(stage: Stage):
    release_id = stage.start("held", told("in_progress", ["deploying", "deploying"], "in_progress"))
    for activity_id in ("app:a0-1", "notify"):
        stage.on(release_id, lambda handle, name=activity_id: handle.signal("retry", name))
    eventually(lambda: stage.json(f"/releases/{release_id}")["inside"]["retrying"] == 2, 30)
    for activity_id in ("app:a0-1", "notify"):
        pause(stage, release_id, activity_id)
    eventually(lambda: stage.json(f"/releases/{release_id}")["inside"]["waiting"] == 2, 30)
    release = stage.json(f"/releases/{release_id}")
    assert (release["overall_phase"], release["progress"]["paused"], release["progress"]["retrying"]) == (
        "paused",
        1,
        0,
    )
    app = stage.json(f"/releases/{release_id}/entities/app:a0-1")["entity"]
    assert (app["phase"], app["state"], app["attempt"]["paused"]) == ("paused", "deploying", True)
    page = words(stage, f"/releases/{release_id}")
    assert "1 app paused" in page
    assert "retrying" not in page
    stage.listed("held")
    eventually(lambda: len(stage.json("/problems")["waiting"]) == 2, 30)
    problems = stage.json("/problems")
    assert problems["groups"] == []
    assert {row["activity_id"] or row["id"] for row in problems["waiting"]} == {"app:a0-1", "notify"}


def test_a_paused_activity_of_a_child_workflow_pauses_its_row(stage: Stage):
    release_id = stage.start_tree("kid", child(stage, "Cluster", "cluster:eu", stumble=True))
    cluster = f"cluster:eu/{stage.prefix}"

    def activity() -> str:
        rows = rows_of([stage.json(f"/releases/{release_id}/hierarchy")])
        return next((row["attempt"]["activity_id"] for row in rows if row["attempt"]), "")

    eventually(activity, 30)
    pause(stage, cluster, activity())
    eventually(lambda: stage.json(f"/releases/{release_id}")["overall_phase"] == "paused", 30)
    assert title(stage, f"/releases/{release_id}").split(": ", 1)[1].startswith("waiting in eu")


def test_a_release_that_rolls_back_after_a_request_to_cancel_is_cancelling_until_it_has_ended(stage: Stage):
    release_id = stage.start("back", told("rolling_back", ["rolling_back"], "rolling_back") | {"rolls_back": True})
    assert stage.listed("back")["back"]["cancelling"] is False
    stage.on(release_id, lambda handle: handle.cancel())
    eventually(lambda: stage.json(f"/releases/{release_id}")["cancelling"], 30)
    assert "cancelling" in words(stage, f"/releases/{release_id}")
    assert title(stage, f"/releases/{release_id}").endswith("running, cancelling")
    eventually(lambda: stage.listed("back")["back"]["cancelling"], 30)
    assert "cancelling" in words(stage, "/releases")
    stage.end(release_id, "well")
    eventually(lambda: not stage.json(f"/releases/{release_id}")["cancelling"], 30)


def test_a_child_workflow_that_rolls_back_is_cancelling_on_its_row(stage: Stage):
    release_id = stage.start_tree("branch", child(stage, "Cluster", "cluster:eu", rolls_back=True))

    def row() -> dict[str, Any]:
        rows = rows_of([stage.json(f"/releases/{release_id}/hierarchy")])
        return next((each for each in rows if each["id"].startswith("cluster:eu")), {})

    eventually(row, 30)
    assert row()["cancelling"] is False
    stage.on(f"cluster:eu/{stage.prefix}", lambda handle: handle.cancel())
    eventually(lambda: row()["cancelling"], 60)
    assert "cancelling" in words(stage, f"/releases/{release_id}/hierarchy")


def test_the_list_its_cards_and_a_wall_have_what_the_parts_of_each_release_say(stage: Stage):
    half = stage.start("half", told("completed", ["failed", "deployed"]))
    gate = stage.start("gate", told("in_progress", ["deployed", "awaiting_approval"], "in_progress"))
    rolls = stage.start("rolls", told("in_progress", ["deploying"], "in_progress"))
    stage.end(half, "well")
    stage.listed("half", "gate", "rolls")

    def phases() -> dict[str, str]:
        return {item["id"]: item["overall_phase"] for item in stage.json("/releases")["items"]}

    eventually(lambda: phases() == {half: "failed", gate: "paused", rolls: "running"}, 30)
    page = stage.json("/releases")
    cards = {
        name: [one["release_id"] for one in page["overview"][name]["named"]]
        for name in ("needs_somebody", "waits_for_somebody", "moves")
    }
    assert cards == {"needs_somebody": [half], "waits_for_somebody": [gate], "moves": [rolls]}
    assert page["overview"]["ended"] == {"failed": 1}
    assert title(stage, "/releases").startswith("Releases: 1 waiting")
    shown = words(stage, "/releases")
    assert "succeeded with 1 of 2 failed" in shown
    assert "waiting in c0 / a0-1: awaiting approval" in shown
    turns = stage.json("/kiosk")["turns"]["turns"]
    assert [(one["release_id"], one["turn_phase"]) for one in turns] == [
        (half, "failed"),
        (gate, "paused"),
        (rolls, "running"),
    ]
    lines = stage.ask("/api/releases?format=csv").text.lstrip("\ufeff").splitlines()
    row = next(line for line in csv.DictReader(lines) if line["id"] == half)
    assert (row["phase"], row["overall_phase"], row["parts_failed"], row["parts"]) == ("succeeded", "failed", "1", "2")


def test_a_paused_activity_of_no_row_makes_its_release_wait_in_the_list(stage: Stage):
    release_id = stage.start(
        "lone", answers({"id": "release:lone", "state": "in_progress", "wave_ids": [], "waves": []})
    )
    stage.on(release_id, lambda handle: handle.signal("retry", "notify"))
    stage.listed("lone")
    eventually(lambda: stage.json(f"/releases/{release_id}")["also_pending"], 30)
    pause(stage, release_id, "notify")
    eventually(lambda: stage.listed("lone")["lone"]["overall_phase"] == "paused", 30)
    assert "waiting for activity notify" in words(stage, "/releases")


def test_a_release_in_which_nothing_moves_says_since_when_and_moves_on_when_it_does(
    temporal_address: str, stage: Stage, tmp_path: Path
):
    release_id = stage.start("quiet", told("in_progress", ["deploying"], "in_progress"))
    busy = stage.start("busy", told("in_progress", ["deploying"], "in_progress"))
    stage.on(busy, lambda handle: handle.signal("retry", "app:a0-0"))
    filtered = f"WorkflowId STARTS_WITH '{stage.prefix}'"
    folder = tmp_path / "impatient"
    app = dashboard_for(temporal_address, folder, filtered, max_age=0.2, more={"stuck_after": 0.02})
    try:
        browser = logged_in(app)

        def item(name: str) -> dict[str, Any]:
            items = browser.get("/api/releases").get_json()["items"]
            return next((each for each in items if each["id"] == name), {})

        eventually(lambda: item(release_id).get("stuck"), 60)
        first = item(release_id)["stuck"]["since"]
        assert browser.get(f"/api/releases/{release_id}").get_json()["stuck"]["why"].startswith("nothing is pending")
        assert "nothing pending" in browser.get("/releases").text
        eventually(lambda: browser.get("/api/problems").get_json()["stuck"], 30)
        problems = browser.get("/api/problems").get_json()
        assert [row["id"] for row in problems["stuck"]] == [release_id]
        assert "Stuck" in browser.get("/problems").text
        overview = browser.get("/api/releases").get_json()["overview"]
        assert [one["release_id"] for one in overview["stuck"]["named"]] == [release_id]
        assert item(busy)["stuck"] is None
        stage.tell(release_id, told("in_progress", ["deploying"], "in_progress"))
        eventually(lambda: (item(release_id)["stuck"] or {"since": ""})["since"] > first, 60)
    finally:
        shut(app)
