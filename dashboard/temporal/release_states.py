"""Query the releases of a list for their own state."""

import asyncio
from dataclasses import replace

from dashboard.domain.entities import Entity, Execution, Status, truncate_entity
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.execution_problem import execution_problem_of
from dashboard.domain.problems import Problem
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.busy_workers import unanswered_reason
from dashboard.temporal.child_reader import (
    WorkflowReport,
    describe_listed_run,
    has_no_query_handlers,
    report_without_queries,
)
from dashboard.temporal.client import NamespaceClient, RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.history import RunEndingReader
from dashboard.temporal.origins import OriginReader, scheduled_reading
from dashboard.temporal.queries import RELEASE_STATE_QUERY, query_release
from dashboard.temporal.release_reading import build_reading
from dashboard.temporal.salvage import undecodable_problem

# How long one more call may take after the time for queries is up, in seconds: less than what is kept back.
FINAL_CALL_TIMEOUT_SECONDS = 0.1


class ReleaseStateReader:
    """Queries releases for their state, with caches per namespace."""

    def __init__(self, entity_map: EntityMap, endings: RunEndingReader, origins: OriginReader) -> None:
        self._map = entity_map
        self._endings = endings
        self._origins = origins

    async def read(
        self, client: NamespaceClient, run: Execution, known: ReleaseReading | None, budget: Deadline
    ) -> ReleaseReading:
        """Read one row of a list. Errors become its own gap."""
        if known is not None:
            return known
        try:
            return await self._asked(client, run, budget)
        except Exception as exc:  # noqa: BLE001 - logged with its stack; the other rows have nothing to do with it
            return ReleaseReading(run, problem=undecodable_problem("This release", exc))

    async def _asked(self, client: NamespaceClient, run: Execution, budget: Deadline) -> ReleaseReading:
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        if run.status is Status.PAUSED:
            # It receives no queries, and lists do not have who paused it.
            run = await self._origins.told(client, await describe_listed_run(handle, run, budget), budget)
            return ReleaseReading(run, problem=execution_problem_of(run))
        if scheduled_reading(run):
            seen = await self._origins.told(client, await describe_listed_run(handle, run, budget), budget)
            if scheduled := scheduled_reading(seen):
                return scheduled
        telling = asyncio.ensure_future(self._origins.told(client, run, budget))
        ending = asyncio.ensure_future(self._endings.brief(handle, run, budget))
        try:
            answer = await query_release(handle, RELEASE_STATE_QUERY, budget, run.task_queue)
            reading = await self._said(handle, await telling, answer, budget)
            ended = await ending
            return replace(reading, execution=replace(reading.execution, closing=ended.closing if ended else None))
        finally:
            telling.cancel()
            ending.cancel()

    async def _said(
        self, handle: RunHandle, run: Execution, answer: tuple[Entity, str] | Problem, budget: Deadline
    ) -> ReleaseReading:
        if not isinstance(answer, Problem):
            said, digest = answer
            return build_reading(run, WorkflowReport(truncate_entity(self._map.reword(said)), digest), None)
        no_query_handlers = await has_no_query_handlers(handle, answer, budget)
        if no_query_handlers:
            return build_reading(run, report_without_queries(run, no_query_handlers), None)
        # The query may have taken all the time that there was for it.
        return build_reading(
            run, await unanswered_reason(handle, run, answer, Deadline.of(FINAL_CALL_TIMEOUT_SECONDS)), None
        )
