"""A part of a tree: so many levels, and rows that match, with the rows above them."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase

_LEVELS = {entity_type: level for level, entity_type in enumerate(EntityType, start=1)}


@dataclass(frozen=True, slots=True)
class TreeFilter:
    """What of a tree is wanted: `depth` levels from the release (1) down to the apps (5), and rows that match.

    A row matches that is in one of these `phases`, has the `text` in its name, id or version, whatever its capital
    letters, and changed `since` then (UTC); what is not given does not matter.
    """

    depth: int = len(EntityType)
    phases: frozenset[Phase] = frozenset()
    text: str = ""
    since: datetime | None = None

    @property
    def everything(self) -> bool:
        """Return whether nothing is left out."""
        return self == NO_TREE_FILTER

    @property
    def picks(self) -> bool:
        """Return whether rows have to match."""
        return bool(self.phases or self.text or self.since)

    def reaches(self, entity_type: EntityType) -> bool:
        """Return whether rows of this type are deep enough to be wanted."""
        return _LEVELS[entity_type] <= self.depth

    def matches(self, row: Entity) -> bool:
        """Return whether a row is wanted for itself."""
        if not self.reaches(row.type) or (self.phases and row.phase not in self.phases):
            return False
        if self.since and not (row.updated_at and row.updated_at >= self.since):
            return False
        return not self.text or self._names(row)

    def shows(self, entity: Entity) -> bool:
        """Return whether a row is wanted, for itself or for one below it."""
        if not self.picks:
            return self.reaches(entity.type)
        return any(self.matches(row) for row in entity.flattened())

    def count(self, root: Entity) -> int:
        """Return how many rows from the root down are shown; the root always is."""
        return 1 + sum(self.count(child) for child in root.children if self.shows(child))

    def matching(self, root: Entity) -> int:
        """Return how many rows below the root are wanted for themselves."""
        return sum(self.matches(row) for row in root.flattened()[1:])

    def _names(self, row: Entity) -> bool:
        text = self.text.casefold()
        return any(text in said.casefold() for said in (row.name, row.id, row.version or ""))


NO_TREE_FILTER = TreeFilter()
