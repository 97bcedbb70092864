"""The interface to the source of releases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from dashboard.domain.child_runs import ChildListing
from dashboard.domain.entities import Entity, Execution, LevelCoverage, Runs, Status
from dashboard.domain.filters import PageRequest
from dashboard.domain.problems import Problem


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Detects whether a query can return new data: states change only when the history grows."""

    run_id: str
    status: Status
    history_length: int | None


@dataclass(frozen=True, slots=True)
class ReleaseReading:
    """A read of a release: its execution, and its reports or why there are none.

    Exactly one of `said` and `problem` is set. `digest` is a digest of `said`. `fingerprint` is set only if the
    execution was described before the query, so that the response is at least as new. `parts` are the parts of a large
    release: waves by ID or, if `levels` is set, single rows; missing parts are marked in `said`. `listed` tells that
    `said` was built from child workflows, as the release supports no query; `has_children`, that it has some;
    `children` are those listed, for incremental reads. `runs` are those of its workflow ID. `large` tells that the
    release is too large for one response, so that a row has its own state only. A `scheduled` release had not started
    and was not queried.
    """

    execution: Execution
    said: Entity | None = None
    problem: Problem | None = None
    digest: str = ""
    fingerprint: Fingerprint | None = None
    parts: Mapping[str, "CachedPart"] = field(default_factory=dict)
    listed: bool = False
    has_children: bool = False
    children: ChildListing | None = None
    runs: Runs = field(default_factory=Runs)
    levels: LevelCoverage | None = None
    large: bool = False
    scheduled: bool = False

    @property
    def whole(self) -> bool:
        """Return whether every requested part has been read at least once."""
        if self.said is None or self.levels:
            return True
        return not self.parts or set(self.said.child_ids) <= self.parts.keys()

    def misses(self, opened: frozenset[str]) -> bool:
        """Return whether some of these were not requested when the release was read."""
        return self.levels is not None and not opened <= self.levels.opened


@dataclass(frozen=True, slots=True)
class CachedPart:
    """A part of a large release, with its time and history length."""

    row: Entity
    digest: str
    fingerprint: Fingerprint
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseListing:
    """A page of reads in the source's order, with counts by status.

    `counts` ignore the phase filter. `next` is the source's token for the next page, if any. `earlier` runs were
    excluded from the page; if the counts may include such runs, they are not `exact`. `absent` are requested IDs that
    were not found, with the reason; None if the release does not exist. `runs` are the listed executions. `listed_at`
    is the time of the list, and `late` why it was not refreshed. `counted_at` is set if it was counted now.
    """

    readings: tuple[ReleaseReading, ...]
    counts: Mapping[Status, int]
    next: bytes | None = None
    absent: Mapping[str, Problem | None] = field(default_factory=dict)
    runs: tuple[Execution, ...] = ()
    listed_at: datetime | None = None
    counted_at: datetime | None = None
    late: Problem | None = None
    earlier: int = 0
    exact: bool = True


RunEntity = tuple[str, str]
"""A run id and an entity id."""


@dataclass(frozen=True, slots=True)
class EntitySearchResult:
    """The results of a search by run: the entity without children, None, or a gap.

    `total` is the number of releases; the runs are the newest ones.
    """

    answers: tuple[tuple[Execution, Entity | None], ...]
    total: int


class ReleaseSource(Protocol):
    """The source of releases: one namespace at one address.

    `budget` limits the total time of a call in seconds. Methods raise SourceUnavailable if the source is unavailable; a
    single failing release is a read with its problem.
    """

    async def page(
        self,
        asked: PageRequest,
        known: Mapping[tuple[str, str], ReleaseReading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: ReleaseListing | None = None,
    ) -> ReleaseListing:
        """Read one page of the list; raises MalformedFilter if the source does not support the filter.

        `known` are reads by workflow ID and run ID that need no new query; `counts`, if given, need not be counted
        again. If the source is rate-limited, the `last` page is returned with current data.
        """
        ...

    async def read(
        self,
        release_id: str,
        known: ReleaseReading | None,
        budget: float,
        *,
        run_id: str | None = None,
        opened: frozenset[str] = frozenset(),
    ) -> ReleaseReading:
        """Read a release with its full tree: its latest run, or the run with this ID.

        Raises ReleaseNotFound or RunNotFound. Returns `known` with a new time if nothing changed. `opened` are the IDs
        whose contents to read in a release that is read entity by entity.
        """
        ...

    async def row(
        self, workflow_id: str, run_id: str, known: ReleaseReading | None, budget: float, *, deep: bool = True
    ) -> ReleaseReading:
        """Read one run for lists, like `read()` but without the runs of its ID.

        Large releases return their own state only. Unless `deep`, a release with an unchanged history is returned as
        `known`, regardless of its child workflows.
        """
        ...

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> EntitySearchResult:
        """Search the newest `limit` releases for an entity. `known` results are reused."""
        ...
