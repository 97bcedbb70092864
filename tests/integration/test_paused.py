"""Executions that Temporal has paused, on the real server: by whom, since when and why; the others are as ever."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest, UnpauseWorkflowExecutionRequest
from temporalio.client import Client

from tests.integration.test_child_workflows import part, rows, tree
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

TREE = hierarchy()
STATE = {key: value for key, value in TREE.items() if key != "waves"}
ANSWERS = {"get_hierarchy": TREE, "get_release_state": STATE}


def pause(stage: Stage, workflow_id: str, reason: str = "change freeze") -> None:
    """Pause a workflow and wait until Temporal's list says so."""

    async def act(client: Client) -> None:
        request = PauseWorkflowExecutionRequest(
            namespace="default", workflow_id=workflow_id, identity="op@example.com", reason=reason
        )
        await client.workflow_service.pause_workflow_execution(request)

    async def listed(client: Client) -> int:
        return (await client.count_workflows(f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'Paused'")).count

    stage.run(act)
    eventually(lambda: stage.run(listed) == 1, 30)


def unpause(stage: Stage, workflow_id: str) -> None:
    async def act(client: Client) -> None:
        request = UnpauseWorkflowExecutionRequest(namespace="default", workflow_id=workflow_id, identity="op")
        await client.workflow_service.unpause_workflow_execution(request)

    stage.run(act)


def item(stage: Stage, release_id: str) -> Any:
    return next(each for each in stage.json("/releases?page_size=100")["items"] if each["id"] == release_id)


def test_a_paused_release_is_paused_in_the_list_and_the_others_are_as_ever(stage: Stage):
    paused, other = stage.start("paused", ANSWERS), stage.start("other", ANSWERS)
    stage.listed("paused", "other")
    pause(stage, paused)
    eventually(lambda: item(stage, paused)["phase"] == "paused")
    assert item(stage, other)["phase"] == "running"
    assert item(stage, other)["problem"] is None
    for path in ("/releases", "/problems", "/kiosk", f"/releases/{paused}", f"/entities/{paused}"):
        assert stage.ask(path).status_code == 200, path


def test_a_paused_release_keeps_its_last_known_tree_and_says_how_old_it_is(stage: Stage):
    release_id = stage.start("paused", ANSWERS)
    eventually(lambda: len(rows(tree(stage, release_id))) > 3)
    before = datetime.fromisoformat(stage.json(f"/releases/{release_id}")["as_of"])
    pause(stage, release_id)
    eventually(lambda: stage.json(f"/releases/{release_id}")["phase"] == "paused")
    page = stage.json(f"/releases/{release_id}")
    assert len(rows(tree(stage, release_id))) > 3
    assert page["stale"]
    assert datetime.fromisoformat(page["as_of"]) >= before
    unpause(stage, release_id)
    eventually(lambda: not stage.json(f"/releases/{release_id}")["stale"])
    assert stage.json(f"/releases/{release_id}")["phase"] == "running"


def test_a_paused_child_workflow_is_a_paused_row(stage: Stage):
    tag = uuid4().hex[:8]
    release_id = stage.start_tree("r", part(f"wave:w/{tag}"), part(f"wave:v/{tag}"))
    eventually(lambda: len(rows(tree(stage, release_id))) == 2)
    pause(stage, f"wave:w/{tag}")

    def phases() -> dict[str, str]:
        return {row["id"]: row["phase"] for row in rows(tree(stage, release_id))}

    eventually(lambda: phases()[f"wave:w/{tag}"] == "paused")
    assert phases()[f"wave:v/{tag}"] == "running"


def test_a_paused_release_says_by_whom_why_and_since_when_and_has_a_filter_of_its_own(stage: Stage):
    release_id, other = stage.start("paused", ANSWERS), stage.start("other", ANSWERS)
    stage.listed("paused", "other")
    assert "phase=paused" not in stage.ask("/releases").text, "it is offered only where there are any"
    pause(stage, release_id, "quarter end")
    eventually(lambda: item(stage, release_id)["pause"] and item(stage, release_id)["pause"]["by"])
    said = item(stage, release_id)
    assert (said["pause"]["by"], said["pause"]["reason"]) == ("op@example.com", "quarter end")
    since = datetime.fromisoformat(said["pause"]["since"])
    told = f"paused by op@example.com: quarter end, since {since:%H:%M} UTC"
    assert told in said["problem"]["message"]
    for path in ("/releases", f"/releases/{release_id}"):
        eventually(lambda path=path: told in stage.ask(path).text)
    eventually(lambda: stage.json("/releases")["counts"].get("paused") == 1)
    filtered = stage.json("/releases?phase=paused")
    assert [each["id"] for each in filtered["items"]] == [release_id]
    assert other not in [each["id"] for each in filtered["items"]]
    assert "phase=paused" in stage.ask("/releases").text


def test_a_release_that_was_paused_before_it_was_ever_read_is_paused_and_nothing_more(stage: Stage):
    release_id = stage.start("paused", ANSWERS)
    stage.listed("paused")
    pause(stage, release_id)
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    page = stage.json(f"/releases/{release_id}")
    assert (page["phase"], page["problem"]["code"], page["status"]) == ("paused", "paused_in_temporal", "PAUSED")
    assert "paused by op@example.com: change freeze" in page["problem"]["message"]
    assert not [group for group in stage.json("/problems")["groups"] if "paused" in group["cause"]]
