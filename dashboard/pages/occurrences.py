"""An entity wherever it occurs."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from pydantic import Field

from dashboard.domain.entities import Occurrence, Occurrences, Status
from dashboard.domain.ids import EntityType, is_below_release, parse_entity_id, release_name
from dashboard.domain.phases import Phase
from dashboard.domain.problems import NotFound
from dashboard.live.snapshots import Snapshot
from dashboard.pages.base import Model, Page, freshness
from dashboard.pages.places import place_of
from dashboard.pages.rows import Row, common


class OccurrenceRow(Model, Row):
    """The entity as it stands in one release."""

    type: EntityType
    version: str | None
    release_id: str
    release_status: Status
    release_started_at: datetime
    run_id: str

    @property
    def run(self) -> str | None:
        """The run that the row's link names: an ended one may not be the release's latest for ever."""
        return self.run_id if self.release_status.closed else None

    @classmethod
    def of(cls, occurrence: Occurrence) -> "OccurrenceRow":
        """The row of an occurrence."""
        release = occurrence.release
        return cls(
            **common(occurrence.entity, place_of(release.run_id, occurrence.entity.id, 0)),
            type=occurrence.entity.type,
            version=occurrence.entity.version,
            release_id=release.workflow_id,
            release_status=release.status,
            release_started_at=release.started_at,
            run_id=release.run_id,
        )


class OccurrencesPage(Page):
    """Every occurrence found, newest release first. `state` and `phase` are those of the newest."""

    template: ClassVar[str] = "pages/occurrences.html"
    fragment: ClassVar[str] = "partials/_occurrences.html"
    parts: ClassVar[tuple[str, ...]] = ("occurrences_head",)
    line: ClassVar[tuple[str, str]] = ("macros/items.html", "occurrence")

    id: str
    type: EntityType
    name: str
    state: str | None
    phase: Phase | None
    release_id: str | None = Field(description="The newest release that has it; null if none is known to.")
    occurrences: tuple[OccurrenceRow, ...]
    unanswered: tuple[OccurrenceRow, ...] = Field(description="Releases that could not say whether they have it.")
    searched: int = Field(description="How many releases were asked: the newest ones.")
    total: int = Field(description="How many releases there are.")

    @property
    def title(self) -> str:
        """What the browser's tab says."""
        return f"{self.name} across releases"

    @property
    def worst(self) -> Phase | None:
        """The newest one's."""
        return self.phase

    @classmethod
    def of(cls, snapshot: Snapshot[Occurrences]) -> "OccurrencesPage":
        """The page of a snapshot; raises NotFound if every release that was asked said that it has no such entity."""
        seen = snapshot.value
        if not seen.found and not seen.unanswered:
            raise NotFound(seen.entity_id, _nowhere(seen))
        newest = seen.found[0] if seen.found else None
        entity_type, name = _typed(seen.entity_id)
        return cls(
            id=seen.entity_id,
            type=entity_type,
            name=newest.entity.name if newest else name,
            state=newest.entity.state if newest else None,
            phase=newest.entity.phase if newest else None,
            release_id=newest.release.workflow_id if newest else None,
            occurrences=tuple(OccurrenceRow.of(occurrence) for occurrence in seen.found),
            unanswered=tuple(OccurrenceRow.of(occurrence) for occurrence in seen.unanswered),
            searched=seen.searched,
            total=seen.total,
            **freshness(snapshot),
        )

    @property
    def owner(self) -> str:
        """The entity, which every link leads to."""
        return self.id

    def lines(self) -> Iterator[Row]:
        """Where it was found, then where that is not known."""
        return iter(self.occurrences + self.unanswered)


def _typed(text: str) -> tuple[EntityType, str]:
    """The type and the name that an id gives to what has it."""
    if not is_below_release(text):
        return EntityType.RELEASE, release_name(text)
    entity_id = parse_entity_id(text)
    return entity_id.type, entity_id.identifier


def _nowhere(seen: Occurrences) -> str:
    if seen.searched < seen.total:
        return (
            f"None of the newest {seen.searched} releases (of {seen.total}) has an entity with this id. "
            "Older releases were not asked: open the release and look there."
        )
    return "No release has an entity with this id."
