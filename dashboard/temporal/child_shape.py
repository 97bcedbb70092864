"""The other shape: a tree of child workflows. Their parents make the tree, their statuses the states."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecution

from dashboard.domain.children import MAX_CHILDREN, Child, Children, longest_running
from dashboard.domain.entities import Attempt, Execution
from dashboard.domain.problems import Problem
from dashboard.temporal.budget import Budget
from dashboard.temporal.decode import clean_text
from dashboard.temporal.errors import ASKING_ERRORS, source_problem
from dashboard.temporal.executions import decode_description, decode_execution
from dashboard.temporal.query_shape import Handle

METADATA = "__temporal_workflow_metadata"
# The most that Temporal gives in one answer.
PAGE = 1_000
# How many of the child workflows that run are described each time.
MAX_DESCRIBED = 20


async def list_children(
    client: Client, release: Execution, budget: Budget, only: Sequence[str] = (), *, page: int = PAGE
) -> Children | Problem:
    """Every execution below a release, as far as the time and the bound allow; else why none could be listed.

    `only` asks for these workflow ids alone, `page` for so many in one answer.
    """
    query = _query(release)
    if only:
        query += f" AND WorkflowId IN ({', '.join(map(quoted, (release.workflow_id, *only)))})"
    runs = client.list_workflows(query, page_size=page, rpc_timeout=budget.left)
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


async def with_attempts(client: Client, release: Execution, children: Children, budget: Budget) -> Children:
    """The same children with what some wait for: a list does not tell, and to describe all would cost too much."""
    runs = longest_running(release, children, MAX_DESCRIBED)
    found = await asyncio.gather(*(_attempt(client, run, budget) for run in runs))
    return replace(children, attempts={run.run_id: at for run, at in zip(runs, found, strict=True) if at})


async def _attempt(client: Client, run: Execution, budget: Budget) -> Attempt | None:
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    try:
        async with budget.bounds():
            description = decode_description(await handle.describe(rpc_timeout=budget.left))
    except ASKING_ERRORS:
        return None  # It adds to what the list said, which stands without it.
    return max(description.attempts.values(), key=lambda attempt: attempt.number, default=None)


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
    attempts = sorted(children.attempts.items())
    return blake2b(repr((seen, children.more, attempts)).encode(), digest_size=12).hexdigest()


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
