"""Filter a tree by level and by matching rows, with their ancestors."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase

_LEVELS = {entity_type: level for level, entity_type in enumerate(EntityType, start=1)}


@dataclass(frozen=True, slots=True)
class TreeFilter:
    """A filter of a tree: `depth` levels from the release (1) to the apps (5), and conditions on rows.

    A row matches if it is in one of the `phases`, has the `text` in its name, ID or version (ignoring case), and
    changed after `since` (UTC). Missing conditions are ignored.
    """

    depth: int = len(EntityType)
    phases: frozenset[Phase] = frozenset()
    text: str = ""
    since: datetime | None = None

    @property
    def everything(self) -> bool:
        """Return whether nothing is filtered."""
        return self == NO_TREE_FILTER

    @property
    def picks(self) -> bool:
        """Return whether there are conditions on rows."""
        return bool(self.phases or self.text or self.since)

    def reaches(self, entity_type: EntityType) -> bool:
        """Return whether this level is included."""
        return _LEVELS[entity_type] <= self.depth

    def matches(self, row: Entity) -> bool:
        """Return whether a row matches."""
        if not self.reaches(row.type) or (self.phases and row.phase not in self.phases):
            return False
        if self.since and not (row.updated_at and row.updated_at >= self.since):
            return False
        return not self.text or self._names(row)

    def shows(self, entity: Entity) -> bool:
        """Return whether a row or one below it matches."""
        if not self.picks:
            return self.reaches(entity.type)
        return any(self.matches(row) for row in entity.flattened())

    def count(self, root: Entity) -> int:
        """Return the number of shown rows, always including the root."""
        return 1 + sum(self.count(child) for child in root.children if self.shows(child))

    def matching(self, root: Entity) -> int:
        """Return the number of matching rows below the root."""
        return sum(self.matches(row) for row in root.flattened()[1:])

    def _names(self, row: Entity) -> bool:
        text = self.text.casefold()
        return any(text in said.casefold() for said in (row.name, row.id, row.version or ""))


NO_TREE_FILTER = TreeFilter()
