"""List the executions below a release, fully or incrementally."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from dashboard.domain.child_runs import (
    ChildExecution,
    ChildListing,
    exceeds_count,
    is_behind_count,
    merge_children,
)
from dashboard.domain.children import MAX_CHILD_WORKFLOWS
from dashboard.domain.entities import Execution, Initiator, Status
from dashboard.domain.problems import Problem
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS, source_problem
from dashboard.temporal.executions import read_executions
from dashboard.temporal.visibility import count_by_status, representable_prefix, string_literal, time_literal

# The most that Temporal gives in one answer.
CHILD_LIST_PAGE_SIZE = 1_000
# How far before the newest time that has been seen a list of changes begins: visibility stores are some seconds late,
# and the hosts of a cluster differ a little. What comes later still is found by its count, and costs a whole list.
MAX_VISIBILITY_LAG = timedelta(seconds=5)
# A full list is read after this many seconds, whatever the counts are.
FULL_LIST_INTERVAL_SECONDS = 60.0


class ChildLister:
    """Lists runs in pages of `page`, up to `limit`."""

    def __init__(
        self,
        client: NamespaceClient,
        budget: Deadline,
        *,
        page: int = CHILD_LIST_PAGE_SIZE,
        limit: int = MAX_CHILD_WORKFLOWS,
    ) -> None:
        self._client = client
        self._budget = budget
        self._page = page
        self._limit = limit

    async def of(self, release: Execution, known: ChildListing | None = None) -> ChildListing | Problem:
        """Return the executions below a release within time and limit, or why none could be listed.

        If `known` runs can be trusted, only changes are listed.
        """
        query = _query(release)
        try:
            changed = await self._changed(query, known) if known and not known.more else None
        except CALL_ERRORS as exc:
            return source_problem(exc)
        if changed and time.monotonic() - changed.whole_at < FULL_LIST_INTERVAL_SECONDS:
            return changed
        whole = await self._whole(query)
        if changed and (isinstance(whole, Problem) or whole.more):
            # The list is complete by count; repeated attempts would use up the time.
            return replace(changed, whole_at=time.monotonic())
        if known and not isinstance(whole, Problem):
            return _with_known(whole, known)
        return whole

    async def some(self, release: Execution, workflow_ids: Sequence[str]) -> ChildListing | Problem:
        """Return only runs with these workflow IDs, their direct children, and the release's own runs.

        If the release is below another workflow, all are listed, as ownership follows from their ancestors.
        """
        if release.root_run_id:
            return await self._whole(_query(release))
        ids = ", ".join(map(string_literal, workflow_ids))
        named = f"WorkflowId IN ({string_literal(release.workflow_id)}, {ids}) OR ParentWorkflowId IN ({ids})"
        return await self._whole(f"{_query(release)} AND ({named})")

    async def _changed(self, query: str, known: ChildListing) -> ChildListing | None:
        """Return the updated known list, or None if it is incomplete.

        Counts tell whether anything has to be listed, and whether it was enough. Only the server's clock is used.
        """
        counted = await self._counted(query)
        if counted == known.tally:
            return known
        if not known.listed or exceeds_count(known, counted):
            return None
        since = time_literal(known.newest - MAX_VISIBILITY_LAG)
        newer = await self._whole(f"{query} AND (StartTime >= {since} OR CloseTime >= {since})")
        if isinstance(newer, Problem) or newer.more:
            return None
        merged = replace(known, listed=merge_children(known.listed, newer.listed))
        return None if is_behind_count(merged, counted) or len(merged.listed) > self._limit else merged

    async def _counted(self, query: str) -> Mapping[Status, int]:
        async with self._budget.bounds():
            return await count_by_status(self._client, f"{query} GROUP BY ExecutionStatus", self._budget)

    async def _whole(self, query: str) -> ChildListing | Problem:
        found: list[ChildExecution] = []
        total = 0
        try:
            async with self._budget.bounds():
                token = await self._read_page(query, found)
                if token:
                    total = (await self._client.count_executions(query, self._budget)).count
                while token and len(found) < self._limit:
                    token = await self._read_page(query, found, token)
        except CALL_ERRORS as exc:
            if not total:
                return source_problem(exc)
            # What has been read by now is shown; the rest is counted.
        # A run that moves within the list while it is read may come twice.
        listed = merge_children((), found)[: self._limit]
        return ChildListing(listed, max(total - len(listed), 0), whole_at=time.monotonic())

    async def _read_page(self, query: str, found: list[ChildExecution], token: bytes = b"") -> bytes:
        """Add a page to the result; return the token of the next page."""
        page = await self._client.list_executions(query, self._budget, page_size=self._page, token=token)
        found += read_children(page.executions)
        return page.next_page_token


def _with_known(whole: ChildListing, known: ChildListing) -> ChildListing:
    """Correct a full list by runs known to have closed that a lagging store still lists as running."""
    listed = {child.execution.run_id for child in whole.listed}
    before = (child for child in known.listed if child.execution.run_id in listed)
    words = {run_id: word for run_id, word in known.words.items() if run_id in listed}
    described = {run_id: run for run_id, run in known.described.items() if run_id in listed}
    return replace(whole, listed=merge_children(before, whole.listed), words=words, described=described)


def _query(release: Execution) -> str:
    if release.root_run_id:
        # What another workflow started is in that one's tree, and so is what it starts itself.
        return f"RootRunId = {string_literal(release.root_run_id)}"
    begun_anew = release.origin is not None and release.origin.initiator in {Initiator.RETRY, Initiator.CRON}
    if release.first_run_id == release.run_id or begun_anew:
        # Not the id: an SQL store of Temporal 1.32 finds none with a backslash or a double quote, however escaped.
        return f"RootRunId = {string_literal(release.run_id)}"
    if representable_prefix(release.workflow_id) != release.workflow_id:
        return (
            f"RootRunId IN ({string_literal(release.first_run_id or release.run_id)}, {string_literal(release.run_id)})"
        )
    # Runs that continue one another each have a tree of their own, and describe names only the first and the last.
    return f"RootWorkflowId = {string_literal(release.workflow_id)}"


def read_children(infos: Sequence[WorkflowExecutionInfo]) -> list[ChildExecution]:
    """Decode the executions below a release with their position in the tree. Never raises."""
    runs = read_executions(infos)
    return [
        ChildExecution(
            run, info.parent_execution.workflow_id or None, info.root_execution.run_id, info.parent_execution.run_id
        )
        for run, info in zip(runs, infos, strict=True)
    ]
