"""A rollout that says whatever a test tells it to: run as a worker of its own, on a task queue of its own.

python -m tests.support.scripted_rollout ADDRESS TASK_QUEUE [VERSION]
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import (
    RawValue,
    RetryPolicy,
    VersioningBehavior,
    WorkerDeploymentVersion,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from tests.support.rollout_makers import state, wave


@activity.defn
async def stumble(cause: str) -> None:
    """Fail with a cause, so that attempts pile up."""
    activity.heartbeat({"pulled": 3, "of": 7})
    error = ApplicationError("image pull back-off", type="ImagePullError")
    raise error from ConnectionError(f"connect timeout to {cause}")


@activity.defn
async def work(seconds: float) -> None:
    """Take so long, or fail again and again, as a local activity: the worker holds the workflow's task meanwhile."""
    if seconds < 0:
        raise ApplicationError("vault is sealed")
    await asyncio.sleep(seconds)


@workflow.defn(name="ScriptedRelease")
class ScriptedRelease:
    """Answers each query with what it was last told for it: JSON, or raw text of any encoding, or an error."""

    @workflow.init
    def __init__(self, answers: dict[str, Any]) -> None:
        # Not in `run`: a signal that comes with the first task is handled before it.
        self.answers = dict(answers)
        self.end: str | None = None
        self.stumbling: list[asyncio.Task[None]] = []

    @workflow.run
    async def run(self, answers: dict[str, Any]) -> None:
        try:
            await workflow.wait_condition(lambda: self.end is not None)
        except asyncio.CancelledError:
            if "rolls_back" not in self.answers:
                raise
            # What was asked for once is not asked for again: this goes on until it is told to end.
            await workflow.wait_condition(lambda: self.end is not None)
        if self.end == "again":
            workflow.continue_as_new(self.answers)
        if self.end != "well":
            raise ApplicationError(self.end or "", type="RolloutFailed")

    @workflow.signal
    def tell(self, answers: dict[str, Any]) -> None:
        self.answers |= answers

    @workflow.signal
    def finish(self, end: str) -> None:
        self.end = end

    @workflow.signal
    def retry(self, activity_id: str, task_queue: str | None = None) -> None:
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1.0, maximum_attempts=500)
        task = workflow.execute_activity(
            stumble,
            "registry.example.com",
            activity_id=activity_id,
            task_queue=task_queue,
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=policy,
        )
        self.stumbling.append(asyncio.ensure_future(task))

    @workflow.signal
    def rest(self) -> None:
        """Try nothing any more."""
        for task in self.stumbling:
            task.cancel()

    @workflow.signal
    def trip(self, message: str) -> None:
        """Fail as code with a mistake in it does: the workflow's task fails and is tried again, the workflow stays."""
        raise RuntimeError(message)

    @workflow.signal
    async def bear(self, child_id: str) -> None:
        """Start a child workflow that waits."""
        await workflow.start_child_workflow("ScriptedRelease", {}, id=child_id)

    @workflow.signal
    async def spawn(self, child: dict[str, Any]) -> None:
        await grow(child)

    @workflow.signal
    async def send(self, child_id: str, namespace: str) -> None:
        """Start a child workflow in another namespace, for which this SDK has no option, though the command has."""
        runtime: Any = workflow._Runtime.current()
        own = runtime._info
        runtime._info = replace(own, namespace=namespace)
        try:
            starting = asyncio.ensure_future(workflow.start_child_workflow("ScriptedRelease", {}, id=child_id))
            await asyncio.sleep(0)
        finally:
            runtime._info = own
        await starting

    @workflow.query(dynamic=True)
    def answer(self, name: str, args: Sequence[RawValue]) -> RawValue:
        if name not in self.answers:
            raise ValueError(f"Query handler for '{name}' expected but not found, known queries: []")
        found = self.answers[name]
        if isinstance(found, dict) and "raise" in found:
            raise ValueError(found["raise"])
        if isinstance(found, dict) and "slow" in found:
            time.sleep(found["slow"])
        if isinstance(found, dict) and "raw" in found:
            encoding = found.get("encoding", "json/plain").encode()
            return RawValue(Payload(metadata={"encoding": encoding}, data=found["raw"].encode("latin-1")))
        if isinstance(found, dict) and "repeat" in found:
            found = "x" * found["repeat"]
        if isinstance(found, dict) and found.keys() & {"wave_of", "state_of", "by_id"}:
            found = about(json.loads(args[0].payload.data), found)
        return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(found).encode()))


def about(entity_id: str, told: dict[str, Any]) -> Any:
    """What a query that names an entity answers: made from its id, or told for it."""
    if "wave_of" in told:
        return wave(entity_id, **told["wave_of"])
    if "state_of" in told:
        return state(entity_id, **told["state_of"])
    return told["by_id"].get(entity_id)


def seconds(number: float | None) -> timedelta | None:
    """So many seconds, if any number is given."""
    return None if number is None else timedelta(seconds=number)


async def fall(plan: dict[str, Any]) -> None:
    """Go wrong as a part is told to: in its own code, or in activities, which give up or are tried again."""
    if "bug" in plan:
        raise RuntimeError(plan["bug"])
    if "works" in plan:
        await workflow.execute_local_activity(
            work, plan["works"], schedule_to_close_timeout=timedelta(hours=1), retry_policy=RetryPolicy()
        )
    if "nexus" in plan:
        client = workflow.create_nexus_client(service="Billing", endpoint=plan["nexus"])
        await client.start_operation("charge", "7 EUR", schedule_to_close_timeout=timedelta(hours=1))
    if "gives_up" in plan:
        once = RetryPolicy(maximum_attempts=1)
        await workflow.execute_activity(
            stumble, plan["gives_up"], start_to_close_timeout=timedelta(seconds=5), retry_policy=once
        )
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1.0, maximum_attempts=5_000)
    for name in plan.get("stumbles", ()):
        workflow.start_activity(
            stumble, name, activity_id=name, start_to_close_timeout=timedelta(seconds=5), retry_policy=policy
        )


