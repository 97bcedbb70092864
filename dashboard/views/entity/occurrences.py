"""An entity wherever it occurs."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from dashboard.domain.entities import Entity, Occurrence, Occurrences, Status
from dashboard.domain.ids import EntityType, is_below_release, parse_entity_id, release_name
from dashboard.domain.occurrences import current_occurrences, running_occurrence
from dashboard.domain.phases import Phase
from dashboard.domain.problems import NotFound
from dashboard.domain.snapshot import Snapshot
from dashboard.views.shared.html_ids import row_place
from dashboard.views.shared.rows import EntityRow, common_fields
from dashboard.web.page_model import Page, PageModel, VersionRuns, freshness

# Where the classic models name what is above an entity of a type, and what is below it.
_ABOVE = {EntityType.CLUSTER: "wave_id", EntityType.BUNDLE: "cluster_id", EntityType.APP: "bundle_id"}
_BELOW = {EntityType.RELEASE: "wave_ids", EntityType.WAVE: "cluster_ids", EntityType.BUNDLE: "app_ids"}


class OccurrenceRow(PageModel, EntityRow):
    """The entity in one release. `current` rows determine the headline."""

    type: EntityType
    version: str | None
    version_runs: VersionRuns
    current: bool = Field(description="Whether its release is in progress, or is the newest one with this entity.")
    release_id: str
    release_status: Status
    release_started_at: datetime
    release_began_at: datetime | None = Field(
        description="Start of work on that release, in the first run of a continue-as-new chain. Null if unknown."
    )
    run_id: str

    @property
    def run(self) -> str | None:
        """Return the run that the row's link names: an ended one may not be the release's latest for ever."""
        return self.run_id if self.release_status.closed else None

    @classmethod
    def of(cls, occurrence: Occurrence, *, current: bool = False) -> "OccurrenceRow":
        """Return the row of an occurrence."""
        release = occurrence.release
        return cls(
            **common_fields(occurrence.entity, row_place(release.run_id, occurrence.entity.id, 0)),
            type=occurrence.entity.type,
            version=occurrence.entity.version,
            version_runs=occurrence.entity.version_runs,
            current=current,
            release_id=release.workflow_id,
            release_status=release.status,
            release_started_at=release.started_at,
            release_began_at=None if release.began_unread else release.began_at,
            run_id=release.run_id,
        )


class OccurrencesPage(Page):
    """All occurrences found, newest release first. The summary of the entity refers to `release_id`.

    That is the current release in which the entity is in the worst phase: a release in progress, or the newest one with
    the entity. The IDs of its parent and children are null if its type has none or they were not reported.
    """

    template: ClassVar[str] = "entity/occurrences.html"
    fragment: ClassVar[str] = "entity/_occurrences.html"
    parts: ClassVar[tuple[str, ...]] = ("entity/_occurrences_head.html",)
    line: ClassVar[tuple[str, str]] = ("shared/list_items.html", "occurrence")

    id: str
    type: EntityType
    name: str
    state: str | None
    phase: Phase | None
    version: str | None
    version_runs: VersionRuns
    running_version: str | None = Field(
        description="Version left running by the latest successful deployment among the releases searched."
    )
    running_release_id: str | None = Field(description="Release that deployed it.")
    sequence: int | None
    created_at: datetime | None
    updated_at: datetime | None
    error_message: str | None
    release_id: str | None = Field(
        description="Release that the summary is based on. Null if no release is known to have the entity."
    )
    workflow_id: str | None = Field(description="Workflow of that release.")
    wave_id: str | None
    cluster_id: str | None
    bundle_id: str | None
    wave_ids: tuple[str, ...] | None
    cluster_ids: tuple[str, ...] | None
    app_ids: tuple[str, ...] | None
    occurrences: tuple[OccurrenceRow, ...]
    unanswered: tuple[OccurrenceRow, ...] = Field(description="Releases for which this is unknown.")
    searched: int = Field(description="Number of releases searched, newest first.")
    total: int = Field(description="Total number of releases.")

    @property
    def title(self) -> str:
        """Return the page title."""
        return f"{self.name} across releases"

    @property
    def worst(self) -> Phase | None:
        """That of the headline."""
        return self.phase

    @property
    def headline(self) -> OccurrenceRow | None:
        """Return the row that the headline is of."""
        return next((row for row in self.occurrences if row.current and row.release_id == self.release_id), None)

    @classmethod
    def of(cls, snapshot: Snapshot[Occurrences]) -> "OccurrencesPage":
        """Return the page of a snapshot; raises NotFound if no searched release has the entity."""
        seen = snapshot.value
        if not seen.found and not seen.unanswered:
            raise NotFound(seen.entity_id, _nowhere(seen))
        current, running = current_occurrences(seen.found), running_occurrence(seen.found)
        entity_type, name = _typed(seen.entity_id)
        return cls(
            id=seen.entity_id,
            type=entity_type,
            **_headline(current[0] if current else None, name),
            running_version=running.entity.version if running else None,
            running_release_id=running.release.workflow_id if running else None,
            occurrences=tuple(OccurrenceRow.of(each, current=each in current) for each in seen.found),
            unanswered=tuple(OccurrenceRow.of(occurrence) for occurrence in seen.unanswered),
            searched=seen.searched,
            total=seen.total,
            **freshness(snapshot),
        )

    @property
    def owner(self) -> str:
        """Return the entity, which every link leads to."""
        return self.id

    def lines(self) -> Iterator[EntityRow]:
        """Yield where it was found, then where that is unknown."""
        return iter(self.occurrences + self.unanswered)


def _typed(text: str) -> tuple[EntityType, str]:
    """Return the type and the name that an id gives to what has it."""
    if not is_below_release(text):
        return EntityType.RELEASE, release_name(text)
    entity_id = parse_entity_id(text)
    return entity_id.type, entity_id.identifier


def _headline(worst: Occurrence | None, identifier: str) -> dict[str, Any]:
    """Return the summary of the entity."""
    entity = worst.entity if worst else None
    release_id = worst.release.workflow_id if worst else None
    return {
        "name": entity.name if entity else identifier,
        "state": entity.state if entity else None,
        "phase": entity.phase if entity else None,
        "version": entity.version if entity else None,
        "version_runs": bool(entity and entity.version_runs),
        "sequence": entity.sequence if entity else None,
        "created_at": entity.created_at if entity else None,
        "updated_at": entity.updated_at if entity else None,
        "error_message": entity.error if entity else None,
        "release_id": release_id,
        "workflow_id": release_id,
        **_ids(entity),
    }


def _ids(entity: Entity | None) -> dict[str, Any]:
    """Return the ids above and below an entity, where the contract's models have them."""
    ids: dict[str, Any] = dict.fromkeys((*_ABOVE.values(), *_BELOW.values()))
    if entity is None:
        return ids
    if entity.type in _ABOVE:
        ids[_ABOVE[entity.type]] = entity.parent_id or None
    if entity.type in _BELOW:
        ids[_BELOW[entity.type]] = entity.child_ids
    if entity.type is EntityType.CLUSTER:
        ids["bundle_id"] = next(iter(entity.child_ids), None)
    return ids


def _nowhere(seen: Occurrences) -> str:
    if seen.searched < seen.total:
        return (
            f"None of the newest {seen.searched} releases (of {seen.total}) has an entity with this ID. "
            "Older releases were not searched: open the release to look there."
        )
    return "No release has an entity with this ID."
