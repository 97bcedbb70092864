"""What only the history tells: why a workflow task fails again and again, and why a run ended."""

from dataclasses import replace

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client, WorkflowHistoryEventFilterType

from dashboard.domain.entities import Execution, Failure, Status
from dashboard.temporal.budget import Budget
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import decode_closing, decode_task_failure
from dashboard.temporal.query_shape import Handle

# Only the first of the failures is written to the history; what arrived since, such as signals, may stand after it.
NEWEST_EVENTS = 20

ENDED_FOR_A_REASON = frozenset({Status.FAILED, Status.TERMINATED})


async def with_task_failure(client: Client, execution: Execution, budget: Budget) -> Execution:
    """The execution with the reason why its workflow task fails, if it does; one more call then, and only then."""
    if execution.failing_task is None:
        return execution
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=execution.workflow_id, run_id=execution.run_id),
        maximum_page_size=NEWEST_EVENTS,
    )
    try:
        async with budget.bounds():
            service = client.workflow_service
            answer = await service.get_workflow_execution_history_reverse(request, timeout=budget.left)
    except ASKING_ERRORS:
        return execution  # The reason adds to what describe said; without it the attempts are still shown.
    failure = decode_task_failure(answer.history.events)
    return replace(execution, failing_task=replace(execution.failing_task, failure=failure))


async def closing_of(handle: Handle, execution: Execution, budget: Budget) -> Failure | None:
    """Why a run ended. One that says so in its last event only, such as a terminated one, has no other words."""
    if execution.status not in ENDED_FOR_A_REASON:
        return None
    events = handle.fetch_history_events(
        page_size=1,
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT,
        skip_archival=True,
        rpc_timeout=budget.left,
    )
    try:
        async with budget.bounds():
            async for event in events:
                return decode_closing(event)
    except ASKING_ERRORS:
        return None  # The reason adds to what describe said; without it the release is still shown as ended.
    return None
