"""Describes child workflows one by one, and reads why they ended: a list has neither. So many in one look, in turn."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from dashboard.calls import share_of
from dashboard.domain.child_runs import Children
from dashboard.domain.entities import Execution
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.rotation import to_describe, to_explain
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client
from dashboard.temporal.errors import ASKING_ERRORS, is_not_found
from dashboard.temporal.executions import read_description
from dashboard.temporal.history import Endings, with_task_failure
from dashboard.temporal.pollers import TaskQueues

# Child workflows that one look describes, and closed ones of which it reads the last event.
MAX_DESCRIBED = 20
MAX_EXPLAINED = 20
# Seconds that a look waits for them: what has not come by then is read in a later one.
PATIENCE = 1.2

GONE = Problem(ProblemCode.GONE, "Why it ended is not known: Temporal no longer keeps its history.")


class ChildDetails:
    """Reads single child workflows of one release, within one look's budget."""

    def __init__(self, client: Client, budget: Budget, task_queues: TaskQueues, endings: Endings) -> None:
        self._client = client
        self._endings = endings
        self._budget = budget
        self._task_queues = task_queues

    async def of(self, release: Execution, children: Children) -> Mapping[str, Execution]:
        """What is known of single runs, by run id: what earlier looks found, and what this one does."""
        runs = to_describe(release, children, share_of(MAX_DESCRIBED))
        ended = to_explain(release, children, share_of(MAX_EXPLAINED))
        known = _of_listed(children)
        if not runs and not ended:
            return known
        found: dict[str, Execution] = {}
        asking = [self._describe(run, found) for run in runs] + [self._explain(run, found) for run in ended]
        await _within(PATIENCE, self._budget, asking)
        return {**known, **found}

    async def _describe(self, run: Execution, found: dict[str, Execution]) -> None:
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            async with self._budget.bounds():
                described = read_description(await handle.describe(self._budget))
        except ASKING_ERRORS:
            return  # It adds to what the list said, and its turn comes again.
        if described.status.closed:
            # It ended since it was listed: why it did is for a later look to read.
            found[run.run_id] = described
            return
        described = await self._with_failure(described, run)
        described = await self._task_queues.with_pollers(self._client, described, self._budget)
        found[run.run_id] = replace(described, described_at=datetime.now(UTC))

    async def _with_failure(self, described: Execution, before: Execution) -> Execution:
        """Why a workflow task fails. Only its first failure is written to the history, which is read once for it."""
        task, known = described.failing_task, before.failing_task
        if task and known and known.failure and described.history_length == before.history_length:
            return replace(described, failing_task=replace(task, failure=known.failure))
        return await with_task_failure(self._client, described, self._budget)

    async def _explain(self, run: Execution, found: dict[str, Execution]) -> None:
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            closing = await self._endings.read(handle, run, self._budget)
        except ASKING_ERRORS as exc:
            if is_not_found(exc):
                found[run.run_id] = replace(run, described_at=datetime.now(UTC), gaps=(GONE,))
            return  # Its row says that the reason was not read yet.
        found[run.run_id] = replace(run, described_at=datetime.now(UTC), closing=closing)


def _of_listed(children: Children) -> dict[str, Execution]:
    if not children.described:
        return {}
    listed = {child.execution.run_id for child in children.listed}
    return {run_id: run for run_id, run in children.described.items() if run_id in listed}


async def _within(seconds: float, budget: Budget, asking: Iterable[Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        async with Budget.of(seconds).bounds(), budget.bounds():
            await asyncio.gather(*asking)
