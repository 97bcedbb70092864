"""Why releases failed, on the real server: what is at the bottom of the chain is the cause, and all of it is kept."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from dashboard.concurrency.loop_thread import LoopThread
from tests.integration.test_child_workflows import rows, tree
from tests.support.harness import Stage
from tests.support.waiting import eventually

HELM = "RuntimeError: helm: timed out waiting for the condition"
LONG = "x" * 400_000


@activity.defn
async def deploy(how: str) -> None:
    """Fail in this way."""
    if how == "hang":
        await asyncio.sleep(600)
    if how == "wrapped":
        raise ApplicationError("deploy failed", type="DeployFailed") from KeyError("emea")
    if how == "long":
        raise RuntimeError(LONG)
    raise RuntimeError("helm: timed out waiting for the condition")


async def once(how: str, **options: Any) -> None:
    options = {"start_to_close_timeout": timedelta(seconds=30)} | options
    await workflow.execute_activity(deploy, how, retry_policy=RetryPolicy(maximum_attempts=1), **options)


@workflow.defn
class FailingCluster:
    @workflow.run
    async def run(self, how: str) -> None:
        await once(how)


@workflow.defn
class FailingWave:
    @workflow.run
    async def run(self, how: str) -> None:
        await workflow.execute_child_workflow(FailingCluster.run, how, id=f"cluster:a/{workflow.info().workflow_id}")


@workflow.defn
class FailingRelease:
    @workflow.run
    async def run(self, how: str) -> None:
        if how in {"own", "wrapped", "long"}:
            await once(how)
        if how == "heartbeat":
            await once("hang", heartbeat_timeout=timedelta(seconds=1))
        if how == "start-to-close":
            await once("hang", start_to_close_timeout=timedelta(seconds=1))
        child_id = f"wave:1/{workflow.info().workflow_id}"
        try:
            await workflow.execute_child_workflow(FailingWave.run, how, id=child_id)
        except Exception as exc:
            if how == "caught":
                raise ApplicationError("Wave 1 did not succeed") from exc
            raise


@workflow.defn
class IdleStep:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(600)


@workflow.defn
class AwaitingRelease:
    @workflow.run
    async def run(self, how: str) -> None:
        limit = timedelta(seconds=1) if how == "time-out" else None
        child_id = f"step/{workflow.info().workflow_id}"
        await workflow.execute_child_workflow(IdleStep.run, id=child_id, run_timeout=limit)


@pytest.fixture(scope="module")
def failing_queue(temporal_address: str) -> Iterator[str]:
    """A task queue whose worker runs releases that fail."""
    loop, queue = LoopThread(), f"failing-{uuid4().hex[:8]}"
    ended: Future[None] = Future()

    async def work(started: asyncio.Event) -> None:
        client = await Client.connect(temporal_address)
        workflows = [FailingRelease, FailingWave, FailingCluster, AwaitingRelease, IdleStep]
        worker = Worker(
            client,
            task_queue=queue,
            workflows=workflows,
            activities=[deploy],
            workflow_runner=UnsandboxedWorkflowRunner(),
            graceful_shutdown_timeout=timedelta(0),
        )
        async with worker:
            started.set()
            await asyncio.wrap_future(ended)

    async def begin() -> asyncio.Task[None]:
        started = asyncio.Event()
        task = asyncio.create_task(work(started))
        await started.wait()
        return task

    async def end(task: asyncio.Task[None]) -> None:
        ended.set_result(None)
        await task

    task = loop.call(begin, 30)
    yield queue
    loop.call(lambda: end(task), 30)
    loop.stop()


def failed(stage: Stage, queue: str, how: str) -> str:
    """A release that has failed in this way, once it is listed as failed."""
    release_id = f"{stage.prefix}-{how}"
    stage.run(lambda client: client.start_workflow("FailingRelease", how, id=release_id, task_queue=queue))
    stage.wait_until_closed(release_id)
    eventually(lambda: how in stage.listed(how) and stage.listed(how)[how]["phase"] == "failed")
    return release_id


@pytest.mark.parametrize(
    ("how", "cause", "outermost", "depth"),
    [
        ("own", HELM, "Activity task failed", 1),
        ("child", HELM, "Child Workflow execution failed", 3),
        ("caught", HELM, "Wave 1 did not succeed", 4),
        ("wrapped", "KeyError: 'emea'", "Activity task failed", 2),
    ],
)
def test_the_innermost_application_failure_is_the_cause_and_the_whole_chain_is_kept(
    stage: Stage, failing_queue: str, how: str, cause: str, outermost: str, depth: int
):
    release_id = failed(stage, failing_queue, how)
    eventually(lambda: stage.listed(how)[how]["error_message"] == cause)
    assert cause.partition(": ")[2].strip("'") in stage.ask("/releases").text
    page = stage.json(f"/releases/{release_id}")
    assert page["error_message"] == cause
    assert page["details"]["error_message"].endswith(outermost), "its own words are kept as context"
    assert page["failure"]["message"].endswith(outermost)
    assert len(page["failure"]["causes"]) == depth
    text = stage.ask(f"/releases/{release_id}").text
    assert page["failure"]["message"] in text
    eventually(lambda: cause in [group["cause"] for group in stage.json("/problems")["groups"]])
    causes = [group["cause"] for group in stage.json("/problems")["groups"]]
    assert not [each for each in causes if "Activity task failed" in each or "Child Workflow" in each]


@pytest.mark.parametrize(
    ("how", "kind"), [("heartbeat", "HeartbeatTimeout"), ("start-to-close", "StartToCloseTimeout")]
)
def test_a_time_out_says_which_one_it_was_and_of_which_activity(stage: Stage, failing_queue: str, how: str, kind: str):
    release_id = failed(stage, failing_queue, how)
    cause = stage.json(f"/releases/{release_id}")["error_message"]
    assert cause.startswith(kind)
    assert cause.endswith("(deploy)")
    eventually(lambda: (stage.listed(how)[how]["error_message"] or "").startswith(kind))


def test_releases_that_fail_for_one_cause_in_different_depths_are_one_group(stage: Stage, failing_queue: str):
    for how in ("own", "child", "caught"):
        failed(stage, failing_queue, how)
    eventually(lambda: sum(group["releases"] for group in stage.json("/problems")["groups"]) == 3)
    (group,) = stage.json("/problems")["groups"]
    assert (group["cause"], group["releases"]) == (HELM, 3)


def test_a_very_long_failure_is_bounded_in_rows_and_whole_in_the_json_of_its_release(stage: Stage, failing_queue: str):
    release_id = failed(stage, failing_queue, "long")
    assert len(stage.listed("long")["long"]["error_message"]) == 300
    for path in ("/releases", "/problems", "/kiosk", f"/releases/{release_id}"):
        assert LONG[:20_000] not in stage.ask(path).text, path
    assert len(stage.json(f"/releases/{release_id}")["error_message"]) > 100_000
    assert len(stage.ask("/api/problems").text) < 30_000


def test_the_cause_of_a_child_workflow_stands_on_its_row(stage: Stage, failing_queue: str):
    release_id = failed(stage, failing_queue, "child")
    eventually(lambda: [row["error_message"] for row in rows(tree(stage, release_id))] == [HELM] * 2)


def test_a_list_of_releases_with_very_long_words_is_small_and_each_has_the_whole_of_them(stage: Stage):
    words = "helm: Error: UPGRADE FAILED " * 10_000
    answers = {"id": "r", "state": "failed", "error_message": words, "log": [{"text": words}], "wave_ids": []}
    names = [f"loud-{number}" for number in range(6)]
    for name in names:
        stage.start(name, {"get_release_state": answers, "get_hierarchy": {**answers, "waves": []}})
    stage.listed(*names)
    eventually(lambda: all(item["error_message"] for item in stage.listed(*names).values()))
    for path in ("/releases", "/api/releases", "/problems", "/api/problems", "/kiosk", "/api/kiosk"):
        assert len(stage.ask(path).text) < 100_000, path
    release_id = f"{stage.prefix}-loud-0"
    assert stage.json(f"/releases/{release_id}")["error_message"] == words
    assert words.strip() in stage.ask(f"/releases/{release_id}/entities/{release_id}").text
    assert len(stage.ask(f"/releases/{release_id}").text) < 100_000


@pytest.mark.parametrize(
    ("how", "what"), [("time-out", "timed out"), ("terminate", "was terminated"), ("cancel", "was cancelled")]
)
def test_a_release_that_fails_with_its_child_says_with_which_and_how_that_ended(
    stage: Stage, failing_queue: str, how: str, what: str
):
    release_id = f"{stage.prefix}-{how}"
    stage.run(lambda client: client.start_workflow("AwaitingRelease", how, id=release_id, task_queue=failing_queue))
    if how != "time-out":
        eventually(lambda: stage.json(f"/releases/{release_id}")["progress"]["running"] == 1)
        stage.on(f"step/{release_id}", lambda handle: getattr(handle, how)())
    stage.wait_until_closed(release_id)
    cause = f"The child workflow step/{release_id} {what}."
    eventually(lambda: stage.json(f"/releases/{release_id}")["error_message"] == cause)
    eventually(lambda: [item["error_message"] for item in stage.listed(how).values()] == [cause])
    # Of a child that timed out its own row says which limit that was, and the release repeats it.
    limit = "The workflow did not end within its run timeout"
    eventually(lambda: how != "time-out" or stage.json("/problems")["groups"][0]["cause"].startswith(limit))
    assert len(stage.json("/problems")["groups"]) == 1
