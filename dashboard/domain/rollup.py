"""Roll-ups: progress of parts of a release, and what blocks them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from dashboard.domain.entities import Attempt, Entity, Release
from dashboard.domain.execution_problem import short_paused_text
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.truncation import truncate

_PHASE = attrgetter("phase")
_TROUBLE = frozenset({Phase.FAILED, Phase.TIMED_OUT, Phase.PAUSED})
# Nothing waits for rows in one of these phases. Failed rows block their wave until they are fixed.
_OVER = frozenset({Phase.SUCCEEDED, Phase.CANCELLED, Phase.TERMINATED})


@dataclass(frozen=True, slots=True)
class PhaseCounts:
    """The number of rows in each phase. `retrying` counts those whose activity has failed before.

    `unopened` rows represent contents that were not loaded. `noun` is what is counted: "part" for mixed types.
    """

    counts: Mapping[Phase, int]
    retrying: int = 0
    unopened: int = 0
    noun: str = "app"

    @property
    def total(self) -> int:
        """Return all of them."""
        return sum(self.counts.values())

    def of(self, *phases: Phase) -> int:
        """Return the number of rows in any of these phases."""
        return sum(self.counts.get(phase, 0) for phase in phases)

    @property
    def troubled(self) -> bool:
        """Return whether anything has failed or is retrying."""
        return bool(self.retrying or self.of(Phase.FAILED, Phase.TIMED_OUT))


def count_app_phases(entity: Entity) -> PhaseCounts:
    """Count the apps below an entity.

    A row above the apps that has nothing below it, a gap, a bundle still empty or a row that was not opened, counts
    once with its own phase: a gap must not make a rollout look further along than it is. Where a part of a release is
    known to have no apps, there is nothing to count in it.
    """
    leaves = leaves_of(entity)
    if entity.type is not EntityType.RELEASE and not any(map(_stands_for_apps, leaves)):
        return _NOTHING
    return count_phases(leaves)


def _stands_for_apps(row: Entity) -> bool:
    return row.type is EntityType.APP or row.problem is not None or row.unopened


def count_phases(entities: Collection[Entity], noun: str = "") -> PhaseCounts:
    """Count these entities themselves."""
    # Every row of a tree is counted for each level above it: what most rows have not is searched for without a call.
    attempts = [entity.attempt for entity in entities if entity.attempt]
    others = [entity for entity in entities if entity.type is not EntityType.APP]
    return PhaseCounts(
        Counter(map(_PHASE, entities)),
        sum(attempt.retrying for attempt in attempts),
        len([entity for entity in others if entity.child_ids and not entity.children]),
        noun or (_noun(others, len(entities)) if others else "app"),
    )


def _noun(others: Collection[Entity], total: int) -> str:
    """Return what the counted rows are called.

    A gap counts as the apps that it hides, and a reported row as the apps that it is yet to report.
    """
    known = [entity for entity in others if "run_id" in entity.details and not entity.problem]
    kinds = {str(entity.type) for entity in known}
    if not kinds:
        return "app"
    return kinds.pop() if len(known) == total and len(kinds) == 1 else "part"


def leaves_of(entity: Entity) -> list[Entity]:
    """Yield the apps below an entity, and rows without children in place of missing apps.

    An app with children counts in addition to them.
    """
    if not entity.children:
        return [] if entity.type is EntityType.RELEASE else [entity]
    leaves = [child for child in entity.children if not child.children]
    if len(leaves) < len(entity.children):
        branches = [child for child in entity.children if child.children]
        leaves += [child for child in branches if child.type is EntityType.APP]
        leaves += [leaf for child in branches for leaf in leaves_of(child)]
    return leaves


_NOTHING = PhaseCounts({})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A row that blocks its wave, with its failed, retrying and paused apps.

    `attempt` is the first retrying or paused attempt. `stalled` counts rows whose next step no worker is picking up. If
    `over`, the row has ended with a failure and blocks nothing. If `left_running`, it is listed only because it is
    still running after the end of its release.
    """

    entity: Entity
    apps: PhaseCounts
    cause: str | None
    attempt: Attempt | None = None
    stalled: int = 0
    over: bool = False
    left_running: bool = False


