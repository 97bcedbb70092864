"""Lists the runs of one workflow id, for releases that continue as new and ids that are used again."""

from datetime import UTC, datetime

from temporalio.client import Client

from dashboard.domain.entities import Runs
from dashboard.domain.runs import MAX_RUNS
from dashboard.temporal.budget import Budget
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import decode_execution
from dashboard.temporal.visibility import literal, sayable


async def list_runs(client: Client, workflow_id: str, budget: Budget) -> Runs:
    """One visibility call; its failure is no reason to show nothing else, and is told by `listed_at`."""
    if sayable(workflow_id) != workflow_id:
        return Runs()
    query = f"WorkflowId = {literal(workflow_id)}"
    asked_at = datetime.now(UTC)
    found = client.list_workflows(query, page_size=MAX_RUNS, rpc_timeout=budget.left)
    try:
        async with budget.bounds():
            await found.fetch_next_page()
    except ASKING_ERRORS:
        return Runs()
    executions = tuple(decode_execution(run) for run in found.current_page or ())
    return Runs(executions, bool(found.next_page_token), asked_at)
