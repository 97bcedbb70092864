"""Executions as the SDK gives them, turned into ours."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure as RawFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingChildExecutionInfo, PendingWorkflowTaskInfo
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus

from dashboard.domain.entities import Attempt, ChildRun, Execution, FailingTask, Failure, Status
from dashboard.temporal.decode import clean_text

MAX_CAUSES = 20
# A worker that polls takes a step up within milliseconds; a busy one may need seconds.
TOO_LONG = timedelta(seconds=5)
# Characters kept of what an activity tells of itself.
MAX_HEARTBEAT = 2_000


def decode_status(status: WorkflowExecutionStatus | str | None) -> Status:
    """The status; one that is newer than this dashboard is UNKNOWN, not an error."""
    name = status.name if isinstance(status, WorkflowExecutionStatus) else (status or "").upper()
    name = {"CANCELLED": "CANCELED", "TIMEDOUT": "TIMED_OUT", "CONTINUEDASNEW": "CONTINUED_AS_NEW"}.get(name, name)
    return Status(name) if name in Status.__members__ else Status.UNKNOWN


def decode_execution(execution: WorkflowExecution) -> Execution:
    """An execution as visibility lists it."""
    return Execution(
        workflow_id=execution.id,
        run_id=execution.run_id,
        workflow_type=clean_text(execution.workflow_type),
        status=decode_status(execution.status),
        started_at=execution.start_time,
        closed_at=execution.close_time,
        history_length=execution.history_length,
        task_queue=clean_text(execution.task_queue),
    )


def decode_description(description: WorkflowExecutionDescription) -> Execution:
    """An execution as `describe` gives it, with what is pending for it."""
    raw = description.raw_description
    task_attempt = raw.pending_workflow_task.attempt
    return replace(
        decode_execution(description),
        attempts=_attempts(raw.pending_activities, over=description.close_time is not None),
        child_runs=tuple(_child_run(child) for child in raw.pending_children),
        failing_task=FailingTask(task_attempt) if task_attempt > 1 else None,
        waiting_since=_waiting_since(raw.pending_workflow_task),
        first_run_id=description.raw_info.first_run_id,
        children_pending=bool(raw.pending_children),
    )


def _waiting_since(task: PendingWorkflowTaskInfo) -> datetime | None:
    """Since when a workflow's next step lies there for a worker to take it up, if that is longer than usual."""
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
        return None
    since = task.scheduled_time.ToDatetime(tzinfo=UTC)
    return since if datetime.now(UTC) - since > TOO_LONG else None


def _child_run(child: PendingChildExecutionInfo) -> ChildRun:
    return ChildRun(clean_text(child.workflow_id), child.run_id, clean_text(child.workflow_type_name))


def _attempts(pending: Iterable[PendingActivityInfo], *, over: bool) -> dict[str, Attempt]:
    return {clean_text(activity.activity_id): _attempt(activity, over) for activity in pending}


def _attempt(activity: PendingActivityInfo, over: bool) -> Attempt:
    """Temporal still lists as pending what a workflow has left behind, with a time for an attempt that never comes."""
    next_at: datetime | None = None
    if activity.HasField("next_attempt_schedule_time") and not over:
        next_at = activity.next_attempt_schedule_time.ToDatetime(tzinfo=UTC)
    return Attempt(
        activity_id=clean_text(activity.activity_id),
        number=activity.attempt,
        maximum=activity.maximum_attempts or None,
        last_failure=decode_failure(activity.last_failure) if activity.HasField("last_failure") else None,
        next_at=next_at,
        worker=clean_text(activity.last_worker_identity) or None,
        activity_type=clean_text(activity.activity_type.name),
        heartbeat=_heartbeat(activity.heartbeat_details.payloads),
        paused=activity.paused and not over,
        over=over,
    )


def _heartbeat(payloads: Iterable[Payload]) -> str | None:
    """Details as their JSON text, one a line, cut to what a page has room for."""
    text = "\n".join(_payload_text(payload) for payload in payloads)
    return (text if len(text) <= MAX_HEARTBEAT else f"{text[: MAX_HEARTBEAT - 1]}…") or None


def _payload_text(payload: Payload) -> str:
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    if encoding == "binary/null":
        return "null"
    if not encoding.startswith("json/"):
        return f"(encoded as {clean_text(encoding) or 'nothing known'})"
    # No more is decoded than can be shown.
    return clean_text(payload.data[: 4 * MAX_HEARTBEAT].decode("utf-8", "replace"))


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


def decode_task_failure(events: Iterable[HistoryEvent]) -> Failure | None:
    """Why a workflow task failed, from the newest events; None where none of them says so."""
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return decode_failure(event.workflow_task_failed_event_attributes.failure)
    return None
