"""Roll-ups: how far a part of a release is, and what holds it up. Pure functions over entities."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter

from dashboard.domain.entities import Attempt, Entity, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.texts import cut

_PHASE = attrgetter("phase")
_TROUBLE = frozenset({Phase.FAILED, Phase.TIMED_OUT, Phase.PAUSED})
# Nothing waits for what is in one of these. What failed is waited for: until somebody mends it, its wave stays.
_OVER = frozenset({Phase.SUCCEEDED, Phase.CANCELLED, Phase.TERMINATED})


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows stand in each phase. `retrying` are those among them whose activity has failed before.

    `unopened` are those that stand for all that is below them, which was not read.
    """

    counts: Mapping[Phase, int]
    retrying: int = 0
    unopened: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def of(self, *phases: Phase) -> int:
        """How many stand in any of these phases."""
        return sum(self.counts.get(phase, 0) for phase in phases)

    @property
    def troubled(self) -> bool:
        """Whether anything in it has failed or is being tried again."""
        return bool(self.retrying or self.of(Phase.FAILED, Phase.TIMED_OUT))


def tally_apps(entity: Entity) -> Tally:
    """Count the apps below an entity.

    A row above the apps that has nothing below it, a gap, a bundle still empty or a row that was not opened, counts
    once with its own phase: a gap must not make a rollout look further along than it is.
    """
    return tally(leaves_of(entity))


def tally(entities: Collection[Entity]) -> Tally:
    """Count these entities themselves."""
    # Every row of a tree is counted for each level above it: what most rows have not is looked for without a call.
    attempts = [entity.attempt for entity in entities if entity.attempt]
    return Tally(
        Counter(map(_PHASE, entities)),
        sum(attempt.retrying for attempt in attempts),
        len([entity for entity in entities if entity.child_ids and not entity.children]),
    )


def leaves_of(entity: Entity) -> list[Entity]:
    """The apps below an entity, and what stands for apps that are not there: a row that has nothing below it."""
    if not entity.children:
        return [] if entity.type is EntityType.RELEASE else [entity]
    leaves = [child for child in entity.children if not child.children]
    if len(leaves) < len(entity.children):
        leaves += [leaf for child in entity.children if child.children for leaf in leaves_of(child)]
    return leaves


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A row that keeps its wave from finishing: the entity, and the apps in it that failed, are retried or are paused.

    `attempt` is the first of those that are being retried or are paused. `stalled` counts the rows in it whose next
    step no worker takes. One that is `over` keeps nothing from finishing: it has ended, with something in it that
    failed.
    """

    entity: Entity
    apps: Tally
    cause: str | None
    attempt: Attempt | None = None
    stalled: int = 0
    over: bool = False


@dataclass(frozen=True, slots=True)
class Blockage:
    """A wave that waits, and what for. The obstacles are those to look at first.

    One that is `over` waits for nothing: it has ended, with something in it that failed.
    """

    wave: Entity
    obstacles: tuple[Obstacle, ...]
    over: bool = False


def blockages(release: Release) -> tuple[Blockage, ...]:
    """What holds up each wave of a release that is not finished; waves that wait for earlier ones are not blocked."""
    found = []
    for wave in release.root.children:
        held_up = [(cluster, _troubled_in(cluster)) for cluster in wave.children]
        obstacles = [_obstacle(cluster, rows) for cluster, rows in held_up if rows or _is_gap(cluster)]
        if obstacles or _troubled(wave):
            over = release.execution.status.closed or wave.phase in _OVER
            found.append(Blockage(wave, tuple(sorted(obstacles, key=_worst_first)), over))
    return tuple(found)


def _is_gap(entity: Entity) -> bool:
    """Whether it is not known how it is. What has ended well is no gap, whatever else of it is not known."""
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
    cause = next((text for entity in [*troubled, cluster] if (text := cause_of(entity))), None)
    attempt = next((entity.attempt for entity in troubled if _stumbles(entity.attempt)), None)
    apps = tally([entity for entity in troubled if entity.type is EntityType.APP])
    return Obstacle(cluster, apps, cause, attempt, sum(map(_stalls, troubled)), cluster.phase in _OVER)


def cause_of(entity: Entity) -> str | None:
    """The one line that says why an entity is in trouble: its own words first, else its activity's last failure.

    Of one that failed, what is not known of it is no cause; nor is it of any where it belongs.
    """
    if entity.error:
        return cut(entity.error)
    if entity.attempt and entity.attempt.cause:
        return entity.attempt.cause
    unknown = entity.problem is not None and entity.problem.gap and not entity.phase.broken
    return entity.problem.message if entity.problem and unknown else None


def paused_because(entity: Entity) -> str:
    """Why something is paused: its own words, else by whom Temporal has paused it, else its state."""
    paused = entity.problem.message if entity.problem and entity.problem.code is ProblemCode.PAUSED else ""
    return cut(entity.error or paused or entity.state.replace("_", " "))


def _worst_first(obstacle: Obstacle) -> tuple[bool, bool, int]:
    return (obstacle.over, not obstacle.entity.phase.broken, -obstacle.apps.total)
