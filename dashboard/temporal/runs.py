"""List the runs of a workflow ID."""

from datetime import UTC, datetime

from dashboard.domain.entities import Runs
from dashboard.domain.runs import MAX_LISTED_RUNS
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS
from dashboard.temporal.executions import read_executions
from dashboard.temporal.visibility import representable_prefix, string_literal


async def list_runs(client: NamespaceClient, workflow_id: str, budget: Deadline) -> Runs:
    """List runs with one visibility call. On failure, `listed_at` is None."""
    if representable_prefix(workflow_id) != workflow_id:
        return Runs()
    query = f"WorkflowId = {string_literal(workflow_id)}"
    asked_at = datetime.now(UTC)
    try:
        async with budget.bounds():
            found = await client.list_executions(query, budget, page_size=MAX_LISTED_RUNS)
    except CALL_ERRORS:
        return Runs()
    return Runs(tuple(read_executions(found.executions)), bool(found.next_page_token), asked_at)
