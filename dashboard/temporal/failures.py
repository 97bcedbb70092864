"""Decode failures and closing events."""

import json
from collections.abc import Iterable
from itertools import pairwise

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.failure.v1 import Failure as RawFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from dashboard.domain.cause_texts import child_failure_cause
from dashboard.domain.entities import ENCRYPTED_FAILURE, UNREADABLE_FAILURE, Failure, Status
from dashboard.domain.problems import Problem
from dashboard.temporal.decode import clean_text
from dashboard.temporal.salvage import decode_or_replace

MAX_FAILURE_CAUSES = 20
# Characters kept of a message: no server lets one be longer that is a failure's alone.
MAX_MESSAGE_LENGTH = 4_000_000

RESET_IDENTITY = "history-resetter"

_ENDS = {"timeout": Status.TIMED_OUT, "terminated": Status.TERMINATED, "canceled": Status.CANCELED}
_TIMEOUTS = {
    TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE: "StartToCloseTimeout",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START: "ScheduleToStartTimeout",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "ScheduleToCloseTimeout",
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: "HeartbeatTimeout",
}


def read_failure(failure: RawFailure) -> Failure:
    """Decode a failure with its causes, or return a placeholder. Never raises."""
    return decode_or_replace("A failure", lambda: decode_failure(failure), _unread)


def decode_failure(failure: RawFailure) -> Failure:
    """Decode a failure with its causes, outermost first. Long chains are shortened, keeping the innermost."""
    chain = [failure]
    while chain[-1].HasField("cause"):
        chain.append(chain[-1].cause)
    causes = list(pairwise(chain))
    kept = [*causes[: MAX_FAILURE_CAUSES - 1], causes[-1]] if len(causes) > MAX_FAILURE_CAUSES else causes
    own = _link(failure)
    return Failure(own.type, own.message, tuple(_link(cause, outer) for outer, cause in kept), own.kind)


def _link(failure: RawFailure, outer: RawFailure | None = None) -> Failure:
    """Decode one failure of a chain; `outer` is the failure that it caused."""
    return decode_or_replace("A failure", lambda: _decoded(failure, outer), _unread)


def _unread(_problem: Problem) -> Failure:
    return Failure("", UNREADABLE_FAILURE)


def _decoded(failure: RawFailure, outer: RawFailure | None) -> Failure:
    kind = (failure.WhichOneof("failure_info") or "").removesuffix("_failure_info")
    if kind in _ENDS and outer and outer.HasField("child_workflow_execution_failure_info"):
        # What the server says of it then is the same for every workflow, and names no time limit that the child has.
        child = outer.child_workflow_execution_failure_info.workflow_execution.workflow_id
        return Failure("", child_failure_cause(clean_text(child), _ENDS[kind]), kind=kind, by=_by(failure, kind))
    message = _message(failure)
    if kind == "timeout" and outer and outer.HasField("activity_failure_info"):
        # The server's words for it name no activity.
        name = clean_text(outer.activity_failure_info.activity_type.name)
        message = f"{message} ({name})" if name else message
    return Failure(_type(failure, kind), message, kind=kind, by=_by(failure, kind))


def _type(failure: RawFailure, kind: str) -> str:
    if kind == "application":
        return clean_text(failure.application_failure_info.type)
    if kind == "timeout":
        return _TIMEOUTS.get(failure.timeout_failure_info.timeout_type, "Timeout")
    if kind == "nexus_handler":
        return clean_text(failure.nexus_handler_failure_info.type)
    return f"{kind}_failure" if kind else ""


def _by(failure: RawFailure, kind: str) -> str:
    if kind == "terminated":
        return clean_text(failure.terminated_failure_info.identity)
    return clean_text(failure.canceled_failure_info.identity) if kind == "canceled" else ""


def _message(failure: RawFailure) -> str:
    if not failure.HasField("encoded_attributes"):
        return bounded_text(failure.message)
    return bounded_text(_encoded_message(failure.encoded_attributes))


