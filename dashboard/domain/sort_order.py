"""Sort orders of siblings."""

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
    """A sort order. Equal rows keep the rollout's order."""

    ROLLOUT = ""
    WORST = "worst"
    NAME = "name"
    CHANGED = "changed"

    def sort(self, rows: Sequence[Entity]) -> list[tuple[int, Entity]]:
        """Return the sorted rows with their original positions."""
        numbered = list(enumerate(rows))
        if self in _KEYS:
            key = _KEYS[self]
            numbered.sort(key=lambda one: key(one[1]))
        return numbered


def severity_rank(row: Entity) -> int:
    """Return a sort key, worst first: broken, containing broken or retrying rows, then by phase."""
    if row.phase.broken:
        return 0
    return 1 if count_app_phases(row).troubled else _RANKS[row.phase]


def _named(row: Entity) -> list[str | int]:
    """Return a natural sort key: eu-2 comes before eu-10."""
    parts = _NUMBERS.split(row.name.casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _age(row: Entity) -> float:
    """Return a sort key by latest change; rows without times come last."""
    return -max(one.updated_at or _NEVER for one in row.flattened()).timestamp()


_KEYS: dict[SortOrder, Callable[[Entity], "float | list[str | int]"]] = {
    SortOrder.WORST: severity_rank,
    SortOrder.NAME: _named,
    SortOrder.CHANGED: _age,
}
