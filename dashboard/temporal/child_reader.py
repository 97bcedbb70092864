"""Combine a release's reports with the child workflows listed by Temporal."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dashboard.domain.child_runs import ChildListing, children_of_release
from dashboard.domain.children import (
    find_child_row,
    possible_retries,
    release_from_execution,
    runs_by_row,
    state_reporters,
    tree_from_children,
)
from dashboard.domain.entities import Entity, Execution
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.pending import attach_pending
from dashboard.domain.phases import phase_with_pending_work
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import apply_child_statuses
from dashboard.domain.rotation import has_running, has_unexplained
from dashboard.domain.stable_ids import ids_in_release, stable_id
from dashboard.temporal.child_details import ChildDetailReader, DescriptionCache
from dashboard.temporal.child_list import ChildLister
from dashboard.temporal.child_metadata import children_digest, supported_queries
from dashboard.temporal.child_states import ChildStates
from dashboard.temporal.client import NamespaceClient, RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS, source_problem
from dashboard.temporal.executions import read_description
from dashboard.temporal.history import RunEndingReader
from dashboard.temporal.list_interval import ListInterval
from dashboard.temporal.origins import OriginReader
from dashboard.temporal.queries import CONTRACT_QUERIES
from dashboard.temporal.queue_pollers import QueuePollerReader

# Reasons that say nothing against the release's having child workflows to show instead: no answer, or one of another
# form than the contract's.
NO_QUERY_HANDLER_PROBLEMS = frozenset(
    {
        ProblemCode.QUERY_UNKNOWN,
        ProblemCode.QUERY_FAILED,
        ProblemCode.MALFORMED,
        ProblemCode.UNREADABLE,
        ProblemCode.PAUSED,
        ProblemCode.NO_WORKER,
        ProblemCode.QUERY_TIMED_OUT,
    }
)
# How many child workflows are checked for retries per read.
MAX_RETRY_CHECKS = 200
# How long after the end of a release Temporal's list may still lack what happened last.
VISIBILITY_SETTLE_TIME = timedelta(seconds=30)
# Seconds that a release which has told of itself waits for a list of children that it is unknown to have.
CHILD_LIST_TIMEOUT_SECONDS = 0.5

QueryResult = tuple[Entity, str] | Problem


@dataclass(frozen=True, slots=True)
class WorkflowReport:
    """A release with everything below it. `listed` tells that its rows are its child workflows.

    `moves` tells that its content may change without its own history growing. `has_children` tells that it has or may
    have child workflows; `children` are those listed.
    """

    said: Entity
    digest: str
    listed: bool = False
    moves: bool = False
    has_children: bool = False
    children: ChildListing | None = None


class ChildReader:
    """Reads the child workflows of releases, if there are any."""

    def __init__(
        self,
        client: NamespaceClient,
        entity_map: EntityMap,
        budget: Deadline,
        words: ChildStates,
        pollers: QueuePollerReader,
        endings: RunEndingReader,
        described: DescriptionCache,
        origins: OriginReader,
        pace: ListInterval | None = None,
    ) -> None:
        self._client = client
        self._map = entity_map
        self._budget = budget
        self._words = words
        self._origins = origins
        self._lists = ChildLister(client, budget)
        self._details = ChildDetailReader(client, budget, pollers, endings, described)
        self._pace = pace or ListInterval()

    async def join(
        self,
        release: Execution,
        asking: Awaitable[QueryResult],
        *,
        has_reported: bool = False,
        likely: bool = True,
        known: ChildListing | None = None,
    ) -> WorkflowReport | Problem:
        """Return the reported release with the statuses of its child workflows applied, or the child workflows only.

        `has_told` tells that the release is known to report: then an absent worker does not turn it into another shape.
        A release that is not `likely` to have child workflows costs no call for them. `known` were listed before.
        """
        likely = likely or release.children_pending or self._map.names_children
        listing = asyncio.ensure_future(self._pace.children(self._lists, release, known)) if likely else None
        try:
            answer = await asking
            if isinstance(answer, Problem):
                return await self._instead(release, answer, listing, has_reported=has_reported)
            said, digest = self._map.reword(answer[0]), answer[1]
            if listing is None:
                return WorkflowReport(said, digest)
            listed = await (listing if release.children_pending else _soon(listing))
            return await self._merged(release, WorkflowReport(said, digest), listed, known)
        finally:
            if listing:
                listing.cancel()

    async def tree(
        self, release: Execution, known: ChildListing | None = None, problem: Problem | None = None
    ) -> WorkflowReport | Problem:
        """Return a release based on its child workflows; `problem` is why it has no reports."""
        children = await self._pace.children(self._lists, release, known)
        if isinstance(children, Problem):
            return children
        told = await self._tree(release, children)
        return _because(told, problem) if problem else told

    async def instead_of_large(self, release: Execution, problem: Problem) -> WorkflowReport | Problem:
        """Return a release too large for one response from its child workflows, or another problem unchanged."""
        if problem.code is not ProblemCode.TOO_LARGE:
            return problem
        told = await self.tree(release, problem=problem)
        return told if isinstance(told, WorkflowReport) and told.said.children else problem

    async def _instead(
        self,
        release: Execution,
        problem: Problem,
        listing: Awaitable[ChildListing | Problem] | None,
        *,
        has_reported: bool,
    ) -> WorkflowReport | Problem:
        """Return child workflows in place of a response."""
        if has_reported or problem.code not in NO_QUERY_HANDLER_PROBLEMS:
            return problem
        handle = self._client.get_workflow_handle(release.workflow_id, run_id=release.run_id)
        no_query_handlers = await has_no_query_handlers(handle, problem, self._budget)
        if problem.code in {ProblemCode.NO_WORKER, ProblemCode.QUERY_TIMED_OUT}:
            self._words.back_off(release.task_queue)
        children = await (listing or self._pace.children(self._lists, release, None))
        if isinstance(children, Problem):
            return children if no_query_handlers else problem
        told = await self._tree(release, children)
        if no_query_handlers:
            return _because(told, no_query_handlers) if isinstance(no_query_handlers, Problem) else told
        if not told.said.children:
            return problem
        if problem.code is ProblemCode.QUERY_UNKNOWN:
            return told
        return _because(told, problem)

    async def _tree(self, release: Execution, children: ChildListing) -> WorkflowReport:
        origins = await self._origins.of(
            self._client, possible_retries(release, children, MAX_RETRY_CHECKS), self._budget
        )
        children = replace(children, asked_at=datetime.now(UTC), origins=origins)
        described, words = await asyncio.gather(
            self._details.of(release, children),
            self._words.ask(self._client, state_reporters(release, children, self._map), children.words, self._budget),
        )
        children = replace(children, described=described, words=words)
        now = datetime.now(UTC)
        said = tree_from_children(release, children, self._map, now)
        moves = said.problem is not None or _moves(release, children)
        return WorkflowReport(
            said,
            children_digest(release, children, now),
            listed=True,
            moves=moves,
            has_children=True,
            children=children,
        )

    async def _merged(
        self, release: Execution, told: WorkflowReport, listed: ChildListing | Problem, known: ChildListing | None
    ) -> WorkflowReport:
        children = known if isinstance(listed, Problem) else listed
        if children is None or not children_of_release(release, children.listed):
            if not isinstance(listed, Problem):
                return told
            # One that has told of itself and is unknown to have any lacks nothing.
            unlisted = _unlisted(told, listed, known)
            return unlisted if release.children_pending else replace(unlisted, said=told.said, digest=told.digest)
        if children is listed:
            children = replace(children, described=await self._details.of(release, children))
        now = datetime.now(UTC)
        if not told.said.child_ids and not told.said.children:
            told = self._with_children(release, told, children, now)
        said = apply_child_statuses(told.said, runs_by_row(release, children, told.said, self._map), now)
        told = replace(told, said=said, digest=f"{told.digest}-{children_digest(release, children, now)}")
        if isinstance(listed, Problem):
            return _unlisted(told, listed, known)
        return replace(told, moves=_moves(release, children), has_children=True, children=children)

    def _with_children(
        self, release: Execution, told: WorkflowReport, children: ChildListing, now: datetime
    ) -> WorkflowReport:
        """Add child workflows to a release that reports no parts."""
        tree = tree_from_children(release, children, self._map, now)
        return replace(told, said=replace(told.said, child_ids=tree.child_ids, children=tree.children))

    async def find(self, handle: RunHandle, gap: Entity) -> Entity | None:
        """Find an entity by its child workflow, if the release has no reports."""
        if gap.problem is None or not await has_no_query_handlers(handle, gap.problem, self._budget):
            return gap
        return await self.find_listed(handle, gap)

    async def find_listed(self, handle: RunHandle, gap: Entity) -> Entity | None:
        """Find an entity by its child workflow; a gap with the reason if they cannot be listed."""
        try:
            async with self._budget.bounds():
                release = read_description(await handle.describe(self._budget))
        except CALL_ERRORS as exc:
            return replace(gap, problem=source_problem(exc))
        plain = stable_id(gap.id, release.workflow_id)
        ids = [name for each in self._map.workflow_ids_of(plain) for name in ids_in_release(each, release.workflow_id)]
        children = await self._lists.some(release, list(dict.fromkeys([*self._map.workflow_ids_of(gap.id), *ids])))
        if isinstance(children, Problem):
            return replace(gap, problem=children)
        found = find_child_row(release, children, gap.id, self._map) or find_child_row(
            release, children, plain, self._map
        )
        if release.closed_at is None or _settled(release):
            return found
        # Not final, or data missing in the list would be cached permanently for a closed release.
        text = "The release has just ended; Temporal's list of its workflows may be a few seconds late."
        return replace(found or gap, problem=Problem(ProblemCode.LAGGING, text))


async def _soon(listing: Awaitable[ChildListing | Problem]) -> ChildListing | Problem:
    try:
        async with asyncio.timeout(CHILD_LIST_TIMEOUT_SECONDS):
            return await listing
    except TimeoutError:
        return Problem(ProblemCode.TIMED_OUT, "Temporal did not list the child workflows in time.")


def _because(told: WorkflowReport, problem: Problem) -> WorkflowReport:
    """Add the problem of the release itself."""
    return replace(told, said=replace(told.said, problem=problem), digest=f"{told.digest}-{problem.code}")


def _unlisted(told: WorkflowReport, problem: Problem, known: ChildListing | None) -> WorkflowReport:
    """Return the reported release if its child workflows could not be listed.

    Known endings stay valid; the state of others is unknown.
    """
    told = _because(told, told.said.problem or problem)
    return replace(told, moves=True, has_children=True, children=known)


def _moves(release: Execution, children: ChildListing) -> bool:
    """Return whether its content may change without its own history growing.

    Child workflows may run on after its end, and why some ended may still have to be read.
    """
    return not _settled(release) or has_running(release, children) or has_unexplained(release, children)


def _settled(release: Execution) -> bool:
    return release.closed_at is not None and datetime.now(UTC) - release.closed_at > VISIBILITY_SETTLE_TIME


async def with_pending_work(handle: RunHandle, entity: Entity, budget: Deadline) -> Entity:
    """Add pending work to an individually queried entity with an ambiguous state.

    Costs a call only for an app in state "running".
    """
    if phase_with_pending_work(entity.type, entity.state, entity.phase) is entity.phase:
        return entity
    try:
        async with budget.bounds():
            release = read_description(await handle.describe(budget))
    except CALL_ERRORS as exc:
        return replace(entity, problem=source_problem(exc))
    return attach_pending(entity, release)[0]


async def has_no_query_handlers(handle: RunHandle, problem: Problem, budget: Deadline) -> Problem | bool:
    """Return whether a workflow supports no query of the contract, according to its metadata.

    Returns a problem if the metadata is encoded.
    """
    if problem.code not in {ProblemCode.QUERY_UNKNOWN, ProblemCode.QUERY_FAILED}:
        return False
    names = await supported_queries(handle, budget)
    if isinstance(names, Problem):
        return names
    # A handler for whatever is asked, which has no name, may well be one for ours.
    return names is not None and not names & {*CONTRACT_QUERIES, ""}


def report_without_queries(release: Execution, no_query_handlers: Problem | bool = True) -> WorkflowReport:
    """Return a release without queries, based on its execution, for a list."""
    told = WorkflowReport(release_from_execution(release), "", listed=True)
    return _because(told, no_query_handlers) if isinstance(no_query_handlers, Problem) else told


async def describe_listed_run(handle: RunHandle, run: Execution, budget: Deadline) -> Execution:
    """Add the description to a listed run, if available."""
    try:
        async with budget.bounds():
            return read_description(await handle.describe(budget))
    except CALL_ERRORS:
        return run
