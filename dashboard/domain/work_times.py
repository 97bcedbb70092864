"""Determine when work on the rows of a release started and ended.

A row's `created_at` may be long before its work. It counts as the start only if rows are created when work starts: for
child workflows, and for releases in which no waiting row has one and some were created after work had started
elsewhere. Otherwise, work starts with the first known change below the row. Reported times far from the execution are
ignored for this, but shown unchanged.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.domain.entities import Entity, Release
from dashboard.domain.phases import Phase, phase_of

UNFINISHED_PHASES = frozenset({Phase.PENDING, Phase.RUNNING, Phase.PAUSED})
# How far before the start of its first run a rollout may have been at work, and how far clocks may differ.
MAX_WORK_BEFORE_START = timedelta(days=30)
MAX_CLOCK_SKEW = timedelta(days=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ObservedTimes:
    """The first and last known change of an entity. If not `exact`, work may have started earlier."""

    first: datetime | None
    last: datetime | None
    exact: bool


_NOTHING = ObservedTimes(None, None, exact=False)


class WorkTimes:
    """The times of work on a release's rows, computed once per row. `known_at` is the time of the read."""

    def __init__(self, release: Release, known_at: datetime) -> None:
        self._execution = release.execution
        self._root = release.root
        self._earliest, self._latest = _window(release, known_at)
        # By identity: an id may occur twice in a tree. The root keeps its rows alive.
        self._known: dict[int, ObservedTimes] = {}
        self._made_with_work = False
        self._reckon(self._root)
        if self._are_made_as_work_comes():
            self._made_with_work = True
            self._reckon(self._root)

    def of(self, entity: Entity) -> ObservedTimes:
        """Return the known changes of a row."""
        return self._known.get(id(entity), _NOTHING)

    def span(self, entity: Entity) -> tuple[datetime | None, datetime | None]:
        """Return the start and end of work on a row, each None if unknown or not reached.

        The last change of a completed leaf is its end, not its start. Unfinished work of an ended release ended with
        it, except for child workflows left running.
        """
        known = self._known.get(id(entity), _NOTHING)
        if known.first is None:
            return None, None
        if entity.phase in UNFINISHED_PHASES:
            return known.first, None
        left_behind = entity.overruled and "run_id" not in entity.details
        end = (self._execution.closed_at if left_behind else None) or known.last or known.first
        return known.first if known.exact or entity.children else None, max(end, known.first)

    def began(self, entity: Entity) -> datetime | None:
        """Return the start of work on a row, or None."""
        return self.span(entity)[0]

    def ended(self, entity: Entity) -> datetime | None:
        """Return the end of work on a row, or None."""
        return self.span(entity)[1]

    def told(self, moment: datetime | None) -> datetime | None:
        """Return a reported time, unless it is outside the plausible window."""
        return moment if moment and self._earliest <= moment <= self._latest else None

    def _reckon(self, entity: Entity) -> ObservedTimes:
        first = last = None
        for child in entity.children:
            # There are thousands of single rows, and those that wait have nothing to be kept.
            below = self._reckon(child) if child.children or child.phase is not Phase.PENDING else _NOTHING
            if below.first and (first is None or below.first < first):
                first = below.first
            if below.last and (last is None or below.last > last):
                last = below.last
        known = self._known[id(entity)] = self._with_own(entity, first, last)
        return known

    def _with_own(self, entity: Entity, first: datetime | None, last: datetime | None) -> ObservedTimes:
        plain = not entity.overruled and entity.phase is not Phase.UNKNOWN
        if not (entity.phase is not Phase.PENDING if plain else has_begun(entity)):
            return ObservedTimes(first, last, exact=False) if first or last else _NOTHING
        changed, made = self.told(entity.updated_at), self.told(entity.created_at)
        if changed and (last is None or changed > last):
            last = changed
        if made and (self._made_with_work or "run_id" in entity.details):
            return ObservedTimes(min(made, first) if first else made, last, exact=True)
        # Of what was not read below it, the last change says nothing about the first.
        alone = None if entity.unopened else changed
        return ObservedTimes(first or alone, last, exact=False)

    def _are_made_as_work_comes(self) -> bool:
        rows = [row for wave in self._root.children for row in (wave, *wave.children)]
        if any(row.created_at and not has_begun(row) for row in rows):
            return False
        made = [moment for row in rows if (moment := self.told(row.created_at))]
        moved = [known for row in self._root.children if (known := self.of(row).first)]
        return bool(made and moved) and max(made) > min(moved)


def has_begun(row: Entity) -> bool:
    """Return whether work on a row has started, by its last reported state."""
    said = phase_of(row.type, row.state) if row.overruled else row.phase
    if said is Phase.UNKNOWN:
        return bool(row.created_at and row.updated_at and row.updated_at > row.created_at)
    return said is not Phase.PENDING


def _window(release: Release, known_at: datetime) -> tuple[datetime, datetime]:
    """Return the plausible time window of a rollout."""
    run = release.execution
    begin, end = release.chain_began_at, max(known_at, run.started_at, run.closed_at or run.started_at)
    earliest = begin - MAX_WORK_BEFORE_START if begin - _FIRST > MAX_WORK_BEFORE_START else _FIRST
    return earliest, end + MAX_CLOCK_SKEW if _LAST - end > MAX_CLOCK_SKEW else _LAST
