"""Asks Temporal: list, count, describe and query. Knows the SDK, so that nothing past this folder needs to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from temporalio.client import Client, WorkflowHistoryEventFilterType

from dashboard.domain.entities import Entity, Execution, Failure, Status
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.ids import parse_entity_id
from dashboard.domain.problems import Problem, ReleaseNotFound
from dashboard.domain.source import Fingerprint, Listing, Reading, RunEntity, Search
from dashboard.temporal.budget import Budget
from dashboard.temporal.connection import Connection
from dashboard.temporal.errors import ASKING_ERRORS, is_not_found, unavailable
from dashboard.temporal.executions import decode_closing, decode_description, decode_execution, decode_status
from dashboard.temporal.query_shape import RELEASE_STATE, Handle, ask_entity, ask_release
from dashboard.temporal.reading import ChildReader, Told, alone, is_wordless
from dashboard.temporal.shapes import ask_tree

# Kept back from what the queries may take, in seconds, so that those that did answer still make it into the page.
RESERVE = 0.15

ENDED_FOR_A_REASON = frozenset({Status.FAILED, Status.TERMINATED})


class TemporalGateway:
    """Reads releases from one namespace. Everything in it runs on one event loop."""

    def __init__(self, connection: Connection, release_query: str, entity_map: EntityMap | None = None) -> None:
        self._connection = connection
        self._query = release_query
        self._map = entity_map or EntityMap()

    async def page(self, page: int, page_size: int, known: Mapping[str, Reading], budget: float) -> Listing:
        """One visibility call and one count at once, then the page's releases are asked together."""
        total = Budget.of(budget)
        async with self._asking(total) as client:
            runs, counts = await asyncio.gather(self._list(client, page, page_size, total), self._count(client, total))
        queries = total.less(RESERVE)
        readings = await asyncio.gather(*(self._state(client, run, known.get(run.run_id), queries) for run in runs))
        return Listing(tuple(readings), counts)

    async def read(self, release_id: str, known: Reading | None, budget: float) -> Reading:
        """Describe a release and ask for its hierarchy: together at first, later only if its history has grown."""
        total = Budget.of(budget)
        async with self._asking(total, release_id) as client:
            if known is None:
                return await self._read_together(client, release_id, total)
            execution = await self._describe(client, release_id, total)
        fingerprint = Fingerprint(execution.run_id, execution.status, execution.history_length)
        if known.fingerprint == fingerprint:
            return replace(known, execution=replace(execution, closing=known.execution.closing))
        handle = client.get_workflow_handle(release_id, run_id=execution.run_id)
        queries = total.less(RESERVE)
        same = known.execution.run_id == execution.run_id
        children = ChildReader(client, self._map, queries)
        if known.listed and same and not (known.said and known.said.problem):
            told = children.tree(execution)
        else:
            asking = ask_tree(client, handle, queries, execution.task_queue)
            has_told = same and not known.listed
            told = children.join(execution, asking, has_told=has_told, has_children=same and known.has_children)
        answer, closing = await asyncio.gather(told, self._closing(handle, execution, queries))
        return _reading(replace(execution, closing=closing), answer, fingerprint)

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> Search:
        """One visibility call and one count at once, then the newest runs are asked for the entity together."""
        entity_type = parse_entity_id(entity_id).type
        total = Budget.of(budget)
        async with self._asking(total) as client:
            runs, counts = await asyncio.gather(self._list(client, 1, limit, total), self._count(client, total))
        queries = total.less(RESERVE)
        children = ChildReader(client, self._map, queries)

        async def ask(run: Execution) -> Entity | None:
            if (run.run_id, entity_id) in known:
                return known[run.run_id, entity_id]
            handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            entity = await ask_entity(handle, entity_id, entity_type, queries, run.task_queue)
            if entity is None or entity.problem is None:
                return entity and self._map.reword(entity)
            return await children.find(handle, entity)

        answers = await asyncio.gather(*(ask(run) for run in runs))
        return Search(tuple(zip(runs, answers, strict=True)), sum(counts.values()))

    async def _read_together(self, client: Client, release_id: str, total: Budget) -> Reading:
        handle = client.get_workflow_handle(release_id)
        asking = asyncio.ensure_future(ask_tree(client, handle, total.less(RESERVE)))
        try:
            execution = await self._describe(client, release_id, total)
            children = ChildReader(client, self._map, total.less(RESERVE))
            closing, answer = await asyncio.gather(
                self._closing(handle, execution, total), children.join(execution, asking)
            )
        finally:
            asking.cancel()
        # No fingerprint: the query may have been answered before the last event that describe counted.
        return _reading(replace(execution, closing=closing), answer, None)

    async def _list(self, client: Client, page: int, page_size: int, budget: Budget) -> list[Execution]:
        """The runs of one page by one call: the pages before it are asked for with it and left out here."""
        runs = client.list_workflows(self._query, page_size=page * page_size, rpc_timeout=budget.left)
        await runs.fetch_next_page()
        return [decode_execution(run) for run in (runs.current_page or ())[(page - 1) * page_size :]]

    async def _count(self, client: Client, budget: Budget) -> dict[Status, int]:
        query = f"{self._query} GROUP BY ExecutionStatus"
        answer = await client.count_workflows(query, rpc_timeout=budget.left)
        counts: Counter[Status] = Counter()
        for group in answer.groups:
            counts[decode_status(str(group.group_values[0]))] += group.count
        return counts

    async def _state(self, client: Client, run: Execution, known: Reading | None, budget: Budget) -> Reading:
        if known is not None:
            return known
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        answer = await ask_release(handle, RELEASE_STATE, budget, run.task_queue)
        if not isinstance(answer, Problem):
            said, digest = answer
            return _reading(run, Told(self._map.reword(said), digest), None)
        wordless = await is_wordless(handle, answer, budget)
        return _reading(run, alone(run) if wordless else answer, None)

    async def _describe(self, client: Client, release_id: str, budget: Budget) -> Execution:
        description = await client.get_workflow_handle(release_id).describe(rpc_timeout=budget.left)
        return decode_description(description)

    async def _closing(self, handle: Handle, execution: Execution, budget: Budget) -> Failure | None:
        """Why a run ended. One that says so in its last event only, such as a terminated one, has no other words."""
        if execution.status not in ENDED_FOR_A_REASON:
            return None
        events = handle.fetch_history_events(
            page_size=1,
            event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT,
            skip_archival=True,
            rpc_timeout=budget.left,
        )
        try:
            async with budget.bounds():
                async for event in events:
                    return decode_closing(event)
        except ASKING_ERRORS:
            return None  # The reason adds to what describe said; without it the release is still shown as ended.
        return None

    @asynccontextmanager
    async def _asking(self, budget: Budget, release_id: str | None = None) -> AsyncIterator[Client]:
        try:
            async with budget.bounds():
                yield await self._connection.client()
        except ASKING_ERRORS as exc:
            if release_id is not None and is_not_found(exc):
                raise ReleaseNotFound(release_id) from exc
            raise unavailable(exc) from exc


def _reading(execution: Execution, told: Told | Problem, fingerprint: Fingerprint | None) -> Reading:
    if isinstance(told, Problem):
        return Reading(execution, problem=told)
    # What moves without the release's own history has no fingerprint: it is read again each time.
    fingerprint = None if told.moves else fingerprint
    return Reading(
        execution,
        said=told.said,
        digest=told.digest,
        fingerprint=fingerprint,
        listed=told.listed,
        has_children=told.has_children,
    )