@dataclass(frozen=True, slots=True)
class Blockage:
    """A blocked wave (or the release for rows in no wave) with its obstacles, worst first.

    If `over`, it has ended with a failure and waits for nothing.
    """

    wave: Entity
    obstacles: tuple[Obstacle, ...]
    over: bool = False


def blockages(release: Release) -> tuple[Blockage, ...]:
    """Return the blockages of unfinished waves. Waves waiting for earlier waves are not blocked."""
    root = release.root
    found = []
    for wave in root.children:
        if wave.type is EntityType.WAVE and ((obstacles := _obstacles(wave.children)) or _troubled(wave)):
            found.append(_blockage(release, wave, obstacles))
    if obstacles := _obstacles([row for row in root.children if row.type is not EntityType.WAVE]):
        found.append(_blockage(release, root, obstacles))
    return tuple(found)


def _blockage(release: Release, wave: Entity, obstacles: tuple[Obstacle, ...]) -> Blockage:
    return Blockage(wave, obstacles, release.execution.status.closed or wave.phase in _OVER)


def _obstacles(rows: Iterable[Entity]) -> tuple[Obstacle, ...]:
    held_up = [(row, _troubled_in(row)) for row in rows]
    obstacles = [_obstacle(row, troubled) for row, troubled in held_up if troubled or _is_gap(row)]
    return tuple(sorted(obstacles, key=_worst_first))


def _is_gap(entity: Entity) -> bool:
    """Return whether the state is unknown. Succeeded rows are never gaps."""
    return entity.problem is not None and entity.problem.gap and entity.phase not in _OVER


def _troubled_in(cluster: Entity) -> list[Entity]:
    # Not `_troubled` for each: a tree has thousands of rows, and few of them an attempt.
    return [
        row
        for row in cluster.walk()
        if row.phase in _TROUBLE or (row.attempt and _stumbles(row.attempt)) or (row.problem and _stalls(row))
    ]


def _troubled(entity: Entity) -> bool:
    return entity.phase in _TROUBLE or _stumbles(entity.attempt) or _stalls(entity)


def _stalls(entity: Entity) -> bool:
    stalls = entity.problem is not None and entity.problem.code is ProblemCode.NO_WORKER
    return stalls and entity.phase not in _OVER


def _stumbles(attempt: Attempt | None) -> bool:
    return attempt is not None and (attempt.retrying or attempt.paused)


def _obstacle(cluster: Entity, troubled: list[Entity]) -> Obstacle:
    troubled.sort(key=lambda entity: entity.type is not EntityType.APP)
    cause = next((text for entity in [*troubled, cluster] if (text := trouble_cause(entity))), None)
    attempt = next((entity.attempt for entity in troubled if _stumbles(entity.attempt)), None)
    apps = count_phases([entity for entity in troubled if entity.type is EntityType.APP])
    left = cluster.left_running and not any(row.phase.broken for row in troubled)
    return Obstacle(cluster, apps, cause, attempt, sum(map(_stalls, troubled)), cluster.phase in _OVER, left)


def trouble_cause(entity: Entity) -> str | None:
    """Return the cause of an entity's trouble in one line: its own error, or its activity's last failure.

    For failed entities, missing data is not a cause.
    """
    if entity.error:
        return truncate(entity.error)
    if entity.attempt and entity.attempt.cause:
        return entity.attempt.cause
    unknown = entity.problem is not None and entity.problem.gap and not entity.phase.broken
    return entity.problem.message if entity.problem and unknown else None


def pause_reason(entity: Entity) -> str:
    """Return why a row is paused: its own error, who paused it in Temporal, or its state."""
    paused = short_paused_text(entity.problem) if entity.problem and entity.problem.code is ProblemCode.PAUSED else ""
    return truncate(entity.error or paused or entity.state.replace("_", " "))


def _worst_first(obstacle: Obstacle) -> tuple[bool, bool, int]:
    return (obstacle.over, not obstacle.entity.phase.broken, -obstacle.apps.total)
