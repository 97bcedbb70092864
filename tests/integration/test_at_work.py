"""An app that says "running" may have been deployed and run, or be deployed right now: what is pending decides."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.test_child_workflows import part, rows, tree
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def with_states(*states: str) -> dict[str, Any]:
    """A hierarchy of one cluster whose apps are in these states."""
    said = hierarchy(clusters=1, apps=len(states))
    bundle = said["waves"][0]["clusters"][0]["bundle"]
    for app, state in zip(bundle["apps"], states, strict=True):
        app["state"] = state
    return said


def phases(stage: Stage, release_id: str) -> list[str]:
    return [row["phase"] for row in rows(tree(stage, release_id)) if row["type"] == "app"]


def start(stage: Stage, name: str, said: dict[str, Any]) -> str:
    apps = {app["id"]: app for app in said["waves"][0]["clusters"][0]["bundle"]["apps"]}
    return stage.start(name, {"get_hierarchy": said, "get_release_state": said, "get_app_state": {"by_id": apps}})


def test_a_running_app_is_at_work_while_its_own_activity_is_pending_and_done_afterwards(stage: Stage):
    release_id = start(stage, "r", with_states("running", "running", "deployed"))
    assert phases(stage, release_id) == ["succeeded"] * 3
    for app in ("app:a0-0", "app:a0-2"):
        stage.on(release_id, lambda handle, app=app: handle.signal("retry", app))
    eventually(lambda: phases(stage, release_id) == ["running", "succeeded", "succeeded"])
    page = tree(stage, release_id)
    assert (page["progress"]["succeeded"], page["progress"]["total"]) == (2, 3)
    (still, _, reached) = [row for row in rows(page) if row["type"] == "app"]
    assert (still["state"], still["attempt"]["activity_id"]) == ("running", "app:a0-0")
    assert (reached["state"], reached["attempt"]["activity_id"]) == ("deployed", "app:a0-2"), "its word stays"
    (found,) = stage.json("/entities/app:a0-0")["occurrences"]
    assert found["phase"] == "running", "the look-up by id alone agrees"
    stage.on(release_id, lambda handle: handle.signal("rest"))
    eventually(lambda: phases(stage, release_id) == ["succeeded"] * 3)


@pytest.mark.parametrize("named", ["{app}/{tag}", "{app}-{own}", "{own}/{app}"])
def test_a_running_app_is_at_work_while_the_child_workflow_that_is_named_after_it_is_open(
    stage: Stage, tag: str, named: str
):
    release_id = start(stage, f"r-{tag}", with_states("running", "running"))
    own = release_id.partition(":")[2]
    child_id = named.format(app="app:a0-1", tag=tag, own=own)
    stage.on(release_id, lambda handle: handle.signal("bear", child_id))
    eventually(lambda: phases(stage, release_id) == ["succeeded", "running"])
    stage.end(child_id, "well")
    eventually(lambda: phases(stage, release_id) == ["succeeded", "succeeded"])


def test_a_running_app_is_at_work_while_a_workflow_far_below_its_release_is_open(stage: Stage, tag: str):
    release_id = start(stage, "r", with_states("running", "deployed"))
    child = part(f"cluster:c0/{tag}", part(f"app:a0-0/{tag}"), part(f"app:a0-1/{tag}"))
    stage.on(release_id, lambda handle: handle.signal("spawn", child))
    eventually(lambda: phases(stage, release_id) == ["running", "succeeded"])
    stage.end(f"app:a0-0/{tag}", "well")
    eventually(lambda: phases(stage, release_id) == ["succeeded", "succeeded"])


def test_an_app_that_is_a_workflow_and_says_it_is_running_is_at_work_until_it_ends(stage: Stage, tag: str):
    app = part(f"app:a/{tag}", workflow_type="TellingPart", says={"state": "running"})
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", part(f"cluster:c/{tag}", part(f"bundle:b/{tag}", app))))
    eventually(lambda: phases(stage, release_id) == ["running"], 30)
    (row,) = [row for row in rows(tree(stage, release_id)) if row["type"] == "app"]
    assert (row["state"], "last reported" in stage.ask(f"/releases/{release_id}/hierarchy").text) == ("running", False)
    stage.end(f"app:a/{tag}", "well")
    eventually(lambda: phases(stage, release_id) == ["succeeded"])


def test_what_was_at_work_when_its_release_ended_is_not_deployed(stage: Stage):
    release_id = start(stage, "r", with_states("running", "running"))
    stage.on(release_id, lambda handle: handle.signal("retry", "app:a0-0"))
    eventually(lambda: phases(stage, release_id) == ["running", "succeeded"])
    stage.on(release_id, lambda handle: handle.terminate("superseded"))
    eventually(lambda: phases(stage, release_id) == ["terminated", "succeeded"])