async def grow(child: dict[str, Any]) -> None:
    """Start a child workflow of any type."""
    policy = workflow.ParentClosePolicy.ABANDON if child.get("abandoned") else workflow.ParentClosePolicy.TERMINATE
    await workflow.start_child_workflow(
        child["type"],
        child,
        id=child["id"],
        task_queue=child.get("task_queue"),
        run_timeout=seconds(child.get("run_timeout")),
        task_timeout=seconds(child.get("task_timeout")),
        parent_close_policy=policy,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=child["retry"])) if "retry" in child else None,
        cron_schedule=child.get("cron", ""),
    )


@workflow.defn(dynamic=True)
class ScriptedTree:
    """A workflow of any other type, which answers no query: it starts its children, then ends as it is told."""

    def __init__(self) -> None:
        self.end: str | None = None

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None:
        plan = workflow.payload_converter().from_payload(args[0].payload, dict)
        await asyncio.gather(*(grow(child) for child in plan.get("children", ())))
        await fall(plan)
        if "stumble" in plan:
            policy = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=500)
            await workflow.execute_activity(
                stumble,
                "registry",
                task_queue=plan.get("stumbles_on"),
                start_to_close_timeout=timedelta(seconds=5),
                retry_policy=policy,
            )
        self.end = self.end or plan.get("end")
        try:
            await workflow.wait_condition(lambda: self.end is not None)
        except asyncio.CancelledError:
            if "rolls_back" not in plan:
                raise
            await workflow.wait_condition(lambda: self.end is not None)
        if self.end == "again":
            workflow.continue_as_new(plan.get("next", {}))
        if self.end != "well":
            raise ApplicationError(self.end or "", type="RolloutFailed")

    @workflow.signal
    def finish(self, end: str) -> None:
        self.end = end

    @workflow.signal
    async def spawn(self, child: dict[str, Any]) -> None:
        await grow(child)


@workflow.defn(name="TellingPart")
class TellingPart:
    """A part of a tree that answers for itself, with what it was last told; it starts no activity."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.end: str | None = None

    @workflow.run
    async def run(self, plan: dict[str, Any]) -> None:
        self.says |= plan.get("says", {"state": "deploying"})
        await asyncio.gather(*(grow(child) for child in plan.get("children", ())))
        self.end = self.end or plan.get("end")
        await workflow.wait_condition(lambda: self.end is not None)
        if self.end != "well":
            raise ApplicationError(self.end or "", type="RolloutFailed")

    @workflow.signal
    def tell(self, says: dict[str, Any]) -> None:
        self.says |= says

    @workflow.signal
    def finish(self, end: str) -> None:
        self.end = end

    @workflow.query
    def get_app_state(self, entity_id: str) -> dict[str, Any] | None:
        if "raise" in self.says:
            raise ValueError(self.says["raise"])
        return {"id": entity_id, **self.says}

    @workflow.query
    def get_release_state(self) -> dict[str, Any]:
        return {"id": workflow.info().workflow_id, **self.says}


@workflow.defn(name="ForeignQueries")
class ForeignQueries:
    """A workflow of somebody who never heard of the contract, with queries whose names begin like ours."""

    def __init__(self) -> None:
        self.end: str | None = None

    @workflow.run
    async def run(self, plan: dict[str, Any]) -> None:
        await asyncio.gather(*(grow(child) for child in plan.get("children", ())))
        await workflow.wait_condition(lambda: self.end is not None)

    @workflow.signal
    def finish(self, end: str) -> None:
        self.end = end

    @workflow.query
    def get_current_status(self) -> str:
        return "awaiting approval decision"

    @workflow.query
    def get_progress(self) -> int:
        return 40

    @workflow.query
    def get_state(self) -> dict[str, Any]:
        return {"state": "exploded"}


@workflow.defn(name="OtherAnswers")
class OtherAnswers:
    """A workflow whose queries have our names by chance: it answers what it was started with, or raises."""

    @workflow.init
    def __init__(self, plan: dict[str, Any]) -> None:
        self.answer = plan["answer"]
        self.end: str | None = None

    @workflow.run
    async def run(self, plan: dict[str, Any]) -> None:
        await asyncio.gather(*(grow(child) for child in plan.get("children", ())))
        await workflow.wait_condition(lambda: self.end is not None)

    @workflow.signal
    def finish(self, end: str) -> None:
        self.end = end

    @workflow.query
    def get_hierarchy(self) -> Any:
        if isinstance(self.answer, dict) and "raise" in self.answer:
            raise ValueError(self.answer["raise"])
        return self.answer

    @workflow.query
    def get_release_state(self) -> Any:
        return self.get_hierarchy()


async def main(address: str, task_queue: str, version: str = "") -> None:
    """Poll as a worker of this version, or of none."""
    bound = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion("scripted", version),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
    client = await Client.connect(address)
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=[ScriptedRelease, ScriptedTree, TellingPart, ForeignQueries, OtherAnswers],
        activities=[stumble, work],
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=bound if version else None,
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await worker.run()


if __name__ == "__main__":
    async_to_sync(main)(*sys.argv[1:])
    os._exit(0)
