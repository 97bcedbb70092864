"""The other shape: a tree of child workflows, of which some tell more than a list does."""

import asyncio
from hashlib import blake2b

from dashboard.domain.child_runs import Children
from dashboard.domain.children import longest_running
from dashboard.domain.entities import Attempt, Execution
from dashboard.domain.problems import Problem
from dashboard.temporal import metadata
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import read_description
from dashboard.temporal.salvage import attempt

# How many of the child workflows that run are described each time.
MAX_DESCRIBED = 20


async def attempts_of(client: Client, release: Execution, children: Children, budget: Budget) -> dict[str, Attempt]:
    """What some of them wait for, by run id: a list does not tell, and to describe all would cost too much."""
    runs = longest_running(release, children, MAX_DESCRIBED)
    found = await asyncio.gather(*(_attempt(client, run, budget) for run in runs))
    return {run.run_id: attempt for run, attempt in zip(runs, found, strict=True) if attempt}


async def _attempt(client: Client, run: Execution, budget: Budget) -> Attempt | None:
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    try:
        async with budget.bounds():
            description = read_description(await handle.describe(budget))
    except ASKING_ERRORS:
        return None  # It adds to what the list said, which stands without it.
    return max(description.attempts.values(), key=lambda attempt: attempt.number, default=None)


def digest_of(children: Children) -> str:
    """Stands for what the children say: the same for the same runs in the same states with the same words."""
    seen = sorted((child.execution.run_id, child.execution.status, child.parent_id or "") for child in children.listed)
    words = sorted((run_id, repr(word.said)) for run_id, word in children.words.items() if word.said)
    told = (seen, children.more, sorted(children.attempts.items()), words)
    return blake2b(repr(told).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


async def queries_of(handle: Handle, budget: Budget) -> frozenset[str] | Problem | None:
    """The names of the queries that a workflow answers, but for the SDK's own.

    Why its answer cannot be read, where that is encoded; None where it does not say.
    """
    try:
        async with budget.bounds():
            said = await handle.query(metadata.QUERY, budget)
    except ASKING_ERRORS:
        return None
    return attempt("What the workflow says of its queries", lambda: metadata.decode_queries(said), _same)


def _same(problem: Problem) -> Problem:
    return problem
