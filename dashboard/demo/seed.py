"""Start the samples and bring them to their target states. Idempotent."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from dashboard.demo.samples import Sample, SampleEnding, samples
from dashboard.demo.tree import TREE_RELEASE_TYPE
from dashboard.demo.workflows import RELEASE_TYPE

DEMO_TASK_QUEUE = "sample-rollouts"
TERMINATION_REASON = "Stopped by the release desk: superseded by a later release of the same apps"
SEED_POLL_SECONDS = 0.2

AnyWorkflowHandle = WorkflowHandle[Any, Any]


async def seed_samples(client: Client, pace: float, say: Callable[[str], None]) -> None:
    """Start all samples (`started`), bring them to their states (`settled`), then continue the series."""
    running = [(sample, await start_sample(client, sample)) for sample in samples(pace)]
    say("started")
    async with asyncio.TaskGroup() as group:
        for sample, handle in running:
            group.create_task(settle_sample(client, sample, handle))
    say("settled")
    async with asyncio.TaskGroup() as group:
        for sample, handle in running:
            if sample.series:
                group.create_task(_keep_going(client, sample, handle))


async def _keep_going(client: Client, sample: Sample, handle: AnyWorkflowHandle) -> None:
    while True:
        await wait_until_ended(handle)
        handle = await start_sample(client, sample)


async def start_sample(client: Client, sample: Sample) -> AnyWorkflowHandle:
    """Start a sample unless it exists in Temporal."""
    release_id = await _latest_of_series(client, sample) if sample.series else sample.release_id
    workflow_type = TREE_RELEASE_TYPE if sample.tree else RELEASE_TYPE
    try:
        return await client.start_workflow(
            workflow_type,
            sample.plan,
            id=release_id,
            task_queue=DEMO_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        return client.get_workflow_handle(release_id)


async def settle_sample(client: Client, sample: Sample, handle: AnyWorkflowHandle) -> None:
    """Wait until a sample is in its target state; cancel or terminate it if planned."""
    if sample.ending is SampleEnding.ITSELF:
        await wait_until_ended(handle)
        return
    reached = _tree_reached if sample.tree else _reached
    while not await reached(client, sample, handle):  # noqa: ASYNC110 - nothing but asking again tells
        await asyncio.sleep(SEED_POLL_SECONDS)
    if sample.ending is SampleEnding.OPEN:
        return
    try:
        await (handle.cancel() if sample.ending is SampleEnding.CANCEL else handle.terminate(reason=TERMINATION_REASON))
    except RPCError as exc:
        # It has ended already, in an earlier run of the demo.
        if exc.status is not RPCStatusCode.NOT_FOUND:
            raise
    await wait_until_ended(handle)


async def wait_until_ended(handle: AnyWorkflowHandle) -> None:
    """Wait until a release has ended."""
    with suppress(WorkflowFailureError):
        await handle.result()


async def _tree_reached(client: Client, sample: Sample, handle: AnyWorkflowHandle) -> bool:
    """Return whether the landmark's workflow is failing and visible in the list."""
    if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
        return True
    # Visibility lags: wait until the state is visible.
    listed = client.list_workflows(f"WorkflowId = '{sample.landmark}'")
    return any([await _failing(client, execution.id) async for execution in listed])


async def _failing(client: Client, workflow_id: str) -> bool:
    description = await client.get_workflow_handle(workflow_id).describe()
    pending = description.raw_description.pending_activities
    return bool(pending) and all(activity.attempt > 1 for activity in pending)


async def _reached(_client: Client, sample: Sample, handle: AnyWorkflowHandle) -> bool:
    description = await handle.describe()
    if description.status is not WorkflowExecutionStatus.RUNNING:
        return True
    pending = description.raw_description.pending_activities
    if sample.plan.faults and not (pending and all(activity.attempt > 1 for activity in pending)):
        return False
    kind = sample.landmark.partition(":")[0]
    try:
        said = await handle.query(f"get_{kind}_state", sample.landmark)
    except RPCError as exc:
        # Under load, or while the worker comes up, a query may go unanswered: it is asked again.
        if exc.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION}:
            return False
        raise
    return bool(said["state"] != "pending")


async def _latest_of_series(client: Client, sample: Sample) -> str:
    """Return the id of the latest release of a series, or of the next one if that has ended.

    Older ones may be past their retention, so that the first number says nothing about the latest.
    """
    found = client.list_workflows(f"WorkflowId STARTS_WITH '{sample.release_id}'")
    numbers = [int(number) async for execution in found if (number := execution.id[len(sample.release_id) :]).isdigit()]
    if not numbers:
        return f"{sample.release_id}{sample.series}"
    # Not the list's own status, which lags behind.
    latest = client.get_workflow_handle(f"{sample.release_id}{max(numbers)}")
    ended = (await latest.describe()).status is not WorkflowExecutionStatus.RUNNING
    return f"{sample.release_id}{max(numbers) + ended}"