def _encoded_message(attributes: Payload) -> str:
    """Return the message in a failure's encoded attributes, if not encrypted."""
    if attributes.metadata.get("encoding") != b"json/plain":
        return ENCRYPTED_FAILURE
    told = json.loads(attributes.data)
    message = told.get("message") if isinstance(told, dict) else None
    return message if isinstance(message, str) else UNREADABLE_FAILURE


def bounded_text(text: str) -> str:
    """Return a clean, truncated text."""
    return clean_text(text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[: MAX_MESSAGE_LENGTH - 1]}…")


def read_closing(event: HistoryEvent) -> Failure | None:
    """Return why a run ended, from its closing event, or None. Never raises."""
    return decode_or_replace("The end of this execution", lambda: decode_closing(event), _unread)


def read_cancellation(events: Iterable[HistoryEvent]) -> Failure | None:
    """Return who requested cancellation and why, from the newest events. Never raises."""
    return decode_or_replace("The end of this execution", lambda: decode_cancellation(events), _unread)


def read_task_failure(events: Iterable[HistoryEvent]) -> Failure | None:
    """Return why a workflow task failed, from the newest events. Never raises."""
    return decode_or_replace("The failure of the workflow's task", lambda: decode_task_failure(events), _unread)


def decode_closing(event: HistoryEvent) -> Failure | None:
    """Return why a run ended, from its closing event, or None."""
    kind = event.event_type
    if kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        return read_failure(event.workflow_execution_failed_event_attributes.failure)
    if kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
        # A run that failed and is retried, or that its schedule starts again, ends like this.
        again = event.workflow_execution_continued_as_new_event_attributes
        return read_failure(again.failure) if again.HasField("failure") else None
    if kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        terminated = event.workflow_execution_terminated_event_attributes
        by = clean_text(terminated.identity)
        reason = bounded_text(terminated.reason) or (f"terminated by {by}" if by else "")
        return Failure("", reason, kind="terminated", by=by) if reason else None
    return None


def read_timeout(raw: DescribeWorkflowExecutionResponse) -> Failure:
    """Return the timeout that a run exceeded. Never raises."""
    return decode_or_replace("The end of this execution", lambda: decode_timeout(raw), _unread)


def decode_timeout(raw: DescribeWorkflowExecutionResponse) -> Failure:
    """Return the timeout that a run exceeded, from its description: the closing event does not have it."""
    config, info = raw.execution_config, raw.workflow_execution_info
    took = info.close_time.ToDatetime() - info.start_time.ToDatetime()
    limits = {
        "execution timeout": config.workflow_execution_timeout.ToTimedelta(),
        "run timeout": config.workflow_run_timeout.ToTimedelta(),
    }
    exceeded = [(limit, name) for name, limit in limits.items() if limit and took >= limit]
    # A run that continues another has less time than its limit: that holds for all of them together.
    text = "The workflow did not end within its execution timeout."
    if exceeded:
        limit, name = min(exceeded)
        text = f"The workflow did not end within its {name} of {limit.total_seconds():g} s."
    return Failure("", text, kind="timeout")


def next_run_of(event: HistoryEvent) -> str:
    """Return the run that follows one with this closing event: by retry, schedule or continue-as-new."""
    attributes = event.WhichOneof("attributes")
    told = getattr(event, attributes) if attributes else None
    return str(getattr(told, "new_execution_run_id", ""))


def is_reset(event: HistoryEvent) -> bool:
    """Return whether a run with this closing event was terminated by a reset."""
    return event.workflow_execution_terminated_event_attributes.identity == RESET_IDENTITY


def decode_cancellation(events: Iterable[HistoryEvent]) -> Failure | None:
    """Return who requested cancellation and why, from the newest events, or None."""
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            request = event.workflow_execution_cancel_requested_event_attributes
            by, reason = clean_text(request.identity), bounded_text(request.cause)
            text = reason or (f"cancellation requested by {by}" if by else "")
            return Failure("", text, kind="canceled", by=by) if text else None
    return None


def decode_task_failure(events: Iterable[HistoryEvent]) -> Failure | None:
    """Return why a workflow task failed, from the newest events, or None."""
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return read_failure(event.workflow_task_failed_event_attributes.failure)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
            return Failure("", "The worker did not complete the workflow task in time.", kind="timeout")
    return None
