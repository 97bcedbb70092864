"""Asks Temporal: list, count, describe and query. Knows the SDK, so that nothing past this folder needs to."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from dashboard.domain.entities import Entity, Execution, Runs, Status
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.execution_problem import problem_of
from dashboard.domain.filters import Slice
from dashboard.domain.problems import NotFound, Problem, ProblemCode, ReleaseNotFound, RunNotFound, SourceUnavailable
from dashboard.domain.runs import known_runs
from dashboard.domain.source import Listing, Reading, RunEntity, Search
from dashboard.temporal.budget import Budget
from dashboard.temporal.busy import with_reason
from dashboard.temporal.child_details import DescribedRuns
from dashboard.temporal.child_words import ChildWords
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.connection import Connection
from dashboard.temporal.earlier_runs import EarlierRuns
from dashboard.temporal.entity_search import EntitySearch
from dashboard.temporal.errors import ASKING_ERRORS, is_not_found, unavailable
from dashboard.temporal.executions import read_description
from dashboard.temporal.foreign import ForeignChildren
from dashboard.temporal.history import Endings, with_task_failure
from dashboard.temporal.origins import Origins, waiting
from dashboard.temporal.pace import Pace
from dashboard.temporal.parts import ask_in_parts
from dashboard.temporal.presence import Presence
from dashboard.temporal.query_shape import HIERARCHY, RELEASE_STATE, ask_release
from dashboard.temporal.queue_pollers import QueuePollers
from dashboard.temporal.reading import ChildReader
from dashboard.temporal.release_reading import as_ended, fingerprint_of, is_too_large, reading_of
from dashboard.temporal.release_states import ReleaseStates
from dashboard.temporal.run_links import RunLinks
from dashboard.temporal.salvage import undecodable
from dashboard.temporal.visibility import Rows, Visibility

# Kept back from what the queries may take, in seconds, so that those that did answer still make it into the page.
RESERVE = 0.15
# How long a first look at a release that is too large for one answer may take for its waves, in seconds.
FIRST_LOOK = 0.5
# How often a page is asked for again, past runs that others stand for.
FURTHER_PAGES = 3


class TemporalGateway:
    """Reads releases from one namespace. Everything in it runs on one event loop."""

    def __init__(self, connection: Connection, release_query: str, entity_map: EntityMap | None = None) -> None:
        self._connection = connection
        self._visibility = Visibility(release_query)
        self._map = entity_map or EntityMap()
        self._words = ChildWords(self._map)
        self._presence = Presence()
        self._endings = Endings()
        self._pollers = QueuePollers()
        self._described = DescribedRuns()
        self._links = RunLinks()
        self._origins = Origins(self._links)
        self._earlier = EarlierRuns(self._endings, self._links)
        self._foreign = ForeignChildren()
        self._pace = Pace(connection.visibility)
        self._states = ReleaseStates(self._map, self._endings, self._origins)

    async def page(
        self,
        asked: Slice,
        known: Mapping[tuple[str, str], Reading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: Listing | None = None,
    ) -> Listing:
        """One visibility call and at most one count at once, then the page's releases are asked together."""
        total = Budget.of(budget)
        async with self._asking(total) as client:
            rows = await self._pace.page(client, self._visibility, asked, counts, total, last)
        queries = total.less(RESERVE)
        rows, earlier = await self._without_earlier(client, asked, rows, queries)
        runs = tuple(run for run in rows.runs if run.run_id not in earlier)
        readings = await asyncio.gather(
            *(self._states.read(client, run, known.get((run.workflow_id, run.run_id)), queries) for run in runs)
        )
        found, exact = self._earlier.counted(rows, asked, earlier)
        again = last if last and rows.listed_at == last.listed_at else None
        return Listing(
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
        self, client: Client, asked: Slice, rows: Rows, budget: Budget
    ) -> tuple[Rows, Mapping[str, Execution]]:
        """A page of the list and which of its runs another stands for: where they took up room, others came instead."""
        earlier = await self._earlier.among(client, rows.runs, budget)
        for _ in range(FURTHER_PAGES):
            if not (earlier and rows.next) or rows.late:
                break
            left_out = await self._earlier.left_out(client, earlier, budget)
            rows = await self._pace.past(client, self._visibility, asked, rows, left_out, budget)
            earlier = await self._earlier.among(client, rows.runs, budget)
        return rows, earlier

    async def read(
        self,
        release_id: str,
        known: Reading | None,
        budget: float,
        *,
        run_id: str | None = None,
        opened: frozenset[str] = frozenset(),
    ) -> Reading:
        """Read a release's tree and, at the same time, which runs its id has."""
        total = Budget.of(budget)
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
            self._presence.heard(reading.execution.task_queue)
        return replace(reading, runs=known_runs(runs, (latest or reading.execution, reading.execution)))

    async def _tree_or_gap(
        self, release_id: str, known: Reading | None, total: Budget, run_id: str | None, opened: frozenset[str] | None
    ) -> Reading:
        """The tree; where something in it cannot be dealt with, what Temporal knows of the release, and why."""
        try:
            return await self._tree(release_id, known, total, run_id, opened)
        except (SourceUnavailable, NotFound):
            raise
        except Exception as exc:  # noqa: BLE001 - logged with its stack; no other release has to do with it
            problem = undecodable("This release", exc)
        async with self._asking(total, release_id, run_id) as client:
            described = await client.get_workflow_handle(release_id, run_id=run_id).describe(total)
        return Reading(read_description(described), problem=problem)

    async def _runs(
        self, release_id: str, known: Reading | None, budget: Budget, run_id: str | None
    ) -> tuple[Execution | None, Runs]:
        """The latest run, where another is read, and all runs as the list has them, asked for once in a while."""
        await asyncio.sleep(0)
        latest = None
        if run_id:
            async with self._asking(budget, release_id) as client:
                latest = await self._describe(client, release_id, budget)
        newest = latest or (known.execution if known else None)
        listed = known.runs if known else None
        return latest, await self._listed_runs(release_id, listed, budget, newest.run_id if newest else None)

    async def _listed_runs(self, release_id: str, known: Runs | None, budget: Budget, latest: str | None) -> Runs:
        return await self._pace.runs(await self._connection.client(), release_id, known, latest, budget)

    async def row(
        self, workflow_id: str, run_id: str, known: Reading | None, budget: float, *, deep: bool = True
    ) -> Reading:
        """One describe for a release that has not moved; else its tree, or its own state where that is too large."""
        total = Budget.of(budget)
        if known is not None and not known.scheduled and (known.large or not deep):
            async with self._asking(total, workflow_id, run_id) as client:
                execution = await self._describe(client, workflow_id, total, run_id)
            if fingerprint_of(execution) == fingerprint_of(known.execution):
                return replace(known, execution=as_ended(execution, known.execution))
            if known.large:
                return await self._large_row(client, execution, total)
        reading = await self._tree_or_gap(workflow_id, known, total, run_id, None)
        if reading.problem and reading.problem.code is ProblemCode.TOO_LARGE:
            return await self._large_row(await self._connection.client(), reading.execution, total)
        return await self._with_reason(reading, total)

    async def _large_row(self, client: Client, execution: Execution, budget: Budget) -> Reading:
        handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
        queries = budget.less(RESERVE)
        execution = await self._endings.told(handle, execution, queries)
        answer = await ask_release(handle, RELEASE_STATE, queries, execution.task_queue)
        if isinstance(answer, Problem):
            return Reading(execution, problem=answer, large=True)
        said, digest = self._map.reword(answer[0]), answer[1]
        return Reading(execution, said=said, digest=digest, fingerprint=fingerprint_of(execution), large=True)

    async def _tree(
        self, release_id: str, known: Reading | None, total: Budget, run_id: str | None, opened: frozenset[str] | None
    ) -> Reading:
        """Describe a release and ask for its hierarchy: together at first, later only if its history has grown.

        One too large for one answer is read in parts, as far as these are `opened`; with None, it is not.
        """
        async with self._asking(total, release_id, run_id) as client:
            if known is None:
                return await self._read_together(client, release_id, total, run_id, opened)
            execution = await self._describe(client, release_id, total, run_id)
            if known.scheduled or waiting(execution):
                return waiting(execution) or await self._read_together(client, release_id, total, run_id, opened)
        fingerprint = fingerprint_of(execution)
        handle = client.get_workflow_handle(release_id, run_id=execution.run_id)
        queries = total.less(RESERVE)
        if execution.status is Status.PAUSED and known.execution.run_id == execution.run_id and not known.listed:
            # Nothing is passed on to it: what it last said is all there is.
            return Reading(execution, problem=problem_of(execution))
        if known.fingerprint == fingerprint and not known.lacks(opened or frozenset()):
            unmoved = replace(known, execution=as_ended(execution, known.execution))
            problem = await self._presence.missing(handle, unmoved, queries)
            return Reading(execution, problem=problem) if problem else unmoved
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
            asking = ask_release(handle, HIERARCHY, queries, execution.task_queue)
            has_told = same and not known.listed and known.said is not None
            likely = not same or known.has_children
            answer = await children.join(execution, asking, has_told=has_told, likely=likely, known=listed)
        if is_too_large(answer) and opened is not None:
            return await self._read_in_parts(handle, execution, None, opened, children, queries, queries)
        return reading_of(execution, answer, fingerprint)

    async def _with_places(self, reading: Reading, budget: Budget) -> Reading:
        """A reading with where those of its child workflows run that are not listed; most have none."""
        if not reading.execution.child_runs:
            return reading
        client = await self._connection.client()
        execution = await self._foreign.placed(client, reading.execution, reading.children, budget)
        return replace(reading, execution=execution)

    async def _with_reason(self, reading: Reading, budget: Budget) -> Reading:
        """A reading with why the release did not answer: its worker may be busy with it."""
        run = reading.execution
        handle = (await self._connection.client()).get_workflow_handle(run.workflow_id, run_id=run.run_id)
        return await with_reason(handle, reading, budget)

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> Search:
        """One visibility call and one count at once, then the newest runs are asked for the entity together."""
        total = Budget.of(budget)
        async with self._asking(total) as client:
            rows = await self._pace.newest(client, self._visibility, limit, total)
        queries = total.less(RESERVE)
        earlier = await self._earlier.among(client, rows.runs, queries)
        listed = (run for run in rows.runs if run.run_id not in earlier)
        runs = await asyncio.gather(*(self._origins.told(client, run, queries) for run in listed))
        looking = EntitySearch(client, self._map, self._children(client, queries), queries)
        answers = await looking.find(entity_id, runs, known)
        return Search(tuple(zip(runs, answers, strict=True)), sum(rows.counts.values()) - len(earlier))

    async def _read_together(
        self, client: Client, release_id: str, total: Budget, run_id: str | None, opened: frozenset[str] | None
    ) -> Reading:
        handle = client.get_workflow_handle(release_id, run_id=run_id)
        asking = asyncio.ensure_future(ask_release(handle, HIERARCHY, total.less(RESERVE)))
        try:
            # The query takes longest, so it is sent first: what is asked beside it waits for one turn of the loop.
            await asyncio.sleep(0)
            execution = await self._describe(client, release_id, total, run_id)
            if scheduled := waiting(execution):
                return scheduled
            children = self._children(client, total.less(RESERVE))
            ended = client.get_workflow_handle(release_id, run_id=execution.run_id)
            execution, answer = await asyncio.gather(
                self._endings.told(ended, execution, total), children.join(execution, asking)
            )
        finally:
            asking.cancel()
        if is_too_large(answer) and opened is not None:
            # Somebody waits for a first page: what comes within a moment is shown, the rest at the next look.
            handle = client.get_workflow_handle(release_id, run_id=execution.run_id)
            queries, patience = total.less(RESERVE), Budget.of(FIRST_LOOK)
            return await self._read_in_parts(handle, execution, None, opened, children, queries, patience)
        # No fingerprint: the query may have been answered before the last event that describe counted.
        return reading_of(execution, answer, None)

    def _children(self, client: Client, budget: Budget) -> ChildReader:
        shared = (self._pollers, self._endings, self._described, self._origins)
        return ChildReader(client, self._map, budget, self._words, *shared, self._pace)

    async def _read_in_parts(
        self,
        handle: Handle,
        execution: Execution,
        known: Reading | None,
        opened: frozenset[str],
        children: ChildReader,
        budget: Budget,
        patience: Budget,
    ) -> Reading:
        fingerprint = fingerprint_of(execution)
        told = await ask_in_parts(handle, known, opened, fingerprint, budget, patience)
        if isinstance(told, Problem):
            # What cannot be told at all may still be seen from outside.
            return reading_of(execution, await children.instead_of_large(execution, told), fingerprint)
        return Reading(
            execution,
            said=self._map.reword(told.said),
            digest=told.digest,
            fingerprint=fingerprint if told.current else None,
            parts=told.parts,
            levels=told.levels,
        )

    async def _describe(self, client: Client, release_id: str, budget: Budget, run_id: str | None = None) -> Execution:
        handle = client.get_workflow_handle(release_id, run_id=run_id)
        description = await handle.describe(budget)
        execution = read_description(description)
        self._links.note(execution)
        execution = await with_task_failure(client, execution, budget)
        execution = await self._pollers.with_pollers(client, execution, budget)
        return await self._origins.told(client, execution, budget)

    @asynccontextmanager
    async def _asking(
        self, budget: Budget, release_id: str | None = None, run_id: str | None = None
    ) -> AsyncIterator[Client]:
        began = time.monotonic()
        try:
            async with budget.bounds():
                yield await self._connection.client()
        except ASKING_ERRORS as exc:
            if release_id is not None and is_not_found(exc):
                raise (RunNotFound(release_id, run_id) if run_id else ReleaseNotFound(release_id)) from exc
            refusal = unavailable(exc)
            if refusal.problem.code in {ProblemCode.TIMED_OUT, ProblemCode.UNAVAILABLE}:
                self._connection.forget(began)
            raise refusal from exc
