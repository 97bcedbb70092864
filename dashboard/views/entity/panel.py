"""The panel beside a release's tree: everything that is known of one entity, without what is below it."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from pydantic import Field

from dashboard.domain.entities import Entity, Occurrence, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import EntityNotFound, SourceUnavailable
from dashboard.domain.rollup import count_app_phases
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.work_times import WorkTimes
from dashboard.views.entity.history import HistoryView
from dashboard.views.entity.page import EntityRef, missing_entity_error, path_to_entity
from dashboard.views.shared.child import ChildView
from dashboard.views.shared.details import Progress
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.rows import TimedRow, timed_fields
from dashboard.web.page_model import Page, PageModel, ProblemView, VersionRuns, freshness


class PanelRow(PageModel, TimedRow):
    """The entity without its children. `progress` counts its loaded apps."""

    type: EntityType
    version: str | None
    version_runs: VersionRuns
    sequence: int | None
    progress: Progress | None

    @classmethod
    def of(cls, entity: Entity, place: str, work: WorkTimes) -> "PanelRow":
        """Return the row of an entity."""
        return cls(
            **timed_fields(entity, place, work),
            type=entity.type,
            version=entity.version,
            version_runs=entity.version_runs,
            sequence=entity.sequence,
            progress=None if entity.type is EntityType.APP else Progress.of(count_app_phases(entity)),
        )

    @property
    def lasting(self) -> bool:
        """Return whether its time still runs."""
        return self.phase in {Phase.RUNNING, Phase.PAUSED}


class KnownView(PageModel):
    """The entity in another run, as of `as_of`. It may have changed since.

    `entity_id` is its ID in that release, which may contain the release ID.
    """

    entity_id: str
    release_id: str
    run_id: str
    release_status: Status
    state: str
    phase: Phase
    version: str | None
    version_runs: VersionRuns
    as_of: datetime
    overruled: bool = Field(exclude=True)

    @property
    def label(self) -> str:
        """Return what to call its state: the rollout's own word, unless that was no longer true."""
        return self.phase.replace("_", " ") if self.overruled else self.state or "unknown"

    @property
    def run(self) -> str | None:
        """Return the run that a link names: one that has ended may not be the release's latest."""
        return self.run_id if self.release_status.closed else None

    @classmethod
    def of(cls, seen: Snapshot[Occurrence]) -> "KnownView":
        """Return the view of where an entity was seen."""
        run, entity = seen.value.release, seen.value.entity
        return cls(
            entity_id=entity.id,
            release_id=run.workflow_id,
            run_id=run.run_id,
            release_status=run.status,
            state=entity.state,
            phase=entity.phase,
            version=entity.version,
            version_runs=entity.version_runs,
            as_of=seen.as_of,
            overruled=entity.overruled,
        )


class Panel(PageModel):
    """The entity selected in a release's tree. If `entity` is null, `problem` has the reason."""

    id: str
    release_id: str
    release_name: str
    release_status: Status
    workflow_id: str
    run_id: str
    path: tuple[EntityRef, ...] = Field(description="Ancestors, from the release to the entity's parent.")
    entity: PanelRow | None
    child: ChildView | None = Field(description="Child workflow that runs the entity, if any.")
    problem: ProblemView | None
    history: HistoryView | None = Field(description="History of the entity as recorded by this server process.")
    also_in: tuple[KnownView, ...] = Field(description="Recently loaded runs that also have the entity.")

    @property
    def above(self) -> frozenset[str]:
        """Return the rows that have to be open for its own to be seen."""
        return frozenset(step.id for step in self.path[1:])

    @classmethod
    def of(cls, seen: Snapshot[Release], entity_id: str, also_in: Iterable[Snapshot[Occurrence]] = ()) -> "Panel":
        """Return the panel of an entity of a release, or of why there is none."""
        release, path = seen.value, path_to_entity(seen.value.root, entity_id)
        entity, history = (path[-1], release.history) if path else (None, None)
        return cls(
            id=entity_id,
            release_id=release.id,
            release_name=release.root.name,
            release_status=release.execution.status,
            workflow_id=release.execution.workflow_id,
            run_id=release.execution.run_id,
            path=tuple(EntityRef(id=step.id, type=step.type, name=step.name) for step in (path or ())[:-1]),
            entity=_row_of(seen, entity) if entity else None,
            child=ChildView.of(entity) if entity else None,
            problem=None if entity else _why_missing(seen, entity_id),
            history=HistoryView.of(history, [step.id for step in path or ()], entity) if history and entity else None,
            also_in=tuple(map(KnownView.of, also_in)),
        )


class PanelPage(Page):
    """The side panel as a page of its own."""

    template: ClassVar[str] = "entity/panel.html"
    fragment: ClassVar[str] = "entity/_panel.html"

    selected: Panel

    @property
    def title(self) -> str:
        """Return the page title."""
        entity = self.selected.entity
        return f"{entity.name}: {entity.label}" if entity else f"{self.selected.id}: not found"

    @property
    def worst(self) -> Phase | None:
        """Return the entity's own."""
        return self.selected.entity.phase if self.selected.entity else None

    @property
    def live(self) -> bool:
        """Return an ended release has no news."""
        child = self.selected.child
        running = child is not None and not child.status.closed
        return self.stale or running or self.selected.entity is None or not self.selected.release_status.closed

    @property
    def frame(self) -> tuple[object, ...]:
        """Return all of it, also what JSON leaves out: it is small, and sent whole."""
        return repr(self.selected), self.stale, self.reason

    @classmethod
    def of(cls, seen: Snapshot[Release], panel: Panel) -> "PanelPage":
        """Return the page of a panel that was made of this snapshot."""
        return cls(selected=panel, **freshness(seen))


def _row_of(seen: Snapshot[Release], entity: Entity) -> PanelRow:
    release = seen.value
    row = PanelRow.of(entity, row_place("panel", entity.id, 0), WorkTimes(release, seen.as_of))
    if entity is not release.root:
        return row
    own = {"began_at": release.began_at, "ended_at": release.execution.closed_at}
    return row.model_copy(update=own)


def _why_missing(seen: Snapshot[Release], entity_id: str) -> ProblemView | None:
    why = missing_entity_error(seen, entity_id)
    if isinstance(why, SourceUnavailable):
        return ProblemView.of(why.problem)
    return ProblemView(code="entity_not_found", message=EntityNotFound(seen.value.id, entity_id).reason)
