"""What goes wrong in child workflows is shown as it is for releases: why one failed, what stalls, what runs on."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.test_child_workflows import Plan, chain, part, rows, tree
from tests.integration.test_stuck_reasons import words
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def row_of(stage: Stage, release_id: str, entity_id: str) -> Any:
    """The row of an entity, or None while there is none."""
    return next((row for row in rows(tree(stage, release_id)) if row["id"] == entity_id), None)


def address_of(release_id: str, entity_id: str) -> str:
    return f"/releases/{release_id}/entities/{entity_id.replace('/', '~2F')}"


def causes(stage: Stage) -> dict[str, str]:
    """What /problems tells: the cause of each group, and what is being done about it."""
    return {group["cause"]: group["standing"] for group in stage.json("/problems")["groups"]}


def queueless(entity_id: str, **plan: Any) -> Plan:
    """A child workflow on a task queue that no worker polls."""
    return part(entity_id, task_queue=f"nobody-{uuid4().hex[:8]}", **plan)


def test_a_failed_child_says_why_in_its_row_and_the_whole_chain_at_its_own_address(stage: Stage, tag: str):
    wave = part(f"wave:w/{tag}", part(f"cluster:a/{tag}", gives_up="BMC 10.0.0.3"), part(f"cluster:b/{tag}"))
    release_id = stage.start_tree("r", wave)
    eventually(lambda: (row_of(stage, release_id, f"cluster:a/{tag}") or {}).get("error_message"))
    row = row_of(stage, release_id, f"cluster:a/{tag}")
    assert row["phase"] == "failed"
    assert row["problem"] is None
    assert "BMC 10.0.0.3" in row["error_message"]
    page = stage.json(address_of(release_id, f"cluster:a/{tag}"))
    closing = page["child"]["closing"]
    chain_of = [closing["message"], *(cause["message"] for cause in closing["causes"])]
    assert chain_of[-1] == "connect timeout to BMC 10.0.0.3"
    assert len(chain_of) > 2, "the wrappers around it are kept"
    assert "connect timeout to BMC 10.0.0.3" in words(stage, address_of(release_id, f"cluster:a/{tag}"))
    stage.listed("r")
    eventually(lambda: any("BMC" in cause for cause in causes(stage)))


def test_a_terminated_child_says_its_reason_and_who_asked_for_it(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag))
    eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    stage.on(f"app:a/{tag}", lambda handle: handle.terminate(reason="agent decommissioned"))
    eventually(lambda: (row_of(stage, release_id, f"app:a/{tag}") or {}).get("error_message"))
    row = row_of(stage, release_id, f"app:a/{tag}")
    assert row["phase"] == "terminated"
    assert row["error_message"].startswith("agent decommissioned (terminated by ")


def test_a_child_that_exceeds_a_time_limit_says_which(stage: Stage, tag: str):
    limited = part(f"app:a/{tag}", run_timeout=2)
    release_id = stage.start_tree(
        "r", part(f"wave:w/{tag}", part(f"cluster:c/{tag}", part(f"bundle:b/{tag}", limited)))
    )
    eventually(lambda: (row_of(stage, release_id, f"app:a/{tag}") or {}).get("error_message"))
    row = row_of(stage, release_id, f"app:a/{tag}")
    assert (row["phase"], row["error_message"]) == (
        "timed_out",
        "The workflow did not end within its run timeout of 2 s.",
    )


def test_a_child_whose_first_step_no_worker_takes_says_so_everywhere(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", queueless(f"cluster:c/{tag}")))
    eventually(lambda: (row_of(stage, release_id, f"cluster:c/{tag}") or {}).get("problem"))
    problem = row_of(stage, release_id, f"cluster:c/{tag}")["problem"]
    assert problem["code"] == "no_worker"
    assert "No worker is picking up its first step" in problem["message"]
    assert "no worker is polling it" in problem["message"]
    page = stage.json(f"/releases/{release_id}")
    assert page["blocked_by"][0]["obstacles"][0]["stalled"] == 1
    assert "no worker for its next step" in words(stage, f"/releases/{release_id}")
    stage.listed("r")
    eventually(lambda: "stalled" in causes(stage).values())


def test_an_activity_of_a_child_that_no_worker_takes_says_so_everywhere(stage: Stage, tag: str):
    queue = f"nobody-{tag}"
    wave = part(f"wave:w/{tag}", part(f"cluster:c/{tag}", stumble=True, stumbles_on=queue))
    release_id = stage.start_tree("r", wave)
    eventually(lambda: (row_of(stage, release_id, f"cluster:c/{tag}") or {}).get("problem"))
    row = row_of(stage, release_id, f"cluster:c/{tag}")
    assert (row["phase"], row["problem"]["code"], row["attempt"]["number"]) == ("running", "no_worker", 1)
    assert row["problem"]["message"].startswith("No worker is picking up its activity 1 (stumble), waiting since ")
    assert queue in row["problem"]["message"]
    stage.listed("r")
    stalled = "running, no worker is picking up the next step of 1 part"
    eventually(lambda: [item["summary"] for item in stage.json("/releases")["items"]] == [stalled])
    eventually(lambda: list(causes(stage).values()) == ["stalled"])


def test_an_activity_of_a_release_that_no_worker_takes_says_so_with_a_row_and_without_one(stage: Stage, tag: str):
    told = hierarchy(clusters=1, apps=1)
    release_id = stage.start("r", {"get_hierarchy": told})
    for activity_id in ("app:a0-0", "migrate"):
        stage.on(release_id, lambda handle, name=activity_id: handle.signal("retry", args=[name, f"nobody-{tag}"]))
    eventually(lambda: stage.json(f"/releases/{release_id}")["inside"]["stalled"] == 2)
    app = stage.json(f"/releases/{release_id}/entities/app:a0-0")["entity"]
    assert app["problem"]["code"] == "no_worker"
    text = words(stage, f"/releases/{release_id}")
    assert "No worker is picking up its activity migrate, waiting since" in text
    assert f"on task queue nobody-{tag}: no worker is polling it for activities" in text
    stage.listed("r")
    eventually(lambda: set(causes(stage).values()) == {"stalled"})


def test_a_child_whose_own_code_fails_says_so_with_attempt_and_reason(stage: Stage, tag: str):
    bug = part(f"cluster:c/{tag}", bug="no such region: 'emea'", task_timeout=1)
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", bug))
    eventually(lambda: (row_of(stage, release_id, f"cluster:c/{tag}") or {}).get("attempt"))
    row = row_of(stage, release_id, f"cluster:c/{tag}")
    assert (row["phase"], row["attempt"]["kind"], row["attempt"]["retrying"]) == ("running", "workflow_task", True)
    assert row["attempt"]["cause"] == "Workflow code is failing: RuntimeError: no such region: 'emea'"
    assert stage.json(f"/releases/{release_id}")["progress"]["retrying"] == 1
    assert stage.json(address_of(release_id, f"cluster:c/{tag}"))["child"]["failing_task"]["attempt"] > 1
    stage.listed("r")
    eventually(lambda: any("no such region" in cause for cause in causes(stage)))
    assert list(causes(stage).values()) == ["retrying"]
    eventually(lambda: "running, 1 retrying" in [item["summary"] for item in stage.json("/releases")["items"]])
    assert "1 retrying" in words(stage, "/releases")


def test_all_that_is_pending_for_a_child_is_told(stage: Stage, tag: str):
    release_id = stage.start_tree(
        "r", part(f"wave:w/{tag}", part(f"cluster:c/{tag}", stumbles=["shop", "pay", "cart"]))
    )
    eventually(lambda: (row_of(stage, release_id, f"cluster:c/{tag}") or {}).get("more_pending") == 2)

    def pending_now() -> list[dict[str, Any]]:
        return stage.json(address_of(release_id, f"cluster:c/{tag}"))["child"]["pending"]

    eventually(lambda: all(attempt["last_failure"] for attempt in pending_now()))
    row = row_of(stage, release_id, f"cluster:c/{tag}")
    assert row["attempt"]["retrying"]
    assert sorted(attempt["activity_id"] for attempt in pending_now()) == ["cart", "pay", "shop"]
    text = words(stage, address_of(release_id, f"cluster:c/{tag}"))
    assert all(f"connect timeout to {name}" in text for name in ("cart", "pay", "shop"))
    assert "and 2 more" in words(stage, f"/releases/{release_id}/hierarchy")


def test_a_child_that_outlives_a_terminated_release_runs_on_until_it_ends(stage: Stage, tag: str):
    release_id = stage.start_tree("r", chain(tag, abandoned=True))
    eventually(lambda: len(rows(tree(stage, release_id))) == 4)
    stage.on(release_id, lambda handle: handle.terminate(reason="stop it"))
    eventually(lambda: (row_of(stage, release_id, f"app:a/{tag}")["problem"] or {}).get("code") == "left_running")
    page = tree(stage, release_id)
    assert (page["phase"], page["left_running"]) == ("terminated", 1)
    assert [row["phase"] for row in rows(page)] == ["terminated"] * 3 + ["running"]
    assert "left behind: its release was terminated at" in rows(page)[-1]["problem"]["message"]
    assert rows(page)[-1]["ended_at"] is None, "it goes on"
    assert "1 child workflow left behind." in words(stage, f"/releases/{release_id}")
    stage.listed("r")
    eventually(lambda: list(causes(stage).values()) == ["left_running"])
    assert "Left running" in words(stage, "/problems")
    eventually(lambda: "1 child workflow left running" in words(stage, "/releases"))
    stage.end(f"app:a/{tag}", "well")
    eventually(lambda: row_of(stage, release_id, f"app:a/{tag}")["phase"] == "succeeded")
    assert tree(stage, release_id)["left_running"] == 0
    eventually(lambda: causes(stage) == {})


def test_a_child_of_a_release_that_told_of_it_runs_on_too(stage: Stage, tag: str):
    told = hierarchy(clusters=1, apps=1)
    told["waves"][0]["clusters"][0]["id"] = told["waves"][0]["cluster_ids"][0] = f"cluster:one-{tag}"
    release_id = stage.start("r", {"get_hierarchy": told})
    stage.on(release_id, lambda handle: handle.signal("spawn", part(f"cluster:one-{tag}", abandoned=True)))
    eventually(lambda: stage.run(lambda client: client.count_workflows(f"WorkflowId = 'cluster:one-{tag}'")).count)
    stage.end(release_id, "well")
    eventually(lambda: tree(stage, release_id)["left_running"] == 1)
    found = {row["id"]: row["phase"] for row in rows(tree(stage, release_id))}
    assert found[f"cluster:one-{tag}"] == "running"
    assert found["app:a0-0"] == "unknown", "what told of it has ended"
    (wave,) = tree(stage, release_id)["blocked_by"]
    assert [obstacle["why"] for obstacle in wave["obstacles"]] == ["left running"]
    for path in (f"/releases/{release_id}", f"/kiosk/releases/{release_id}"):
        assert "Left running in" in words(stage, path)
        assert "Failed:" not in words(stage, path), "nothing in it has failed so far"
    stage.end(f"cluster:one-{tag}", "boom")
    eventually(lambda: row_of(stage, release_id, f"cluster:one-{tag}")["phase"] == "failed")
    assert row_of(stage, release_id, f"cluster:one-{tag}")["error_message"] == "RolloutFailed: boom"


def test_what_is_left_running_has_not_failed_though_its_activity_is_tried_again(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"app:a/{tag}", stumble=True, abandoned=True))
    eventually(lambda: (row_of(stage, release_id, f"app:a/{tag}") or {}).get("attempt"))
    stage.end(release_id, "well")
    eventually(lambda: tree(stage, release_id)["left_running"] == 1)
    (top,) = tree(stage, release_id)["blocked_by"]
    assert [obstacle["why"] for obstacle in top["obstacles"]] == ["1 app retrying, left running"]
    for path in (f"/releases/{release_id}", f"/kiosk/releases/{release_id}"):
        assert "Left running :" in words(stage, path)
        assert "Failed" not in words(stage, path).partition("retrying")[0]
