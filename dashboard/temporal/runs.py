"""Lists the runs of one workflow id, for releases that continue as new and ids that are used again."""

from datetime import UTC, datetime

from dashboard.domain.entities import Runs
from dashboard.domain.runs import MAX_RUNS
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import read_executions
from dashboard.temporal.visibility import literal, sayable


async def list_runs(client: Client, workflow_id: str, budget: Budget) -> Runs:
    """One visibility call; its failure is no reason to show nothing else, and is told by `listed_at`."""
    if sayable(workflow_id) != workflow_id:
        return Runs()
    query = f"WorkflowId = {literal(workflow_id)}"
    asked_at = datetime.now(UTC)
    try:
        async with budget.bounds():
            found = await client.list_executions(query, budget, page_size=MAX_RUNS)
    except ASKING_ERRORS:
        return Runs()
    return Runs(tuple(read_executions(found.executions)), bool(found.next_page_token), asked_at)
