"""The door to where releases come from: what can be asked of it, and the forms of its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dashboard.domain.entities import Entity, Execution, Status
from dashboard.domain.problems import Problem


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tells whether a query can answer anything new: a state changes only when its history grows."""

    run_id: str
    status: Status
    history_length: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a release: its execution, and what it said of itself or why it did not.

    Exactly one of `said` and `problem` is set. `digest` stands for the content of `said`. `fingerprint` is set only
    if the execution was described before the release was asked: only then is the answer at least as new as it.
    `listed` says that `said` was drawn from the release's child workflows, as it answers no query that tells;
    `has_children`, that it is known to have some, though none may be running now.
    """

    execution: Execution
    said: Entity | None = None
    problem: Problem | None = None
    digest: str = ""
    fingerprint: Fingerprint | None = None
    listed: bool = False
    has_children: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of readings, newest first, and how many executions of each status the whole list has."""

    readings: tuple[Reading, ...]
    counts: Mapping[Status, int]

    @property
    def total(self) -> int:
        """The number of releases in the whole list."""
        return sum(self.counts.values())


RunEntity = tuple[str, str]
"""A run id and an entity id."""


@dataclass(frozen=True, slots=True)
class Search:
    """What each of the runs answered about one entity: the entity without its children, None, or a gap's row.

    `total` is the number of releases there are; the runs are the newest of them.
    """

    answers: tuple[tuple[Execution, Entity | None], ...]
    total: int


class ReleaseSource(Protocol):
    """Where releases are read from. One instance belongs to one namespace at one address.

    `budget` is in seconds and bounds the whole call. Every method raises SourceUnavailable if the source could not be
    asked; a release that could not be asked while others could is a Reading with its problem.
    """

    async def page(self, page: int, page_size: int, known: Mapping[str, Reading], budget: float) -> Listing:
        """Read one page of the list. `known` has readings by run id that need not be asked again."""
        ...

    async def read(self, release_id: str, known: Reading | None, budget: float) -> Reading:
        """Read a release with its whole tree; raises ReleaseNotFound. `known` is returned anew if nothing moved."""
        ...

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> Search:
        """Ask the newest `limit` releases for one entity. `known` has answers that need not be asked for again."""
        ...
