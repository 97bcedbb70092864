"""Describe child workflows and read their closing reasons, a limited number per read in rotation."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from dashboard.concurrency.call_log import call_share
from dashboard.domain.child_runs import ChildListing
from dashboard.domain.entities import Execution, Status
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.rotation import runs_to_describe, runs_to_explain
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS, is_not_found
from dashboard.temporal.executions import read_description
from dashboard.temporal.history import RunEndingReader, with_task_failure
from dashboard.temporal.queue_pollers import QueuePollerReader
from dashboard.temporal.salvage import undecodable_problem

# How many child workflows one read describes, and of how many closed ones it reads the closing event.
MAX_DESCRIBED_PER_READ = 20
MAX_EXPLAINED_PER_READ = 20
# The timeout per read in seconds; the rest is read later.
CHILD_DETAILS_TIMEOUT_SECONDS = 1.2
# Recent descriptions of other reads are reused.
DESCRIPTION_REUSE_AGE = timedelta(seconds=0.5)
# Bytes of all descriptions that are remembered, and of one, its attempts, and the links of their failures.
DESCRIPTION_CACHE_BYTES = 32 * 1024 * 1024
DESCRIBED_RUN_BYTES, ATTEMPT_BYTES, FAILURE_LINK_BYTES = 1_200, 500, 250

CLOSE_REASON_GONE = Problem(ProblemCode.GONE, "The reason is unknown: Temporal no longer has its history.")


class DescriptionCache:
    """The latest descriptions of runs in a namespace, shared by lists, pages and searches."""

    def __init__(self) -> None:
        self.runs: LRUCache[str, Execution] = LRUCache(DESCRIPTION_CACHE_BYTES, _weight)

    def of(self, children: ChildListing) -> dict[str, Execution]:
        """Return the known details of these children by run ID."""
        # Of most that have completed there is nothing to know.
        listed = (child.execution for child in children.listed if child.execution.status is not Status.COMPLETED)
        both = ((run.run_id, self.runs.get(run.run_id) or children.described.get(run.run_id)) for run in listed)
        return {run_id: run for run_id, run in both if run is not None}

    def keep(self, found: Mapping[str, Execution]) -> None:
        """Cache these descriptions."""
        for run_id, run in found.items():
            if _weight(run) <= DESCRIPTION_CACHE_BYTES:
                self.runs[run_id] = run


class ChildDetailReader:
    """Reads single child workflows of a release within a limit per read."""

    def __init__(
        self,
        client: NamespaceClient,
        budget: Deadline,
        pollers: QueuePollerReader,
        endings: RunEndingReader,
        described: DescriptionCache,
    ) -> None:
        self._client = client
        self._endings = endings
        self._budget = budget
        self._pollers = pollers
        self._described = described

    async def of(self, release: Execution, children: ChildListing) -> Mapping[str, Execution]:
        """Return details of single runs by run ID, from the cache and from this read."""
        known = self._described.of(children)
        children = replace(children, described=known)
        since = datetime.now(UTC) - DESCRIPTION_REUSE_AGE
        chosen = runs_to_describe(release, children, call_share(MAX_DESCRIBED_PER_READ))
        runs = [run for run in chosen if not _is_fresh(run, since)]
        ended = runs_to_explain(release, children, call_share(MAX_EXPLAINED_PER_READ))
        if not runs and not ended:
            return known
        found: dict[str, Execution] = {}
        asking = [_logged(self._describe, run, found) for run in runs]
        asking += [_logged(self._explain, run, found) for run in ended]
        await _within(CHILD_DETAILS_TIMEOUT_SECONDS, self._budget, asking)
        self._described.keep(found)
        return {**known, **found}

    async def _describe(self, run: Execution, found: dict[str, Execution]) -> None:
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            async with self._budget.bounds():
                described = read_description(await handle.describe(self._budget))
        except CALL_ERRORS:
            return  # It adds to what the list said, and its turn comes again.
        if described.status.closed:
            # It ended after it was listed: the reason is read later.
            found[run.run_id] = described
            return
        described = await self._with_failure(described, run)
        described = await self._pollers.with_pollers(self._client, described, self._budget)
        found[run.run_id] = replace(described, described_at=datetime.now(UTC))

    async def _with_failure(self, described: Execution, before: Execution) -> Execution:
        """Add why a workflow task fails, from the first failure in its history, which is read once."""
        task, known = described.failing_task, before.failing_task
        if task and known and known.failure and described.history_length == before.history_length:
            return replace(described, failing_task=replace(task, failure=known.failure))
        return await with_task_failure(self._client, described, self._budget)

    async def _explain(self, run: Execution, found: dict[str, Execution]) -> None:
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            ending = await self._endings.read(handle, run, self._budget)
        except CALL_ERRORS as exc:
            if is_not_found(exc):
                found[run.run_id] = replace(run, described_at=datetime.now(UTC), gaps=(CLOSE_REASON_GONE,))
            return  # Its row says that the reason was not read yet.
        closing, next_run_id = (ending.closing, ending.next_run_id) if ending else (None, "")
        found[run.run_id] = replace(run, described_at=datetime.now(UTC), closing=closing, next_run_id=next_run_id)


def _is_fresh(run: Execution, since: datetime) -> bool:
    return run.described_at is not None and run.described_at > since


def _weight(run: Execution) -> int:
    failures = [attempt.last_failure for attempt in run.attempts.values()]
    failures += [run.closing, run.failing_task.failure if run.failing_task else None]
    links = [link for failure in failures if failure for link in (failure, *failure.causes)]
    texts = sum(len(link.message) for link in links)
    heartbeats = sum(len(attempt.heartbeat or "") for attempt in run.attempts.values())
    return (
        DESCRIBED_RUN_BYTES + ATTEMPT_BYTES * len(run.attempts) + FAILURE_LINK_BYTES * len(links) + texts + heartbeats
    )


_Step = Callable[[Execution, dict[str, Execution]], Awaitable[None]]


async def _logged(step: _Step, run: Execution, found: dict[str, Execution]) -> None:
    """Limit errors to the child workflow concerned, and log them."""
    try:
        await step(run, found)
    except Exception as exc:  # noqa: BLE001 - logged with its stack
        undecodable_problem("A child workflow", exc)


async def _within(seconds: float, budget: Deadline, asking: Iterable[Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        async with Deadline.of(seconds).bounds(), budget.bounds():
            await asyncio.gather(*asking)
