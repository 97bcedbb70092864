"""Workflow tasks that fail again and again: `describe` counts their attempts, the history says why."""

from dataclasses import replace

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client

from dashboard.domain.entities import Execution
from dashboard.temporal.budget import Budget
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import decode_task_failure

# Only the first of the failures is written to the history; what arrived since, such as signals, may stand after it.
NEWEST_EVENTS = 20


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
