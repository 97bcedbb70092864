"""A worker that is at work is no worker that is missing, and one of another version is none for this workflow."""

from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest

from tests.integration.test_child_troubles import address_of, causes, queueless, row_of
from tests.integration.test_child_workflows import part, tree
from tests.integration.test_stuck_reasons import words
from tests.support.harness import Stage, scripted_worker
from tests.support.waiting import eventually


@pytest.fixture
def tag() -> str:
    """Makes the ids of child workflows unique in the namespace."""
    return uuid4().hex[:8]


def start_plan(stage: Stage, name: str, **plan: Any) -> str:
    """Start a release that answers no query and does what this plan says; returns its id."""
    release_id = f"{stage.prefix}-{name}"
    queue = stage.task_queue
    stage.run(lambda client: client.start_workflow("TreeRelease", plan, id=release_id, task_queue=queue))
    return release_id


def problem_code(item: Any) -> str | None:
    return item["problem"]["code"] if item["problem"] else None


@pytest.mark.parametrize("works", [300, -1], ids=["slow", "tried again"])
def test_a_release_whose_worker_runs_a_local_activity_is_at_work_and_no_problem(stage: Stage, works: int):
    release_id = start_plan(stage, "busy", works=works)
    eventually(lambda: problem_code(stage.json(f"/releases/{release_id}")) == "worker_at_work")
    page = stage.json(f"/releases/{release_id}")
    assert (page["phase"], page["waiting_since"], page["failing_task"]) == ("running", None, None)
    assert page["problem"]["message"].startswith("Busy: a worker has been running the workflow task since ")
    assert "Incomplete data" not in words(stage, f"/releases/{release_id}")
    eventually(lambda: problem_code(stage.listed("busy")["busy"]) == "worker_at_work")
    assert stage.json("/problems")["groups"] == []


def test_a_child_whose_worker_runs_a_local_activity_is_in_no_trouble(stage: Stage, tag: str):
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", works=300))
    eventually(lambda: row_of(stage, release_id, f"wave:w/{tag}"))
    row = row_of(stage, release_id, f"wave:w/{tag}")
    assert (row["phase"], row["problem"], row["attempt"]) == ("running", None, None)


def test_a_step_that_none_of_the_workers_that_poll_may_take_says_which_version_they_have(
    stage: Stage, tag: str, tmp_path: Any
):
    queue = f"{stage.prefix}-versioned"
    with scripted_worker(stage.address, queue, tmp_path / "worker.log", version="2.0"):
        release_id = stage.start_tree("r", part(f"wave:w/{tag}", task_queue=queue))
        eventually(lambda: (row_of(stage, release_id, f"wave:w/{tag}") or {}).get("problem"))
        message = row_of(stage, release_id, f"wave:w/{tag}")["problem"]["message"]
        assert "none can run this step" in message
        assert "It requires a worker without a version; the workers have scripted:2.0." in message
        alone = stage.start_tree("alone", task_queue=queue)
        eventually(lambda: stage.json(f"/releases/{alone}")["waiting_since"])
        eventually(
            lambda: (
                "none can run this step. It requires a worker without a version" in words(stage, f"/releases/{alone}")
            )
        )
        assert "is a worker polling it?" not in words(stage, f"/releases/{alone}")


def test_a_nexus_operation_that_is_tried_again_is_pending_like_an_activity(stage: Stage, tag: str):
    endpoint = f"billing-{tag}"

    async def create(client: Any) -> None:
        request = CreateNexusEndpointRequest()
        request.spec.name = endpoint
        request.spec.target.worker.namespace = "default"
        request.spec.target.worker.task_queue = f"nobody-{tag}"
        await client.operator_service.create_nexus_endpoint(request)

    stage.run(create)
    release_id = stage.start_tree("r", part(f"wave:w/{tag}", nexus=endpoint))
    own = start_plan(stage, "own", nexus=endpoint)
    eventually(lambda: ((row_of(stage, release_id, f"wave:w/{tag}") or {}).get("attempt") or {}).get("retrying"), 60)
    attempt = row_of(stage, release_id, f"wave:w/{tag}")["attempt"]
    assert (attempt["kind"], attempt["activity_id"]) == ("nexus_operation", "Billing/charge#5")
    assert attempt["last_failure"]["message"] == "upstream timeout"
    assert tree(stage, release_id)["progress"]["retrying"] == 1
    assert f"Nexus operation Billing/charge at {endpoint}" in words(stage, address_of(release_id, f"wave:w/{tag}"))
    eventually(lambda: [each["retrying"] for each in stage.json(f"/releases/{own}")["also_pending"]] == [True], 60)
    (pending,) = stage.json(f"/releases/{own}")["also_pending"]
    assert pending["kind"] == "nexus_operation"
    stage.listed("r", "own")
    eventually(lambda: any("upstream timeout" in cause for cause in causes(stage)))


def test_a_release_that_no_worker_takes_and_its_child_say_that_none_polls(stage: Stage, tag: str):
    release_id = stage.start_tree("r", task_queue=f"nobody-{tag}")
    eventually(lambda: "no worker is polling it." in words(stage, f"/releases/{release_id}"))
    stage.listed("r")
    silent = "running, no worker is picking up its next step"
    eventually(lambda: silent in [item["summary"] for item in stage.json("/releases")["items"]])
    eventually(lambda: any(cause.startswith("No worker is picking up its first step") for cause in causes(stage)))
    with_child = stage.start_tree("c", queueless(f"wave:w/{tag}"))
    eventually(lambda: "no worker is polling it." in words(stage, f"/releases/{with_child}"))
