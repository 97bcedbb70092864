"""Roll-ups: how far a part of a release is, and what holds it up. Pure functions over entities."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dashboard.domain.entities import Attempt, Entity, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase


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
    return tally(_leaves(entity))


def tally(entities: Iterable[Entity]) -> Tally:
    """Count these entities themselves."""
    counts: dict[Phase, int] = {}
    retrying = unopened = 0
    for entity in entities:
        counts[entity.phase] = counts.get(entity.phase, 0) + 1
        if entity.attempt and entity.attempt.retrying:
            retrying += 1
        if entity.child_ids and not entity.children:
            unopened += 1
    return Tally(counts, retrying, unopened)


def _leaves(entity: Entity) -> Iterator[Entity]:
    if not entity.children and entity.type is not EntityType.RELEASE:
        yield entity
    waiting = [entity]
    while waiting:
        for child in waiting.pop().children:
            if child.children:
                waiting.append(child)
            else:
                yield child


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A row that keeps its wave from finishing: the entity, and the apps in it that failed or are being retried.

    `attempt` is the first of those that are being retried or stand paused.
    """

    entity: Entity
    apps: Tally
    cause: str | None
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Blockage:
    """A wave that waits, and what for. The obstacles are those to look at first."""

    wave: Entity
    obstacles: tuple[Obstacle, ...]


def blockages(release: Release) -> tuple[Blockage, ...]:
    """What holds up each wave of a release that is not finished; waves that wait for earlier ones are not blocked."""
    found = []
    for wave in release.root.children:
        obstacles = [_obstacle(cluster) for cluster in wave.children if _holds_up(cluster)]
        if obstacles or _troubled(wave):
            found.append(Blockage(wave, tuple(sorted(obstacles, key=_worst_first))))
    return tuple(found)


def _holds_up(cluster: Entity) -> bool:
    gap = cluster.problem is not None and not cluster.problem.awaited
    if cluster.phase in {Phase.FAILED, Phase.TIMED_OUT, Phase.PAUSED} or gap:
        return True
    return any(_troubled(entity) for entity in cluster.walk())


def _troubled(entity: Entity) -> bool:
    return _stumbles(entity.attempt) or entity.phase.broken or entity.phase is Phase.PAUSED


def _stumbles(attempt: Attempt | None) -> bool:
    return attempt is not None and (attempt.retrying or attempt.paused)


def _obstacle(cluster: Entity) -> Obstacle:
    troubled = [entity for entity in cluster.walk() if _troubled(entity)]
    troubled.sort(key=lambda entity: entity.type is not EntityType.APP)
    cause = next((text for entity in [*troubled, cluster] if (text := cause_of(entity))), None)
    attempt = next((entity.attempt for entity in troubled if _stumbles(entity.attempt)), None)
    return Obstacle(cluster, tally(entity for entity in troubled if entity.type is EntityType.APP), cause, attempt)


def cause_of(entity: Entity) -> str | None:
    """The one line that says why an entity is in trouble: its own words first, else its activity's last failure."""
    if entity.error:
        return entity.error
    if entity.attempt and entity.attempt.last_failure:
        return entity.attempt.last_failure.line
    return entity.problem.message if entity.problem and not entity.problem.awaited else None


def _worst_first(obstacle: Obstacle) -> tuple[bool, int]:
    return (not obstacle.entity.phase.broken, -obstacle.apps.total)
