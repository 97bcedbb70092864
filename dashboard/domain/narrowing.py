"""A part of a tree: so many levels, and rows in some phases with the rows above them."""

from dataclasses import dataclass

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase

_LEVELS = {entity_type: level for level, entity_type in enumerate(EntityType, start=1)}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What of a tree is wanted: `depth` levels from the release (1) down to the apps (5), and `phases`, if any."""

    depth: int = len(EntityType)
    phases: frozenset[Phase] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == EVERYTHING

    def reaches(self, entity_type: EntityType) -> bool:
        """Whether rows of this type are deep enough to be wanted."""
        return _LEVELS[entity_type] <= self.depth

    def shows(self, entity: Entity) -> bool:
        """Whether a row is wanted, for itself or for one below it."""
        if not self.reaches(entity.type):
            return False
        return not self.phases or any(row.phase in self.phases for row in entity.walk() if self.reaches(row.type))

    def count(self, root: Entity) -> int:
        """How many rows from the root down are shown; the root always is."""
        return 1 + sum(self.count(child) for child in root.children if self.shows(child))


EVERYTHING = Narrowing()
