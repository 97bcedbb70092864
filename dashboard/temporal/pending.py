"""Decode pending Nexus operations and the current workflow task."""

from datetime import datetime

from temporalio.api.enums.v1 import PendingNexusOperationState, PendingWorkflowTaskState
from temporalio.api.workflow.v1 import PendingNexusOperationInfo, PendingWorkflowTaskInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from dashboard.domain.entities import Attempt, AttemptKind, Failure
from dashboard.domain.problems import Problem
from dashboard.temporal.decode import clean_text
from dashboard.temporal.failures import read_failure
from dashboard.temporal.salvage import decode_each
from dashboard.temporal.timestamps import decode_timestamp

_STATE = PendingNexusOperationState


def read_operations(raw: DescribeWorkflowExecutionResponse, *, over: bool) -> dict[str, Attempt]:
    """Return pending Nexus operations as attempts by unique ID. Never raises."""
    pending = raw.pending_nexus_operations
    if not pending:
        return {}
    found = decode_each(
        "This Nexus operation", pending, lambda operation: decode_operation(operation, over=over), _bare
    )
    return {attempt.activity_id: attempt for attempt in found}


def _bare(operation: PendingNexusOperationInfo, problem: Problem) -> Attempt:
    name = f"Nexus operation #{operation.scheduled_event_id}"
    kind = AttemptKind.NEXUS_OPERATION
    return Attempt(name, operation.attempt, None, None, None, None, problem=problem, kind=kind)


def decode_operation(operation: PendingNexusOperationInfo, *, over: bool) -> Attempt:
    """Decode a pending Nexus operation. Temporal counts the failed attempt, unlike for activities."""
    name = f"{operation.service}/{operation.operation}"
    failed = (
        operation.HasField("last_attempt_failure") and operation.state != _STATE.PENDING_NEXUS_OPERATION_STATE_STARTED
    )
    return Attempt(
        activity_id=clean_text(f"{name}#{operation.scheduled_event_id}"),
        number=operation.attempt + 1 if failed else max(operation.attempt, 1),
        maximum=None,
        last_failure=_operation_failure(operation),
        next_at=None if over else decode_timestamp(operation.next_attempt_schedule_time),
        worker=None,
        activity_type=clean_text(f"Nexus operation {name} at {operation.endpoint}"),
        over=over,
        kind=AttemptKind.NEXUS_OPERATION,
    )


def _operation_failure(operation: PendingNexusOperationInfo) -> Failure | None:
    failure = read_failure(operation.last_attempt_failure) if operation.HasField("last_attempt_failure") else None
    if operation.state != _STATE.PENDING_NEXUS_OPERATION_STATE_BLOCKED:
        return failure
    causes = (failure, *failure.causes) if failure else ()
    return Failure("Blocked", clean_text(operation.blocked_reason) or "The operation is blocked.", causes)


def task_held_since(task: PendingWorkflowTaskInfo) -> datetime | None:
    """Return since when a worker has been running the workflow task, unless it is a retry."""
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED or task.attempt > 1:
        return None
    # A local activity that takes long completes its task and begins another: the original time is that of the first.
    return decode_timestamp(task.original_scheduled_time) or decode_timestamp(task.started_time)


def worker_version_of(info: WorkflowExecutionInfo) -> str:
    """Return the worker version that a workflow is pinned to, as deployment:build or build ID; empty if none."""
    versioning = info.versioning_info
    for version in (versioning.versioning_override.pinned.version, versioning.deployment_version):
        if version.build_id:
            return clean_text(worker_version_text(version.deployment_name, version.build_id))
    return clean_text(info.assigned_build_id)


def worker_version_text(deployment: str, build_id: str) -> str:
    """Format a worker version from its deployment and build."""
    return f"{deployment}:{build_id}" if deployment else build_id
