"""In which order rows of the same parent stand."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from dashboard.domain.entities import Entity
from dashboard.domain.phases import Phase
from dashboard.domain.rollup import count_app_phases

_NEVER = datetime.min.replace(tzinfo=UTC)
# No whole number in a name has more digits that matter, and Python refuses to read some that have thousands.
_NUMBERS = re.compile(r"(\d{1,18})")
# What is broken stands before all of these.
_WORST_FIRST = (
    Phase.UNKNOWN,
    Phase.RUNNING,
    Phase.PAUSED,
    Phase.PENDING,
    Phase.TERMINATED,
    Phase.CANCELLED,
    Phase.SUCCEEDED,
)
_RANKS = {phase: rank for rank, phase in enumerate(_WORST_FIRST, start=2)}


class SortOrder(StrEnum):
    """An order that can be asked for. Rows between which it does not matter stay as the rollout has them."""

    ROLLOUT = ""
    WORST = "worst"
    NAME = "name"
    CHANGED = "changed"

    def sort(self, rows: Sequence[Entity]) -> list[tuple[int, Entity]]:
        """Return the rows in this order, each with its position in the rollout's."""
        numbered = list(enumerate(rows))
        if self in _KEYS:
            key = _KEYS[self]
            numbered.sort(key=lambda one: key(one[1]))
        return numbered


def severity_rank(row: Entity) -> int:
    """Rank a row, the worst lowest: broken itself, something broken or tried again in it, then by phase."""
    if row.phase.broken:
        return 0
    return 1 if count_app_phases(row).troubled else _RANKS[row.phase]


def _named(row: Entity) -> list[str | int]:
    """Numbers in names count as numbers: eu-2 stands before eu-10."""
    parts = _NUMBERS.split(row.name.casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _age(row: Entity) -> float:
    """Less for what changed later, itself or in it; what tells no time is the oldest."""
    return -max(one.updated_at or _NEVER for one in row.flattened()).timestamp()


_KEYS: dict[SortOrder, Callable[[Entity], "float | list[str | int]"]] = {
    SortOrder.WORST: severity_rank,
    SortOrder.NAME: _named,
    SortOrder.CHANGED: _age,
}
