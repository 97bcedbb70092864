"""Decode executions from protocol messages.

An undecodable field costs only that field: the record keeps the rest and has a gap.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import PendingWorkflowTaskState
from temporalio.api.workflow.v1 import PendingWorkflowTaskInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from dashboard.domain.entities import Execution, FailingTask, Pause, Status
from dashboard.domain.problems import Problem
from dashboard.temporal.activities import read_attempts, read_child_runs
from dashboard.temporal.decode import clean_text
from dashboard.temporal.pending import read_operations, task_held_since, worker_version_of
from dashboard.temporal.salvage import FieldDecoder, decode_each, decode_or_replace
from dashboard.temporal.timestamps import MAX_TASK_PICKUP_DELAY, decode_timestamp

# The placeholder for an unreadable start, for sorting.
UNREADABLE_START = datetime(1970, 1, 1, tzinfo=UTC)

# The numbers of the protocol. A server may know more of them than any enumeration that it was built beside.
_STATUSES = {
    1: Status.RUNNING,
    2: Status.COMPLETED,
    3: Status.FAILED,
    4: Status.CANCELED,
    5: Status.TERMINATED,
    6: Status.CONTINUED_AS_NEW,
    7: Status.TIMED_OUT,
    8: Status.PAUSED,
}
_WORDS = {status.replace("_", ""): status for status in _STATUSES.values()} | {"CANCELLED": Status.CANCELED}

_Fields = Mapping[str, tuple[str, Callable[[Any], Any], Any]]
"""For each field of an execution: what it is called, how it is read, and what stands in for it."""


def decode_status(code: int) -> Status:
    """Return the status with this number; UNKNOWN for unsupported ones."""
    return _STATUSES.get(code, Status.UNKNOWN)


def decode_status_word(payload: Payload) -> Status:
    """Return the status of a count group by its visibility name."""
    try:
        word = json.loads(payload.data)
    except ValueError:
        return Status.UNKNOWN
    return _WORDS.get(word.upper().replace("_", ""), Status.UNKNOWN) if isinstance(word, str) else Status.UNKNOWN


def read_status_word(payloads: Sequence[Payload]) -> Status:
    """Return the status of a count group. Never raises."""
    return decode_or_replace("The status of a group", lambda: decode_status_word(payloads[0]), lambda _: Status.UNKNOWN)


def _start(info: WorkflowExecutionInfo) -> datetime:
    started_at = decode_timestamp(info.start_time)
    if started_at is None:
        raise ValueError(f"no moment: {info.start_time.seconds}")
    return started_at


_LISTED: _Fields = {
    "workflow_type": ("The workflow's type", lambda info: clean_text(info.type.name), ""),
    "status": ("The status", lambda info: decode_status(info.status), Status.UNKNOWN),
    "status_code": ("The status", lambda info: None if info.status in _STATUSES else info.status, None),
    "started_at": ("The start", _start, UNREADABLE_START),
    "closed_at": ("The end", lambda info: decode_timestamp(info.close_time), None),
    "execution_time": ("The time of the first task", lambda info: decode_timestamp(info.execution_time), None),
    "history_length": ("The history's length", lambda info: info.history_length, None),
    "task_queue": ("The task queue", lambda info: clean_text(info.task_queue), ""),
}
_DESCRIBED: _Fields = {
    "first_run_id": ("The first run", lambda raw: raw.workflow_execution_info.first_run_id, ""),
    "failing_task": ("The workflow's task", lambda raw: _failing_task(raw.pending_workflow_task), None),
    "waiting_since": ("The workflow's task", lambda raw: _waiting_since(raw.pending_workflow_task), None),
    "original_started_at": ("The original start", lambda raw: _original_start(raw), None),
    "cancel_requested": ("A cancel request", lambda raw: raw.workflow_extended_info.cancel_requested, False),
    "pause": ("The pause", lambda raw: _pause(raw), None),
    "task_since": ("The workflow's task", lambda raw: task_held_since(raw.pending_workflow_task), None),
    "root_run_id": ("The run at the top", lambda raw: _root_run(raw.workflow_execution_info), ""),
    "version": ("The worker version", lambda raw: worker_version_of(raw.workflow_execution_info), ""),
}


def read_execution(info: WorkflowExecutionInfo) -> Execution:
    """Decode a listed execution, or return a placeholder. Never raises."""
    return read_executions((info,))[0]


def read_executions(infos: Iterable[WorkflowExecutionInfo]) -> list[Execution]:
    """Decode listed executions. Never raises."""
    return decode_each(
        "This execution", infos, decode_execution, lambda info, problem: bare_execution(info.execution, problem)
    )


def bare_execution(execution: WorkflowExecution, *gaps: Problem) -> Execution:
    """Return an execution with only its IDs."""
    return Execution(execution.workflow_id, execution.run_id, "", Status.UNKNOWN, UNREADABLE_START, gaps=gaps)


def decode_execution(info: WorkflowExecutionInfo) -> Execution:
    """Decode a listed execution. Undecodable fields become gaps."""
    fields, gaps = _read(info, _LISTED)
    return Execution(info.execution.workflow_id, info.execution.run_id, **fields, gaps=gaps)


def decode_description(raw: DescribeWorkflowExecutionResponse) -> Execution:
    """Decode a described execution with its pending work. Undecodable fields become gaps."""
    execution = read_execution(raw.workflow_execution_info)
    over = execution.closed_at is not None
    fields, gaps = _read(raw, _DESCRIBED)
    return replace(
        execution,
        **fields,
        attempts=read_attempts(raw.pending_activities, over=over) | read_operations(raw, over=over),
        child_runs=read_child_runs(raw.pending_children),
        children_pending=bool(raw.pending_children),
        gaps=(*execution.gaps, *gaps),
    )


def read_description(raw: DescribeWorkflowExecutionResponse) -> Execution:
    """Decode a described execution, or return a placeholder. Never raises."""
    instead = lambda problem: bare_execution(raw.workflow_execution_info.execution, problem)  # noqa: E731
    return decode_or_replace("This execution", lambda: decode_description(raw), instead)


def _read(record: Message, fields: _Fields) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    try:
        return {name: read(record) for name, (_, read, _) in fields.items()}, ()
    except Exception:  # noqa: BLE001 - found again field by field, and logged there
        salvage = FieldDecoder()
        found = {
            name: salvage.take(what, lambda read=read: read(record), instead)  # type: ignore[misc]
            for name, (what, read, instead) in fields.items()
        }
        return found, tuple(salvage.gaps)


def _failing_task(task: PendingWorkflowTaskInfo) -> FailingTask | None:
    return FailingTask(task.attempt) if task.attempt > 1 else None


def _waiting_since(task: PendingWorkflowTaskInfo) -> datetime | None:
    """Return since when a workflow's next step has been waiting for a worker, if unusually long."""
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
        return None
    since = decode_timestamp(task.scheduled_time)
    return since if since and datetime.now(UTC) - since > MAX_TASK_PICKUP_DELAY else None


def _original_start(raw: DescribeWorkflowExecutionResponse) -> datetime | None:
    """Return the start of the run that this one was reset from, if it was."""
    original = decode_timestamp(raw.workflow_extended_info.original_start_time)
    return original if original and original != decode_timestamp(raw.workflow_execution_info.start_time) else None


def _root_run(info: WorkflowExecutionInfo) -> str:
    """Return the root run of its tree if that is another workflow's, or an empty string."""
    root = info.root_execution
    return "" if root.workflow_id == info.execution.workflow_id else root.run_id


def _pause(raw: DescribeWorkflowExecutionResponse) -> Pause | None:
    if not raw.workflow_extended_info.HasField("pause_info"):
        return None
    told = raw.workflow_extended_info.pause_info
    return Pause(clean_text(told.identity), clean_text(told.reason), decode_timestamp(told.paused_time))
