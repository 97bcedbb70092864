"""Executions as the SDK gives them, turned into ours."""

from collections.abc import Iterable
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure as RawFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus

from dashboard.domain.entities import Attempt, Execution, Failure, Status
from dashboard.temporal.decode import clean_text

MAX_CAUSES = 20


def decode_status(status: WorkflowExecutionStatus | str | None) -> Status:
    """The status; one that is newer than this dashboard is UNKNOWN, not an error."""
    name = status.name if isinstance(status, WorkflowExecutionStatus) else (status or "").upper()
    name = {"CANCELLED": "CANCELED", "TIMEDOUT": "TIMED_OUT", "CONTINUEDASNEW": "CONTINUED_AS_NEW"}.get(name, name)
    return Status(name) if name in Status.__members__ else Status.UNKNOWN


def decode_execution(execution: WorkflowExecution) -> Execution:
    """An execution as visibility lists it."""
    return Execution(
        workflow_id=clean_text(execution.id),
        run_id=execution.run_id,
        workflow_type=clean_text(execution.workflow_type),
        status=decode_status(execution.status),
        started_at=execution.start_time,
        closed_at=execution.close_time,
        history_length=execution.history_length,
        task_queue=clean_text(execution.task_queue),
    )


def decode_description(description: WorkflowExecutionDescription) -> Execution:
    """An execution as `describe` gives it, with its pending activities."""
    plain = decode_execution(description)
    pending = description.raw_description.pending_activities
    return Execution(
        workflow_id=plain.workflow_id,
        run_id=plain.run_id,
        workflow_type=plain.workflow_type,
        status=plain.status,
        started_at=plain.started_at,
        closed_at=plain.closed_at,
        history_length=plain.history_length,
        task_queue=plain.task_queue,
        attempts=_attempts(pending),
        first_run_id=description.raw_info.first_run_id,
        children_pending=bool(description.raw_description.pending_children),
    )


def _attempts(pending: Iterable[PendingActivityInfo]) -> dict[str, Attempt]:
    return {clean_text(activity.activity_id): _attempt(activity) for activity in pending}


def _attempt(activity: PendingActivityInfo) -> Attempt:
    next_at: datetime | None = None
    if activity.HasField("next_attempt_schedule_time"):
        next_at = activity.next_attempt_schedule_time.ToDatetime(tzinfo=UTC)
    return Attempt(
        activity_id=clean_text(activity.activity_id),
        number=activity.attempt,
        maximum=activity.maximum_attempts or None,
        last_failure=decode_failure(activity.last_failure) if activity.HasField("last_failure") else None,
        next_at=next_at,
        worker=clean_text(activity.last_worker_identity) or None,
    )


def decode_failure(failure: RawFailure) -> Failure:
    """A failure with its causes, outermost first; the chain is bounded."""
    causes: list[Failure] = []
    cause = failure
    while cause.HasField("cause") and len(causes) < MAX_CAUSES:
        cause = cause.cause
        causes.append(Failure(_failure_type(cause), clean_text(cause.message)))
    return Failure(_failure_type(failure), clean_text(failure.message), tuple(causes))


def _failure_type(failure: RawFailure) -> str:
    kind = failure.WhichOneof("failure_info")
    if kind == "application_failure_info":
        return clean_text(failure.application_failure_info.type)
    return (kind or "").removesuffix("_info")


def decode_closing(event: HistoryEvent) -> Failure | None:
    """Why a run ended, from its last event; None where the event gives no reason."""
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        return decode_failure(event.workflow_execution_failed_event_attributes.failure)
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        reason = clean_text(event.workflow_execution_terminated_event_attributes.reason)
        return Failure("terminated", reason) if reason else None
    return None
