"""Decode pending activities and child workflows."""

from collections.abc import Iterable
from datetime import UTC, datetime

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingChildExecutionInfo

from dashboard.domain.entities import Attempt, ChildRun
from dashboard.domain.problems import Problem
from dashboard.temporal.decode import clean_text
from dashboard.temporal.failures import read_failure
from dashboard.temporal.salvage import FieldDecoder, decode_each
from dashboard.temporal.timestamps import MAX_TASK_PICKUP_DELAY, decode_timestamp

# The maximum length of a heartbeat.
MAX_HEARTBEAT_LENGTH = 2_000


def read_child_runs(pending: Iterable[PendingChildExecutionInfo]) -> tuple[ChildRun, ...]:
    """Return the active child workflows. Never raises."""
    bare = lambda child, _: ChildRun(child.workflow_id, child.run_id, "")  # noqa: E731
    return tuple(decode_each("A pending child workflow", pending, _child_run, bare))


def _child_run(child: PendingChildExecutionInfo) -> ChildRun:
    workflow_type = clean_text(child.workflow_type_name)
    return ChildRun(child.workflow_id, child.run_id, workflow_type, initiated_id=child.initiated_id)


def read_attempts(pending: Iterable[PendingActivityInfo], *, over: bool) -> dict[str, Attempt]:
    """Return pending activities by ID; undecodable ones have a problem. Never raises."""
    found = decode_each("This activity", pending, lambda activity: decode_attempt(activity, over=over), _bare)
    return {attempt.activity_id: attempt for attempt in found}


def _bare(activity: PendingActivityInfo, problem: Problem) -> Attempt:
    return Attempt(activity.activity_id, activity.attempt, None, None, None, None, problem=problem)


def decode_attempt(activity: PendingActivityInfo, *, over: bool) -> Attempt:
    """Decode a pending activity.

    Temporal also lists activities left behind by an ended workflow, without a further attempt.
    """
    salvage = FieldDecoder()
    failed = activity.HasField("last_failure")
    return Attempt(
        activity_id=clean_text(activity.activity_id),
        number=activity.attempt,
        maximum=activity.maximum_attempts or None,
        last_failure=read_failure(activity.last_failure) if failed else None,
        next_at=None if over else salvage.take("The time of its next attempt", lambda: _next(activity), None),
        worker=clean_text(activity.last_worker_identity) or None,
        activity_type=clean_text(activity.activity_type.name),
        heartbeat=salvage.take("Its heartbeat", lambda: _heartbeat(activity.heartbeat_details.payloads), None),
        paused=activity.paused and not over,
        over=over,
        problem=salvage.gaps[0] if salvage.gaps else None,
        task_queue=clean_text(activity.activity_options.task_queue.name),
        untaken_since=None if over else salvage.take("Since when it waits", lambda: _untaken_since(activity), None),
    )


def _untaken_since(activity: PendingActivityInfo) -> datetime | None:
    """Return since when a due attempt has been waiting for a worker, if unusually long."""
    if activity.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED or activity.paused:
        return None
    due = [at for at in (decode_timestamp(activity.scheduled_time), _next(activity)) if at]
    return max(due) if due and datetime.now(UTC) - max(due) > MAX_TASK_PICKUP_DELAY else None


def _next(activity: PendingActivityInfo) -> datetime | None:
    return decode_timestamp(activity.next_attempt_schedule_time)


def _heartbeat(payloads: Iterable[Payload]) -> str | None:
    """Return heartbeat details as truncated JSON text, one per line."""
    text = "\n".join(_payload_text(payload) for payload in payloads)
    return (text if len(text) <= MAX_HEARTBEAT_LENGTH else f"{text[: MAX_HEARTBEAT_LENGTH - 1]}…") or None


def _payload_text(payload: Payload) -> str:
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    if encoding == "binary/null":
        return "null"
    if not encoding.startswith("json/"):
        return f"(encoded as {clean_text(encoding) or 'an unknown format'})"
    # No more is decoded than can be shown.
    return clean_text(payload.data[: 4 * MAX_HEARTBEAT_LENGTH].decode("utf-8", "replace"))
