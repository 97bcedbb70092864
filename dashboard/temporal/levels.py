"""Read a release that is too large for one response, also wave by wave, level by level on demand."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from dashboard.domain.entities import Entity, LevelCoverage
from dashboard.domain.ids import EntityType, MalformedId, parse_entity_id
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import CachedPart, Fingerprint
from dashboard.temporal.client import RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.decode import entity_id_flaw, gap_row
from dashboard.temporal.partial_result import PartialResult, content_digest
from dashboard.temporal.queries import RELEASE_STATE_QUERY, query_release, query_state

# Concurrent entity queries. While a workflow is busy, Temporal buffers one query and rejects others, which the SDK
# retries with backoff: with 5 signals per second, 94 queries took 1.2 s sequentially and more than 1.7 s two at a time.
MAX_CONCURRENT_ENTITY_QUERIES = 1
# Seconds kept back, so that a row that was still asked for when the time was up is one to come, and not a failed one.
LEVEL_READ_RESERVE_SECONDS = 0.1

LEVELS_BELOW_RELEASE = (EntityType.WAVE, EntityType.CLUSTER, EntityType.BUNDLE, EntityType.APP)
LEVEL_BELOW = dict(pairwise(LEVELS_BELOW_RELEASE))
LEVEL_ABOVE = {below: above for above, below in LEVEL_BELOW.items()}

ROW_NOT_OPENED = Problem(
    ProblemCode.NOT_OPENED,
    "The release is too large for one response: the contents of this row are loaded when it is expanded. "
    "Scripts request them with ?open= and this ID, or at the URL of this entity.",
)
ROW_NOT_READ_IN_TIME = Problem(ProblemCode.NOT_READ, "This row could not be loaded in time and will be retried.")


async def query_levels(
    handle: RunHandle,
    known: Mapping[str, CachedPart],
    kept: frozenset[str],
    opened: frozenset[str],
    fingerprint: Fingerprint,
    budget: Deadline,
) -> PartialResult | Problem:
    """Read the release's own state, its waves, and the contents of `opened` rows, within the time.

    Entities read at the current history length are not queried again. Previously opened rows (`kept`) are kept while
    this is free; beyond that they must be requested.
    """
    look = _LevelReader(handle, known, fingerprint, budget)
    wanted = opened | kept if look.current(handle.id) else opened
    problem = await look.ask_release()
    if problem:
        return problem
    await look.read(wanted)
    return look.told(opened, wanted)


class _LevelReader:
    """One read of a release; results are in `_parts`, with previously known ones."""

    def __init__(
        self, handle: RunHandle, known: Mapping[str, CachedPart], fingerprint: Fingerprint, budget: Deadline
    ) -> None:
        self._handle = handle
        self._fingerprint = fingerprint
        self._budget = budget
        self._gate = asyncio.Semaphore(MAX_CONCURRENT_ENTITY_QUERIES)
        self._parts = dict(known)
        self._listed = {
            child: above
            for above, part in known.items()
            for child in part.row.child_ids
            if part.row.type in LEVEL_BELOW and not entity_id_flaw(child, LEVEL_BELOW[part.row.type])
        }
        self._asked: dict[str, asyncio.Future[None]] = {}
        self._problems: dict[str, Problem] = {}
        self._open: set[str] = set()
        self._met: set[str] = set()
        self._complete = False

    def current(self, entity_id: str) -> bool:
        """Return whether the known data of this entity is current."""
        part = self._parts.get(entity_id)
        return part is not None and part.fingerprint == self._fingerprint

    async def ask_release(self) -> Problem | None:
        """Read the release's own state, or return a problem."""
        if self.current(self._handle.id):
            return None
        answer = await query_release(self._handle, RELEASE_STATE_QUERY, self._budget)
        if isinstance(answer, Problem):
            return answer
        self._keep(self._handle.id, *answer)
        return None

    async def read(self, wanted: Collection[str]) -> None:
        """Read open levels from the top down, then find the paths to requested entities not found on the way."""
        tops = [self._open_with_listed(entity_id) for entity_id in wanted]
        strangers = [top for top in tops if _type_of(top) in LEVEL_ABOVE]
        try:
            async with self._budget.less(LEVEL_READ_RESERVE_SECONDS).bounds():
                await self._descend()
                await asyncio.gather(*(self._climb(entity_id) for entity_id in strangers))
                if strangers:
                    await self._descend()
                self._complete = True
        except TimeoutError:
            pass  # What has not come by now is asked for at the next look.
        finally:
            for asked in self._asked.values():
                asked.cancel()

    async def _climb(self, entity_id: str) -> None:
        """Open the reported ancestors of an entity up to its wave."""
        while (entity_type := _type_of(entity_id)) and entity_type in LEVEL_ABOVE:
            await self._ask(entity_id, entity_type)
            part = self._parts.get(entity_id)
            if part is None or entity_id_flaw(part.row.parent_id, LEVEL_ABOVE[entity_type]):
                return
            entity_id = self._open_with_listed(part.row.parent_id)

    def _open_with_listed(self, entity_id: str) -> str:
        """Open an entity and its known ancestors; return the topmost one."""
        self._open.add(entity_id)
        while entity_id in self._listed:
            entity_id = self._listed[entity_id]
            self._open.add(entity_id)
        return entity_id

    async def _descend(self) -> None:
        ids: Sequence[str] = self._parts[self._handle.id].row.child_ids
        for entity_type in LEVELS_BELOW_RELEASE:
            proper = [entity_id for entity_id in dict.fromkeys(ids) if not entity_id_flaw(entity_id, entity_type)]
            # Those that were never read come first, then the one that has waited longest.
            proper.sort(key=lambda entity_id: part.read_at.timestamp() if (part := self._parts.get(entity_id)) else 0)
            await asyncio.gather(*(self._ask(entity_id, entity_type) for entity_id in proper))
            read = [self._parts[entity_id].row for entity_id in proper if entity_id in self._parts]
            ids = [child for row in read if self._opens(row) for child in row.child_ids]

    def _opens(self, row: Entity) -> bool:
        # A cluster has one bundle, which is opened with it.
        return row.type is EntityType.BUNDLE or row.id in self._open

    async def _ask(self, entity_id: str, entity_type: EntityType) -> None:
        """Read an entity unless its data is current, once per read."""
        if self.current(entity_id):
            return
        if entity_id not in self._asked:
            self._asked[entity_id] = asyncio.ensure_future(self._fetch(entity_id, entity_type))
        await self._asked[entity_id]

    async def _fetch(self, entity_id: str, entity_type: EntityType) -> None:
        async with self._gate:
            answer = await query_state(self._handle, entity_id, entity_type, self._budget)
        if isinstance(answer, Problem):
            self._problems[entity_id] = answer
            return
        row, digest = answer
        if row is None:
            text = f"The release reports that this {entity_type} does not exist."
            row = gap_row(entity_id, entity_type, text, ProblemCode.MISSING)
        elif row.id != entity_id:
            other = f"The release returned {row.id} instead of this {entity_type}."
            row = gap_row(entity_id, entity_type, row.problem.message if row.problem else other)
        self._keep(entity_id, row, digest)

    def _keep(self, entity_id: str, row: Entity, digest: str) -> None:
        self._parts[entity_id] = CachedPart(row, digest, self._fingerprint, datetime.now(UTC))

    def told(self, opened: frozenset[str], wanted: frozenset[str]) -> PartialResult:
        """Return the tree as far as read, dropping parts that are neither in it nor `opened`."""
        root = self._parts[self._handle.id].row
        said = replace(root, children=self._rows(root.child_ids, EntityType.WAVE))
        there = {row.id for row in said.walk()}
        parts = {entity_id: part for entity_id, part in self._parts.items() if entity_id in there | opened}
        unplaced = {
            entity_id: self._missing(entity_id, there)
            for entity_id in opened - there
            if _type_of(entity_id) in LEVELS_BELOW_RELEASE
        }
        rows = [(row.id, parts[row.id].digest if row.id in parts else None, row.problem) for row in said.walk()]
        current = self._complete and not self._problems
        return PartialResult(
            said, parts, content_digest(rows), current, LevelCoverage(opened | (wanted & there), unplaced)
        )

    def _rows(self, ids: Sequence[str], entity_type: EntityType) -> tuple[Entity, ...]:
        rows = [self._tree(entity_id, entity_type) for entity_id in ids]
        if all(row.sequence is not None for row in rows):
            rows.sort(key=lambda row: row.sequence or 0)
        return tuple(rows)

    def _tree(self, entity_id: str, entity_type: EntityType) -> Entity:
        """Return a row with its contents if open, otherwise marked as not loaded."""
        row = self._row(entity_id, entity_type)
        if not row.child_ids:
            return row
        if not self._opens(row):
            return replace(row, problem=row.problem or ROW_NOT_OPENED)
        return replace(row, children=self._rows(row.child_ids, LEVEL_BELOW[entity_type]))

    def _row(self, entity_id: str, entity_type: EntityType) -> Entity:
        wrong = entity_id_flaw(entity_id, entity_type)
        if wrong:
            return gap_row(entity_id, entity_type, wrong.message, wrong.code)
        part, problem = self._parts.get(entity_id), self._problems.get(entity_id)
        row = (
            part.row if part else replace(gap_row(entity_id, entity_type, ""), problem=problem or ROW_NOT_READ_IN_TIME)
        )
        if entity_id in self._met:
            text = f"Another row of this release has the same ID as this {entity_type}."
            return replace(row, child_ids=(), problem=Problem(ProblemCode.MALFORMED, text))
        self._met.add(entity_id)
        if part and not problem and not self.current(entity_id):
            problem = _as_of(part)
        return replace(row, problem=problem or row.problem)

    def _missing(self, entity_id: str, there: Collection[str]) -> Problem | None:
        """Return why a requested entity is not in the tree; None if the release reports that it does not exist."""
        if _type_of(entity_id) is EntityType.WAVE:
            return None  # The release tells which waves it has.
        part = self._parts.get(entity_id)
        if part is None or not self.current(entity_id):
            return self._problems.get(entity_id, ROW_NOT_READ_IN_TIME)
        row = part.row
        if row.problem and row.problem.code is ProblemCode.MISSING:
            return None
        parent_id = "" if entity_id_flaw(row.parent_id, LEVEL_ABOVE[row.type]) else row.parent_id
        above = self._above(parent_id, there) if parent_id else row.problem
        named = f"reports this {row.type} as part of {parent_id}, which is not below any of its waves"
        unnamed = f"does not report the parent of this {row.type}"
        text = f"The release {named if parent_id else unnamed}, so its place in the tree is unknown."
        return above or Problem(ProblemCode.ORPHAN, text)

    def _above(self, parent_id: str, there: Collection[str]) -> Problem | None:
        if parent_id not in there:
            return self._missing(parent_id, there)
        return self._problems.get(parent_id) or (None if self.current(parent_id) else ROW_NOT_READ_IN_TIME)


def _as_of(part: CachedPart) -> Problem:
    moment = part.read_at.strftime("%H:%M:%S UTC")
    text = f"This row is as of {moment}: the release has changed since, and the row has not been reloaded yet."
    return Problem(ProblemCode.NOT_READ, text)


def _type_of(entity_id: str) -> EntityType | None:
    try:
        return parse_entity_id(entity_id).type
    except MalformedId:
        return None
