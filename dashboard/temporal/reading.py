"""Joins what a release says of itself with what Temporal lists of its child workflows."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from dashboard.domain.children import Children, find_row, of_this_release, release_row, release_tree, statuses
from dashboard.domain.entities import Entity, Execution
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.truth import overrule
from dashboard.temporal.budget import Budget
from dashboard.temporal.child_shape import digest_of, list_children, queries_of, with_attempts
from dashboard.temporal.errors import ASKING_ERRORS, source_problem
from dashboard.temporal.executions import decode_description
from dashboard.temporal.query_shape import HIERARCHY, Handle

# Reasons that say nothing against the release's having child workflows to show instead.
WORDLESS = frozenset(
    {ProblemCode.QUERY_UNKNOWN, ProblemCode.QUERY_FAILED, ProblemCode.NO_WORKER, ProblemCode.QUERY_TIMED_OUT}
)
# How long after the end of a release Temporal's list may still lack what happened last.
SETTLED = timedelta(seconds=30)

Answer = tuple[Entity, str] | Problem


@dataclass(frozen=True, slots=True)
class Told:
    """A release with everything below it. `listed` says that its child workflows are its rows.

    `moves` says that its content may change without its own history growing: it has to be read again each time.
    `has_children` says that there are child workflows, whether or not the rows are drawn from them.
    """

    said: Entity
    digest: str
    listed: bool = False
    moves: bool = False
    has_children: bool = False


class ChildReader:
    """Reads the child workflows of releases, where there are some."""

    def __init__(self, client: Client, entity_map: EntityMap, budget: Budget) -> None:
        self._client = client
        self._map = entity_map
        self._budget = budget

    async def join(
        self, release: Execution, asking: Awaitable[Answer], *, has_told: bool = False, has_children: bool = False
    ) -> Told | Problem:
        """What the release answers after the statuses of its child workflows; these alone where it answers nothing.

        `has_told` says that the release is known to answer: then a worker that is away does not make it one of
        another shape. `has_children` says that child workflows have been seen; a release of which nothing says that
        it has some costs no call for them.
        """
        likely = has_children or release.children_pending or self._map.names_children
        listing = asyncio.ensure_future(self._list(release)) if likely else None
        try:
            answer = await asking
            if isinstance(answer, Problem):
                return await self._instead(release, answer, listing, has_told=has_told)
            said, digest = self._map.reword(answer[0]), answer[1]
            if listing is None:
                return Told(said, digest)
            return self._merged(release, said, digest, await listing)
        finally:
            if listing:
                listing.cancel()

    async def tree(self, release: Execution) -> Told | Problem:
        """A release that answers nothing, by its child workflows alone."""
        children = await self._list(release)
        return children if isinstance(children, Problem) else await self._tree(release, children)

    async def _list(self, release: Execution) -> Children | Problem:
        return await list_children(self._client, release, self._budget)

    async def _instead(
        self, release: Execution, problem: Problem, listing: Awaitable[Children | Problem] | None, *, has_told: bool
    ) -> Told | Problem:
        """Child workflows instead of an answer. Without any, the release has none yet only if it has no words."""
        if has_told or problem.code not in WORDLESS:
            return problem
        handle = self._client.get_workflow_handle(release.workflow_id, run_id=release.run_id)
        wordless = await is_wordless(handle, problem, self._budget)
        if problem.code is ProblemCode.QUERY_FAILED and not wordless:
            return problem
        children = await (listing or self._list(release))
        if isinstance(children, Problem):
            return children if wordless else problem
        told = await self._tree(release, children)
        if wordless:
            return told
        if not told.said.children:
            return problem
        if problem.code is ProblemCode.QUERY_UNKNOWN:
            return told
        return replace(told, said=replace(told.said, problem=problem))

    async def _tree(self, release: Execution, children: Children) -> Told:
        children = await with_attempts(self._client, release, children, self._budget)
        said = release_tree(release, children, self._map)
        moves = said.problem is not None or not _settled(release)
        return Told(said, digest_of(children), listed=True, moves=moves)

    def _merged(self, release: Execution, said: Entity, digest: str, children: Children | Problem) -> Told:
        if isinstance(children, Problem):
            return Told(replace(said, problem=said.problem or children), digest, moves=True, has_children=True)
        ended = statuses(release, children, said, self._map)
        some = bool(of_this_release(release, children.listed))
        moves = some and not _settled(release)
        return Told(overrule(said, ended), f"{digest}-{digest_of(children)}", moves=moves, has_children=some)

    async def find(self, handle: Handle, gap: Entity) -> Entity | None:
        """One entity by the row that stands in for it: its child workflow, if the release has that and no words."""
        if gap.problem is None or not await is_wordless(handle, gap.problem, self._budget):
            return gap
        try:
            async with self._budget.bounds():
                release = decode_description(await handle.describe(rpc_timeout=self._budget.left))
        except ASKING_ERRORS as exc:
            return replace(gap, problem=source_problem(exc))
        names = self._map.workflow_ids_of(gap.id)
        children = await list_children(self._client, release, self._budget, names)
        if isinstance(children, Problem):
            return replace(gap, problem=children)
        found = find_row(release, children, gap.id, self._map)
        if release.closed_at is None or _settled(release):
            return found
        # Not for good, or what the list has missed would be remembered as the last word on a closed release.
        text = "The release ended a moment ago, and Temporal's list of its workflows may be some seconds late."
        return replace(found or gap, problem=Problem(ProblemCode.LAGGING, text))


def _settled(release: Execution) -> bool:
    return release.closed_at is not None and datetime.now(UTC) - release.closed_at > SETTLED


async def is_wordless(handle: Handle, problem: Problem, budget: Budget) -> bool:
    """Whether a workflow answers no query at all, by its own word; a query's error alone does not say so."""
    if problem.code not in {ProblemCode.QUERY_UNKNOWN, ProblemCode.QUERY_FAILED}:
        return False
    names = await queries_of(handle, budget)
    return names is not None and not names & {HIERARCHY, ""} and not any(name.startswith("get_") for name in names)


def alone(release: Execution) -> Told:
    """A release that answers no query, as a list shows it: what its execution says is all there is to say."""
    return Told(release_row(release), "", listed=True)
