"""When work on the rows of a release began and ended, as far as it is known.

A row's `created_at` says when its record was made, which may be long before anybody works on it. It counts as the
start of work only where rows are made as work comes to them: a child workflow starts with its work, and a release that
tells of itself does so if none of its rows that wait has one and some were made after work had begun elsewhere.
Everywhere else work begins, as far as is known, with the first change of anything below the row that has moved.

A rollout's own times are data: one that lies years away from its execution dates no work. It is shown unchanged.
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
    """What is known of when an entity moved first and last. If not `exact`, it may have begun before the first."""

    first: datetime | None
    last: datetime | None
    exact: bool


_NOTHING = ObservedTimes(None, None, exact=False)


class WorkTimes:
    """The times of work on a release's rows, each row reckoned once. `known_at` is when the release was read."""

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
        """Return what is known of a row of the tree."""
        return self._known.get(id(entity), _NOTHING)

    def span(self, entity: Entity) -> tuple[datetime | None, datetime | None]:
        """Return when work on a row began and ended; None where it has not, or that is unknown.

        The last change of a single row that is done says when it ended, not when it began. What an ended release left
        undone ended with it, except for a child workflow that was left running.
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
        """Return when work on a row began; None where it has not begun or that is unknown."""
        return self.span(entity)[0]

    def ended(self, entity: Entity) -> datetime | None:
        """Return when work on a row ended; None while it goes on."""
        return self.span(entity)[1]

    def told(self, moment: datetime | None) -> datetime | None:
        """Return a time that the rollout told, unless it cannot be one of its work."""
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
    """Whether work has come to a row itself: by its own last word, as what an ended release left was never begun."""
    said = phase_of(row.type, row.state) if row.overruled else row.phase
    if said is Phase.UNKNOWN:
        return bool(row.created_at and row.updated_at and row.updated_at > row.created_at)
    return said is not Phase.PENDING


def _window(release: Release, known_at: datetime) -> tuple[datetime, datetime]:
    """Return the time in which a rollout may have been at work."""
    run = release.execution
    begin, end = release.chain_began_at, max(known_at, run.started_at, run.closed_at or run.started_at)
    earliest = begin - MAX_WORK_BEFORE_START if begin - _FIRST > MAX_WORK_BEFORE_START else _FIRST
    return earliest, end + MAX_CLOCK_SKEW if _LAST - end > MAX_CLOCK_SKEW else _LAST
