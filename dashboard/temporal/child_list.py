"""Lists the executions below a release: all of them, or what has changed since the last look."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from dashboard.domain.child_runs import Child, Children, has_lost, lacks, merge
from dashboard.domain.children import MAX_CHILDREN
from dashboard.domain.entities import Execution, Initiator, Status
from dashboard.domain.problems import Problem
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client
from dashboard.temporal.errors import ASKING_ERRORS, source_problem
from dashboard.temporal.executions import read_executions
from dashboard.temporal.visibility import count_by_status, literal, sayable, time_literal

# The most that Temporal gives in one answer.
PAGE = 1_000
# How far before the newest time that has been seen a list of changes begins: visibility stores are some seconds late,
# and the hosts of a cluster differ a little. What comes later still is found by its count, and costs a whole list.
LAG = timedelta(seconds=5)
# Everything is listed anew after so many seconds, whatever the counts say.
WHOLE_EVERY = 60.0


class ChildList:
    """Lists `page` runs in one answer, and `limit` of them in all."""

    def __init__(self, client: Client, budget: Budget, *, page: int = PAGE, limit: int = MAX_CHILDREN) -> None:
        self._client = client
        self._budget = budget
        self._page = page
        self._limit = limit

    async def of(self, release: Execution, known: Children | None = None) -> Children | Problem:
        """Every execution below a release, as far as the time and the limit allow; else why none could be listed.

        Of what is `known` of the same run only that is listed which has changed, if that can be trusted.
        """
        query = _query(release)
        try:
            changed = await self._changed(query, known) if known and not known.more else None
        except ASKING_ERRORS as exc:
            return source_problem(exc)
        if changed and time.monotonic() - changed.whole_at < WHOLE_EVERY:
            return changed
        whole = await self._whole(query)
        if changed and (isinstance(whole, Problem) or whole.more):
            # It has been counted, and is whole; to try in vain at each look would cost all the time there is.
            return replace(changed, whole_at=time.monotonic())
        if known and not isinstance(whole, Problem):
            return _with_known(whole, known)
        return whole

    async def some(self, release: Execution, workflow_ids: Sequence[str]) -> Children | Problem:
        """Those with one of these workflow ids alone and those directly below them, and the release's own runs.

        Of a release below another workflow all are listed: which of them are its own shows in what leads to them.
        """
        if release.root_run_id:
            return await self._whole(_query(release))
        ids = ", ".join(map(literal, workflow_ids))
        named = f"WorkflowId IN ({literal(release.workflow_id)}, {ids}) OR ParentWorkflowId IN ({ids})"
        return await self._whole(f"{_query(release)} AND ({named})")

    async def _changed(self, query: str, known: Children) -> Children | None:
        """What is known, brought up to date; None if that has not become all there is.

        The count tells whether there is anything to list, and afterwards whether it was enough. No clock is asked but
        the server's own, in the times that it gave: this machine's may differ from it by any amount.
        """
        counted = await self._counted(query)
        if counted == known.tally:
            return known
        if not known.listed or has_lost(known, counted):
            return None
        since = time_literal(known.newest - LAG)
        newer = await self._whole(f"{query} AND (StartTime >= {since} OR CloseTime >= {since})")
        if isinstance(newer, Problem) or newer.more:
            return None
        merged = replace(known, listed=merge(known.listed, newer.listed))
        return None if lacks(merged, counted) or len(merged.listed) > self._limit else merged

    async def _counted(self, query: str) -> Mapping[Status, int]:
        async with self._budget.bounds():
            return await count_by_status(self._client, f"{query} GROUP BY ExecutionStatus", self._budget)

    async def _whole(self, query: str) -> Children | Problem:
        found: list[Child] = []
        total = 0
        try:
            async with self._budget.bounds():
                token = await self._read_page(query, found)
                if token:
                    total = (await self._client.count_executions(query, self._budget)).count
                while token and len(found) < self._limit:
                    token = await self._read_page(query, found, token)
        except ASKING_ERRORS as exc:
            if not total:
                return source_problem(exc)
            # What has been read by now is shown; the rest is counted.
        # A run that moves within the list while it is read may come twice.
        listed = merge((), found)[: self._limit]
        return Children(listed, max(total - len(listed), 0), whole_at=time.monotonic())

    async def _read_page(self, query: str, found: list[Child], token: bytes = b"") -> bytes:
        """Add one page to what was found; the token for the next."""
        page = await self._client.list_executions(query, self._budget, page_size=self._page, token=token)
        found += read_children(page.executions)
        return page.next_page_token


def _with_known(whole: Children, known: Children) -> Children:
    """A whole list, but for runs that a late store lists as running and that have been seen to have closed."""
    listed = {child.execution.run_id for child in whole.listed}
    before = (child for child in known.listed if child.execution.run_id in listed)
    words = {run_id: word for run_id, word in known.words.items() if run_id in listed}
    described = {run_id: run for run_id, run in known.described.items() if run_id in listed}
    return replace(whole, listed=merge(before, whole.listed), words=words, described=described)


def _query(release: Execution) -> str:
    if release.root_run_id:
        # What another workflow started is in that one's tree, and so is what it starts itself.
        return f"RootRunId = {literal(release.root_run_id)}"
    begun_anew = release.origin is not None and release.origin.initiator in {Initiator.RETRY, Initiator.CRON}
    if release.first_run_id == release.run_id or begun_anew:
        # Not the id: an SQL store of Temporal 1.32 finds none with a backslash or a double quote, however escaped.
        return f"RootRunId = {literal(release.run_id)}"
    if sayable(release.workflow_id) != release.workflow_id:
        return f"RootRunId IN ({literal(release.first_run_id or release.run_id)}, {literal(release.run_id)})"
    # Runs that continue one another each have a tree of their own, and describe names only the first and the last.
    return f"RootWorkflowId = {literal(release.workflow_id)}"


def read_children(infos: Sequence[WorkflowExecutionInfo]) -> list[Child]:
    """Executions below a release, each with its place in the tree. Raises nothing."""
    runs = read_executions(infos)
    return [
        Child(run, info.parent_execution.workflow_id or None, info.root_execution.run_id, info.parent_execution.run_id)
        for run, info in zip(runs, infos, strict=True)
    ]
