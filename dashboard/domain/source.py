"""The door to where releases come from: what can be asked of it, and the forms of its answers."""

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
    """Tells whether a query can answer anything new: a state changes only when its history grows."""

    run_id: str
    status: Status
    history_length: int | None


@dataclass(frozen=True, slots=True)
class ReleaseReading:
    """One look at a release: its execution, and what it said of itself or why it did not.

    Exactly one of `said` and `problem` is set. `digest` stands for the content of `said`. `fingerprint` is set only
    if the execution was described before the release was asked: only then is the answer at least as new as it.
    `parts` has what a release too large for one answer told in parts: its waves by id where it was read wave by wave,
    and where `levels` is set, each row alone. What is still to be read says so in `said`.
    `listed` says that `said` was drawn from the release's child workflows, as it answers no query that tells;
    `has_children`, that it is known to have some, though none may be running now. `children` is what has been listed
    of them, so that the next look need not list it all again.
    `runs` are those of its workflow id, the one that was read among them.
    `large` says that the release is known to be too large for one answer, so that a row has its own state alone.
    A release that is `scheduled` had not begun: it was not asked, and `said` is what its execution says.
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
        """Return whether every part of the release that is wanted has been read at least once."""
        if self.said is None or self.levels:
            return True
        return not self.parts or set(self.said.child_ids) <= self.parts.keys()

    def misses(self, opened: frozenset[str]) -> bool:
        """Return whether some of these were not to be opened when the release was read."""
        return self.levels is not None and not opened <= self.levels.opened


@dataclass(frozen=True, slots=True)
class CachedPart:
    """A part of a release that is too large to be told in one answer: when it was read, and at which length."""

    row: Entity
    digest: str
    fingerprint: Fingerprint
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseListing:
    """A page of readings in the source's order, and how many executions of each status its filter finds.

    `counts` are without the filter's phases. `next` is the source's token for the page after it, if there may be one.
    Runs that another stands for, as a retried attempt, are no releases of their own: `earlier` says how many of the
    page are left out, and where the counts may have others, they are not `exact`.
    `absent` are ids that were asked for and are not among the readings, and why; None where there is no such release.
    `runs` are the executions of the readings as they were listed. `listed_at` is when that was, and `late` why it was
    not asked again where that was due. `counted_at` is set if it has counted now.
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
    """What each of the runs answered about one entity: the entity without its children, None, or a gap's row.

    `total` is the number of releases there are; the runs are the newest of them.
    """

    answers: tuple[tuple[Execution, Entity | None], ...]
    total: int


class ReleaseSource(Protocol):
    """Where releases are read from. One instance belongs to one namespace at one address.

    `budget` is in seconds and bounds the whole call. Every method raises SourceUnavailable if the source could not be
    asked; a release that could not be asked while others could is a ReleaseReading with its problem.
    """

    async def page(
        self,
        asked: PageRequest,
        known: Mapping[tuple[str, str], ReleaseReading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: ReleaseListing | None = None,
    ) -> ReleaseListing:
        """Read one page of the list; raises MalformedFilter for one that the source cannot answer.

        `known` has readings by workflow id and run id that need not be asked again; `counts`, if given, need not be
        counted again. Where the source may not be asked as often as that, it is the `last` page with what is known
        by now.
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
        """Read a release with its whole tree: its latest run, or the one with this id.

        Raises ReleaseNotFound or RunNotFound. `known` is returned again if nothing moved. `opened` matters only where
        the release tells its entities one at a time: the ids whose children are wanted.
        """
        ...

    async def row(
        self, workflow_id: str, run_id: str, known: ReleaseReading | None, budget: float, *, deep: bool = True
    ) -> ReleaseReading:
        """Read one run for the lists that show it, as `read` does, but without the runs of its id.

        Of one too large for one answer that is its own state. Unless `deep`, a release that has not moved by its own
        history is `known` again, whatever its child workflows have done.
        """
        ...

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> EntitySearchResult:
        """Ask the newest `limit` releases for one entity. `known` has answers that need not be asked for again."""
        ...
