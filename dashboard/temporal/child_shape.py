"""The other shape: a tree of child workflows. Their parents make the tree, their statuses the states."""

from collections.abc import Sequence
from hashlib import blake2b

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecution

from dashboard.domain.children import MAX_CHILDREN, Child, Children
from dashboard.domain.entities import Execution
from dashboard.domain.problems import Problem
from dashboard.temporal.budget import Budget
from dashboard.temporal.decode import clean_text
from dashboard.temporal.errors import ASKING_ERRORS, source_problem
from dashboard.temporal.executions import decode_execution
from dashboard.temporal.query_shape import Handle

METADATA = "__temporal_workflow_metadata"
# The most that Temporal gives in one answer.
PAGE = 1_000


async def list_children(
    client: Client, release: Execution, budget: Budget, only: Sequence[str] = ()
) -> Children | Problem:
    """Every execution below a release, as far as the time and the bound allow; else why none could be listed.

    `only` asks for these workflow ids alone.
    """
    query = _query(release)
    if only:
        query += f" AND WorkflowId IN ({', '.join(map(quoted, (release.workflow_id, *only)))})"
    runs = client.list_workflows(query, page_size=PAGE, rpc_timeout=budget.left)
    found: list[Child] = []
    total = 0
    try:
        async with budget.bounds():
            await runs.fetch_next_page()
            found += _decoded(runs.current_page)
            if runs.next_page_token:
                total = (await client.count_workflows(query, rpc_timeout=budget.left)).count
            while runs.next_page_token and len(found) < MAX_CHILDREN:
                await runs.fetch_next_page()
                found += _decoded(runs.current_page)
    except ASKING_ERRORS as exc:
        if not total:
            return source_problem(exc)
        # What has been read by now is shown; the rest is counted.
    return Children(tuple(found), max(total - len(found), 0))


def _query(release: Execution) -> str:
    if release.first_run_id == release.run_id:
        # Not the id: an SQL store of Temporal 1.32 finds none with a backslash or a double quote, however escaped.
        return f"RootRunId = {quoted(release.run_id)}"
    # Runs that continue one another each have a tree of their own, and describe names only the first and the last.
    return f"RootWorkflowId = {quoted(release.workflow_id)}"


def quoted(text: str) -> str:
    """A text as the visibility language writes it. Quotes are not doubled there: the backslash comes first."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _decoded(page: Sequence[WorkflowExecution] | None) -> list[Child]:
    return [
        Child(decode_execution(run), clean_text(run.parent_id) if run.parent_id else None, run.root_run_id or "")
        for run in page or ()
    ]


def digest_of(children: Children) -> str:
    """Stands for what the children say: the same for the same runs in the same states."""
    seen = sorted((child.execution.run_id, child.execution.status, child.parent_id or "") for child in children.listed)
    return blake2b(repr((seen, children.more)).encode(), digest_size=12).hexdigest()


async def queries_of(handle: Handle, budget: Budget) -> frozenset[str] | None:
    """The names of the queries that a workflow answers, but for the SDK's own; None where it does not say.

    A handler for whatever is asked has an empty name.
    """
    try:
        async with budget.bounds():
            said = await handle.query(METADATA, result_type=WorkflowMetadata, rpc_timeout=budget.left)
    except ASKING_ERRORS:
        return None
    if not isinstance(said, WorkflowMetadata) or not said.HasField("definition"):
        return None
    names = (query.name for query in said.definition.query_definitions)
    return frozenset(name for name in names if not name.startswith("__"))
