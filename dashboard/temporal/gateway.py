"""The gateway to Temporal: list, count, describe and query. Only this package uses the SDK."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from dashboard.domain.entities import Entity, Execution, Runs, Status
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.execution_problem import execution_problem_of
from dashboard.domain.filters import PageRequest
from dashboard.domain.problems import NotFound, Problem, ProblemCode, ReleaseNotFound, RunNotFound, SourceUnavailable
from dashboard.domain.runs import merge_described_runs
from dashboard.domain.source import EntitySearchResult, ReleaseListing, ReleaseReading, RunEntity
from dashboard.temporal.busy_workers import with_unanswered_reason
from dashboard.temporal.child_details import DescriptionCache
from dashboard.temporal.child_reader import ChildReader
from dashboard.temporal.child_states import ChildStates
from dashboard.temporal.client import NamespaceClient, RunHandle
from dashboard.temporal.connection import TemporalConnection
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.earlier_runs import SupersededRuns
from dashboard.temporal.entity_search import EntitySearch
from dashboard.temporal.errors import CALL_ERRORS, is_not_found, source_unavailable
from dashboard.temporal.executions import read_description
from dashboard.temporal.history import RunEndingReader, with_task_failure
from dashboard.temporal.list_interval import ListInterval
from dashboard.temporal.origins import OriginReader, scheduled_reading
from dashboard.temporal.other_namespaces import OtherNamespaceChildren
from dashboard.temporal.queries import HIERARCHY_QUERY, RELEASE_STATE_QUERY, query_release
from dashboard.temporal.queue_pollers import QueuePollerReader
from dashboard.temporal.release_reading import build_reading, fingerprint_of, is_too_large, with_run_ending
from dashboard.temporal.release_states import ReleaseStateReader
from dashboard.temporal.run_links import RunLinkReader
from dashboard.temporal.salvage import undecodable_problem
from dashboard.temporal.visibility import Visibility, VisibilityPage
from dashboard.temporal.waves import query_in_parts
from dashboard.temporal.worker_liveness import WorkerLiveness

# Kept back from what the queries may take, in seconds, so that those that did answer still make it into the page.
RESPONSE_RESERVE_SECONDS = 0.15
# The timeout for the waves of a large release on first read, in seconds.
FIRST_WAVES_TIMEOUT_SECONDS = 0.5
# How often a page is read again to replace superseded runs.
MAX_PAGE_REFILLS = 3


class TemporalGateway:
    """Reads releases from one namespace, on one event loop."""

    def __init__(self, connection: TemporalConnection, release_query: str, entity_map: EntityMap | None = None) -> None:
        self._connection = connection
        self._visibility = Visibility(release_query)
        self._map = entity_map or EntityMap()
        self._words = ChildStates(self._map)
        self._worker_liveness = WorkerLiveness()
        self._endings = RunEndingReader()
        self._pollers = QueuePollerReader()
        self._described = DescriptionCache()
        self._links = RunLinkReader()
        self._origins = OriginReader(self._links)
        self._earlier = SupersededRuns(self._endings, self._links)
        self._foreign = OtherNamespaceChildren()
        self._pace = ListInterval(connection.visibility)
        self._states = ReleaseStateReader(self._map, self._endings, self._origins)

    async def page(
        self,
        asked: PageRequest,
        known: Mapping[tuple[str, str], ReleaseReading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: ReleaseListing | None = None,
    ) -> ReleaseListing:
        """Read a page with one visibility call and at most one count, then query its releases concurrently."""
        total = Deadline.of(budget)
        async with self._asking(total) as client:
            rows = await self._pace.page(client, self._visibility, asked, counts, total, last)
        queries = total.less(RESPONSE_RESERVE_SECONDS)
        rows, earlier = await self._without_earlier(client, asked, rows, queries)
        runs = tuple(run for run in rows.runs if run.run_id not in earlier)
        readings = await asyncio.gather(
            *(self._states.read(client, run, known.get((run.workflow_id, run.run_id)), queries) for run in runs)
        )
        found, exact = self._earlier.counted(rows, asked, earlier)
        again = last if last and rows.listed_at == last.listed_at else None
        return ReleaseListing(
            tuple(readings),
            found,
            rows.next,
            rows.absent,
            runs,
            rows.listed_at,
            rows.counted_at,
            rows.late,
            earlier=len(earlier) + (again.earlier if again else 0),
            exact=exact,
        )

    async def _without_earlier(
        self, client: NamespaceClient, asked: PageRequest, rows: VisibilityPage, budget: Deadline
    ) -> tuple[VisibilityPage, Mapping[str, Execution]]:
        """Read a page of the list with its superseded runs, filling up with further runs."""
        earlier = await self._earlier.among(client, rows.runs, budget)
        for _ in range(MAX_PAGE_REFILLS):
            if not (earlier and rows.next) or rows.late:
                break
            left_out = await self._earlier.left_out(client, earlier, budget)
            rows = await self._pace.past(client, self._visibility, asked, rows, left_out, budget)
            earlier = await self._earlier.among(client, rows.runs, budget)
        return rows, earlier

    async def read(
        self,
        release_id: str,
        known: ReleaseReading | None,
        budget: float,
        *,
        run_id: str | None = None,
        opened: frozenset[str] = frozenset(),
    ) -> ReleaseReading:
        """Read a release's tree and, concurrently, its runs."""
        total = Deadline.of(budget)
        looking = asyncio.ensure_future(self._runs(release_id, known, total, run_id))
        try:
            tree = await self._tree_or_gap(release_id, known, total, run_id, opened)
            reading = await self._with_places(await self._with_reason(tree, total), total)
            latest, runs = await looking
            if runs.executions and all(run.run_id != reading.execution.run_id for run in runs.executions):
                runs = await self._listed_runs(release_id, runs, total, reading.execution.run_id)
        finally:
            looking.cancel()
        if reading.said and not reading.listed and (known is None or reading.said is not known.said):
            self._worker_liveness.heard(reading.execution.task_queue)
        return replace(reading, runs=merge_described_runs(runs, (latest or reading.execution, reading.execution)))

    async def _tree_or_gap(
        self,
        release_id: str,
        known: ReleaseReading | None,
        total: Deadline,
        run_id: str | None,
        opened: frozenset[str] | None,
    ) -> ReleaseReading:
        """Read the tree or, on an error, return Temporal's data with the reason."""
        try:
            return await self._tree(release_id, known, total, run_id, opened)
        except (SourceUnavailable, NotFound):
            raise
        except Exception as exc:  # noqa: BLE001 - logged with its stack; no other release has to do with it
            problem = undecodable_problem("This release", exc)
        async with self._asking(total, release_id, run_id) as client:
            described = await client.get_workflow_handle(release_id, run_id=run_id).describe(total)
        return ReleaseReading(read_description(described), problem=problem)

    async def _runs(
        self, release_id: str, known: ReleaseReading | None, budget: Deadline, run_id: str | None
    ) -> tuple[Execution | None, Runs]:
        """Return the latest run and all listed runs, refreshed from time to time."""
        await asyncio.sleep(0)
        latest = None
        if run_id:
            async with self._asking(budget, release_id) as client:
                latest = await self._describe(client, release_id, budget)
        newest = latest or (known.execution if known else None)
        listed = known.runs if known else None
        return latest, await self._listed_runs(release_id, listed, budget, newest.run_id if newest else None)

    async def _listed_runs(self, release_id: str, known: Runs | None, budget: Deadline, latest: str | None) -> Runs:
        return await self._pace.runs(await self._connection.client(), release_id, known, latest, budget)

    async def row(
        self, workflow_id: str, run_id: str, known: ReleaseReading | None, budget: float, *, deep: bool = True
    ) -> ReleaseReading:
        """Read a row.

        One describe call for an unchanged release, otherwise its tree or, if too large, its own state.
        """
        total = Deadline.of(budget)
        if known is not None and not known.scheduled and (known.large or not deep):
            async with self._asking(total, workflow_id, run_id) as client:
                execution = await self._describe(client, workflow_id, total, run_id)
            if fingerprint_of(execution) == fingerprint_of(known.execution):
                return replace(known, execution=with_run_ending(execution, known.execution))
            if known.large:
                return await self._large_row(client, execution, total)
        reading = await self._tree_or_gap(workflow_id, known, total, run_id, None)
        if reading.problem and reading.problem.code is ProblemCode.TOO_LARGE:
            return await self._large_row(await self._connection.client(), reading.execution, total)
        return await self._with_reason(reading, total)

    async def _large_row(self, client: NamespaceClient, execution: Execution, budget: Deadline) -> ReleaseReading:
        handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
        queries = budget.less(RESPONSE_RESERVE_SECONDS)
        execution = await self._endings.told(handle, execution, queries)
        answer = await query_release(handle, RELEASE_STATE_QUERY, queries, execution.task_queue)
        if isinstance(answer, Problem):
            return ReleaseReading(execution, problem=answer, large=True)
        said, digest = self._map.reword(answer[0]), answer[1]
        return ReleaseReading(execution, said=said, digest=digest, fingerprint=fingerprint_of(execution), large=True)

    async def _tree(
        self,
        release_id: str,
        known: ReleaseReading | None,
        total: Deadline,
        run_id: str | None,
        opened: frozenset[str] | None,
    ) -> ReleaseReading:
        """Describe a release and query its hierarchy: concurrently at first, later only if its history has grown.

        Large releases are read in parts, as far as these are `opened`; with None, they are not.
        """
        async with self._asking(total, release_id, run_id) as client:
            if known is None:
                return await self._read_together(client, release_id, total, run_id, opened)
            execution = await self._describe(client, release_id, total, run_id)
            if known.scheduled or scheduled_reading(execution):
                return scheduled_reading(execution) or await self._read_together(
                    client, release_id, total, run_id, opened
                )
        fingerprint = fingerprint_of(execution)
        handle = client.get_workflow_handle(release_id, run_id=execution.run_id)
        queries = total.less(RESPONSE_RESERVE_SECONDS)
        if execution.status is Status.PAUSED and known.execution.run_id == execution.run_id and not known.listed:
            # It receives no queries: only its last report is available.
            return ReleaseReading(execution, problem=execution_problem_of(execution))
        if known.fingerprint == fingerprint and not known.misses(opened or frozenset()):
            unmoved = replace(known, execution=with_run_ending(execution, known.execution))
            problem = await self._worker_liveness.missing(handle, unmoved, queries)
            return ReleaseReading(execution, problem=problem) if problem else unmoved
        execution = await self._endings.told(handle, execution, queries)
        same = known.execution.run_id == execution.run_id
        children = self._children(client, queries)
        if (known.parts or known.levels) and same and opened is not None:
            return await self._read_in_parts(handle, execution, known, opened, children, queries, queries)
        listed = known.children if same else None
        problem = known.said.problem if known.said else None
        if known.listed and same and (problem is None or is_too_large(problem)):
            answer = await children.tree(execution, listed, problem)
        else:
            asking = query_release(handle, HIERARCHY_QUERY, queries, execution.task_queue)
            has_reported = same and not known.listed and known.said is not None
            likely = not same or known.has_children
            answer = await children.join(execution, asking, has_reported=has_reported, likely=likely, known=listed)
        if is_too_large(answer) and opened is not None:
            return await self._read_in_parts(handle, execution, None, opened, children, queries, queries)
        return build_reading(execution, answer, fingerprint)

    async def _with_places(self, reading: ReleaseReading, budget: Deadline) -> ReleaseReading:
        """Add the namespaces of child workflows that are not listed."""
        if not reading.execution.child_runs:
            return reading
        client = await self._connection.client()
        execution = await self._foreign.placed(client, reading.execution, reading.children, budget)
        return replace(reading, execution=execution)

    async def _with_reason(self, reading: ReleaseReading, budget: Deadline) -> ReleaseReading:
        """Add why the release did not respond: its worker may be busy."""
        run = reading.execution
        handle = (await self._connection.client()).get_workflow_handle(run.workflow_id, run_id=run.run_id)
        return await with_unanswered_reason(handle, reading, budget)

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> EntitySearchResult:
        """Search with one visibility call and one count, then query the newest runs concurrently."""
        total = Deadline.of(budget)
        async with self._asking(total) as client:
            rows = await self._pace.newest(client, self._visibility, limit, total)
        queries = total.less(RESPONSE_RESERVE_SECONDS)
        earlier = await self._earlier.among(client, rows.runs, queries)
        listed = (run for run in rows.runs if run.run_id not in earlier)
        runs = await asyncio.gather(*(self._origins.told(client, run, queries) for run in listed))
        looking = EntitySearch(client, self._map, self._children(client, queries), queries)
        answers = await looking.find(entity_id, runs, known)
        return EntitySearchResult(tuple(zip(runs, answers, strict=True)), sum(rows.counts.values()) - len(earlier))

    async def _read_together(
        self,
        client: NamespaceClient,
        release_id: str,
        total: Deadline,
        run_id: str | None,
        opened: frozenset[str] | None,
    ) -> ReleaseReading:
        handle = client.get_workflow_handle(release_id, run_id=run_id)
        asking = asyncio.ensure_future(query_release(handle, HIERARCHY_QUERY, total.less(RESPONSE_RESERVE_SECONDS)))
        try:
            # The query takes longest, so it is sent first: what is asked beside it waits for one turn of the loop.
            await asyncio.sleep(0)
            execution = await self._describe(client, release_id, total, run_id)
            if scheduled := scheduled_reading(execution):
                return scheduled
            children = self._children(client, total.less(RESPONSE_RESERVE_SECONDS))
            ended = client.get_workflow_handle(release_id, run_id=execution.run_id)
            execution, answer = await asyncio.gather(
                self._endings.told(ended, execution, total), children.join(execution, asking)
            )
        finally:
            asking.cancel()
        if is_too_large(answer) and opened is not None:
            # A user is waiting for the first page: show what arrives quickly, the rest with the next read.
            handle = client.get_workflow_handle(release_id, run_id=execution.run_id)
            queries, patience = total.less(RESPONSE_RESERVE_SECONDS), Deadline.of(FIRST_WAVES_TIMEOUT_SECONDS)
            return await self._read_in_parts(handle, execution, None, opened, children, queries, patience)
        # No fingerprint: the query may have been answered before the last event that describe counted.
        return build_reading(execution, answer, None)

    def _children(self, client: NamespaceClient, budget: Deadline) -> ChildReader:
        shared = (self._pollers, self._endings, self._described, self._origins)
        return ChildReader(client, self._map, budget, self._words, *shared, self._pace)

    async def _read_in_parts(
        self,
        handle: RunHandle,
        execution: Execution,
        known: ReleaseReading | None,
        opened: frozenset[str],
        children: ChildReader,
        budget: Deadline,
        patience: Deadline,
    ) -> ReleaseReading:
        fingerprint = fingerprint_of(execution)
        told = await query_in_parts(handle, known, opened, fingerprint, budget, patience)
        if isinstance(told, Problem):
            # What cannot be told at all may still be seen from outside.
            return build_reading(execution, await children.instead_of_large(execution, told), fingerprint)
        return ReleaseReading(
            execution,
            said=self._map.reword(told.said),
            digest=told.digest,
            fingerprint=fingerprint if told.current else None,
            parts=told.parts,
            levels=told.levels,
        )

    async def _describe(
        self, client: NamespaceClient, release_id: str, budget: Deadline, run_id: str | None = None
    ) -> Execution:
        handle = client.get_workflow_handle(release_id, run_id=run_id)
        description = await handle.describe(budget)
        execution = read_description(description)
        self._links.note(execution)
        execution = await with_task_failure(client, execution, budget)
        execution = await self._pollers.with_pollers(client, execution, budget)
        return await self._origins.told(client, execution, budget)

    @asynccontextmanager
    async def _asking(
        self, budget: Deadline, release_id: str | None = None, run_id: str | None = None
    ) -> AsyncIterator[NamespaceClient]:
        began = time.monotonic()
        try:
            async with budget.bounds():
                yield await self._connection.client()
        except CALL_ERRORS as exc:
            if release_id is not None and is_not_found(exc):
                raise (RunNotFound(release_id, run_id) if run_id else ReleaseNotFound(release_id)) from exc
            refusal = source_unavailable(exc)
            if refusal.problem.code in {ProblemCode.TIMED_OUT, ProblemCode.UNAVAILABLE}:
                self._connection.forget(began)
            raise refusal from exc
