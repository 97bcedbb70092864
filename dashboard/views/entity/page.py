"""One entity of a release, with what is below it and all that Temporal knows of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import ClassVar

from pydantic import Field

from dashboard.domain.causes import sibling_position
from dashboard.domain.entities import Entity, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.levels import ids_of
from dashboard.domain.phases import Phase
from dashboard.domain.problems import EntityNotFound, Problem, ProblemCode, SourceUnavailable
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.sort_order import SortOrder
from dashboard.domain.tree_filter import NO_TREE_FILTER, TreeFilter
from dashboard.domain.work_times import WorkTimes
from dashboard.views.release.runs import RunsView
from dashboard.views.release.tree import LARGE_TREE_ROWS, ReleaseTree, TreeExpansion, entity_row, tree_fields
from dashboard.views.shared.child import ChildView
from dashboard.views.shared.html_ids import row_place_of_path
from dashboard.views.shared.rows import AnyRow, AppRow, EntityRow
from dashboard.web.page_model import Page, PageModel, freshness

PART_NOT_READ = Problem(ProblemCode.NOT_READ, "This part of the release has not been loaded yet.")
# Gaps that later reads resolve.
PENDING_READ_CODES = frozenset({ProblemCode.NOT_READ, ProblemCode.REASON_NOT_READ})
UNREAD_CODES = frozenset(
    {
        ProblemCode.NOT_READ,
        ProblemCode.QUERY_UNKNOWN,
        ProblemCode.QUERY_FAILED,
        ProblemCode.QUERY_TIMED_OUT,
        ProblemCode.NO_WORKER,
        ProblemCode.TASK_FAILING,
        ProblemCode.TOO_LARGE,
    }
)


class EntityRef(PageModel):
    """An ancestor of the entity."""

    id: str
    type: EntityType
    name: str


class EntityPage(Page):
    """An entity of a release. `path` lists its ancestors; `entity` includes everything below it."""

    template: ClassVar[str] = "entity/page.html"
    fragment: ClassVar[str] = "entity/_content.html"
    parts: ClassVar[tuple[str, ...]] = ("entity/_head.html", "entity/_foot.html")
    line: ClassVar[tuple[str, str]] = ("shared/tree.html", "line")

    release_id: str
    release_phase: Phase
    release_status: Status
    workflow_id: str
    run_id: str
    runs: RunsView
    path: tuple[EntityRef, ...] = Field(description="Ancestors, from the release to the entity's parent.")
    entity: ReleaseTree | AnyRow
    child: ChildView | None = Field(description="Child workflow that runs the entity, if any.")
    unread: bool = Field(exclude=True)
    opens: tuple[str, ...] = Field(exclude=True)

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.entity.name}: {self.entity.label}"

    @property
    def worst(self) -> Phase | None:
        """Return the entity's own."""
        return self.entity.phase

    @property
    def live(self) -> bool:
        """Return whether the page updates: an ended release does not change once its data is loaded."""
        running = self.child is not None and not self.child.status.closed
        return self.stale or self.unread or running or not self.release_status.closed

    @property
    def owner(self) -> str:
        """Return the release, which all rows are below."""
        return self.release_id

    @property
    def frame(self) -> tuple[object, ...]:
        """Return the content around the list of rows."""
        entity = self.entity
        return entity.key, entity.type, entity.name, entity.listed, entity.problem is None, self.large

    @property
    def large(self) -> bool:
        """Return whether the page is large enough to skip rendering of rows out of view."""
        return not isinstance(self.entity, AppRow) and self.entity.progress.total >= LARGE_TREE_ROWS

    def lines(self) -> Iterator[EntityRow]:
        """Yield the rows below the entity."""
        return chain.from_iterable(row.walk() for row in self.entity.rows)

    @classmethod
    def of(
        cls,
        snapshot: Snapshot[Release],
        entity_id: str,
        open_ids: frozenset[str] = frozenset(),
        shut: frozenset[str] = frozenset(),
        *,
        every: bool = False,
        tree_filter: TreeFilter = NO_TREE_FILTER,
        order: SortOrder = SortOrder.ROLLOUT,
    ) -> "EntityPage":
        """Return the page of an entity, with these rows open as well, or every one, and what of it is wanted below.

        What is `shut` is closed unless it is opened as well.

        Raises EntityNotFound, or SourceUnavailable where the tree is unknown.
        """
        release = snapshot.value
        by_levels = release.levels is not None
        folding = TreeExpansion(every, open_ids | {entity_id}, by_levels, shut, tree_filter, order)
        path = path_to_entity(release.root, entity_id)
        if path is None:
            raise missing_entity_error(snapshot, entity_id)
        return cls(
            release_id=release.id,
            release_phase=release.root.phase,
            release_status=release.execution.status,
            workflow_id=release.execution.workflow_id,
            run_id=release.execution.run_id,
            runs=RunsView.of(release),
            path=tuple(EntityRef(id=step.id, type=step.type, name=step.name) for step in path[:-1]),
            unread=any(row.problem and row.problem.code in PENDING_READ_CODES for row in path[-1].walk()),
            entity=_row(release, path, folding, snapshot.as_of),
            child=ChildView.of(path[-1]),
            opens=() if by_levels or len(path) > 1 else ids_of(release.root, EntityType.WAVE),
            **freshness(snapshot),
        )


def path_to_entity(root: Entity, entity_id: str) -> tuple[Entity, ...] | None:
    """Return the entities from the root down to the first with this id."""

    def paths(entity: Entity, above: tuple[Entity, ...]) -> Iterator[tuple[Entity, ...]]:
        here = (*above, entity)
        if entity.id == entity_id:
            yield here
        for child in entity.children:
            yield from paths(child, here)

    return next(paths(root, ()), None)


def missing_entity_error(snapshot: Snapshot[Release], entity_id: str) -> Exception:
    """Return whether the tree was not loaded far enough to tell whether the entity exists."""
    release = snapshot.value
    if release.levels:
        problem = snapshot.reason or release.levels.unplaced.get(entity_id, PART_NOT_READ)
    else:
        problem = release.root.problem or next((wave.problem for wave in release.root.children if _unread(wave)), None)
    return SourceUnavailable(problem) if problem else EntityNotFound(release.id, entity_id)


def _unread(wave: Entity) -> bool:
    """Return whether a wave of a large release could not be loaded."""
    return wave.problem is not None and not wave.children and wave.problem.code in UNREAD_CODES


def _row(
    release: Release, path: tuple[Entity, ...], folding: TreeExpansion, known_at: datetime
) -> ReleaseTree | AnyRow:
    entity, work = path[-1], WorkTimes(release, known_at)
    # The same place as in the tree, so that an open page can be given these rows.
    place = row_place_of_path(
        (step.id, sibling_position(parent, step)) for parent, step in zip((None, *path), path, strict=False)
    )
    parent_id = path[-2].id if len(path) > 1 else ""
    if entity is release.root:
        return ReleaseTree(**tree_fields(release, folding, known_at))
    if entity.type is EntityType.CLUSTER:
        folding = replace(folding, every=True)
    return entity_row(entity, parent_id, folding, place, work)
