"""Determine the start of a continue-as-new chain from the first events of its runs."""

from collections.abc import Callable
from datetime import datetime

from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.service import RPCError

from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import is_not_found
from dashboard.temporal.timestamps import decode_timestamp

# How many runs are gone back where the first of all may have been retried, or is deleted already.
MAX_CHAIN_RUNS = 50


class FirstEventReader:
    """Reads the first events of runs of a workflow ID."""

    def __init__(self, client: NamespaceClient, workflow_id: str, budget: Deadline) -> None:
        self._client = client
        self._workflow_id = workflow_id
        self._budget = budget

    async def of(self, run_id: str) -> HistoryEvent | None:
        """Return the first event of a run; None if the run does not exist."""
        try:
            event = await self._client.get_workflow_handle(self._workflow_id, run_id=run_id).first_event(self._budget)
        except RPCError as exc:
            if is_not_found(exc):
                return None
            raise
        started = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
        return event if event is not None and event.event_type == started else None


async def chain_start(
    events: FirstEventReader, event: HistoryEvent, known: Callable[[str], datetime | None]
) -> datetime | None:
    """Return the start of the continue-as-new chain of the run with this first event, as far as known.

    `known` returns cached starts.

    A reset run has the first event of the run that it was reset from, and thus its start.
    """
    began = _due(event)
    if began is None or not _continues(event):
        return began
    if _never_anew(event):
        # Nothing but continuing, and resets, joins its chain: the first of all says it in one call.
        first = await events.of(event.workflow_execution_started_event_attributes.first_execution_run_id)
        if first is not None and _never_anew(first):
            return min(began, _due(first) or began)
    before: HistoryEvent | None = event
    for _ in range(MAX_CHAIN_RUNS):
        if before is None or not _continues(before):
            break
        run_id = before.workflow_execution_started_event_attributes.continued_execution_run_id
        if found := known(run_id):
            return min(began, found)
        before = await events.of(run_id)
        began = min(began, (_due(before) if before else None) or began)
    return began


def _continues(event: HistoryEvent) -> bool:
    """Return whether a run continues another (continue-as-new)."""
    initiator = event.workflow_execution_started_event_attributes.initiator
    return initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_WORKFLOW


def _never_anew(event: HistoryEvent) -> bool:
    """Return whether the workflow has neither a retry policy nor a schedule."""
    began = event.workflow_execution_started_event_attributes
    return not (began.cron_schedule or began.HasField("retry_policy"))


def _due(event: HistoryEvent) -> datetime | None:
    """Return the start of work of a run with this first event, after its delay."""
    backoff = event.workflow_execution_started_event_attributes.first_workflow_task_backoff
    try:
        at = decode_timestamp(event.event_time)
        return at + backoff.ToTimedelta() if at else None
    except (OverflowError, ValueError):
        return None
