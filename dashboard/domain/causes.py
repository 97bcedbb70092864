"""Find problems and group them by normalized cause."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from dashboard.domain.cause_texts import child_failure_cause, normalise_cause
from dashboard.domain.child_details import no_worker_problem, workflow_task_attempt
from dashboard.domain.entities import PLACEHOLDER_MESSAGES, Attempt, Entity, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.parts import PAUSED_ACTIVITY_TEXT
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.rollup import pause_reason, trouble_cause
from dashboard.domain.truncation import truncate

NO_REASON_REPORTED = "No reason reported"
# Why a release does not answer while its workflow task fails.
_FOLLOWS_FROM_FAILING_TASK = frozenset(
    {ProblemCode.TASK_FAILING, ProblemCode.QUERY_FAILED, ProblemCode.QUERY_TIMED_OUT, ProblemCode.NO_WORKER}
)
TERMINATED_IN_TEMPORAL = "Terminated in Temporal"
# The parts of a release that ended in one of these ended with it.
_ENDED_WITH_ALL = frozenset({Phase.FAILED, Phase.TIMED_OUT, Phase.TERMINATED, Phase.CANCELLED})


@dataclass(frozen=True, slots=True)
class PathStep:
    """An ancestor of an entity; `position` is its index among its siblings."""

    id: str
    type: EntityType
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class AffectedEntity:
    """A row that failed, is retrying, unknown, or waiting for approval, with its cause. `entity` has no children.

    `path` lists its ancestors from the release. `activity_id` is set for an activity without an entity, with the
    release as `entity`, and for a pending activity besides the most severe one of its entity.
    """

    release_id: str
    run_id: str
    path: tuple[PathStep, ...]
    entity: Entity
    cause: str
    at: datetime
    attempt: Attempt | None = None
    activity_id: str | None = None

    @property
    def retrying(self) -> bool:
        """Return whether it is retrying."""
        return self.attempt is not None and self.attempt.retrying

    @property
    def stalled(self) -> bool:
        """Return whether its child workflow or activity waits for a worker.

        For a release without response, only this is known.
        """
        if self.attempt and self.attempt.unpolled:
            return True
        problem = self.entity.problem
        return problem is not None and problem.code is ProblemCode.NO_WORKER and self.entity.execution is not None

    @property
    def failed(self) -> bool:
        """Return whether it failed."""
        return self.entity.phase.broken or self.entity.phase is Phase.TERMINATED

    @property
    def names(self) -> frozenset[str]:
        """Return the names by which a text may refer to it."""
        entity = self.entity
        ids = {step.id for step in self.path} | {step.id.partition(":")[2] for step in self.path}
        return frozenset({*ids, *(step.name for step in self.path), entity.version or "", self.run_id})


class CauseStatus(StrEnum):
    """The handling of a cause, worst first. The values are used in JSON.

    STALLED waits for a worker to pick up its next step; LEFT_RUNNING is still running although its release has ended.
    """

    GAVE_UP = "gave_up"
    STALLED = "stalled"
    LEFT_RUNNING = "left_running"
    RETRYING = "retrying"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Cause:
    """All rows that are broken for one cause, newest first; `example` is the original text of the newest one."""

    text: str
    example: str
    broken: tuple[AffectedEntity, ...]

    @property
    def standing(self) -> CauseStatus:
        """Return the worst handling: GAVE_UP if anything failed without retries. A gap alone is not a failure."""
        if any(item.failed and not item.retrying for item in self.broken):
            return CauseStatus.GAVE_UP
        if any(item.stalled for item in self.broken):
            return CauseStatus.STALLED
        if any(item.entity.left_running for item in self.broken):
            return CauseStatus.LEFT_RUNNING
        return CauseStatus.RETRYING if any(item.retrying for item in self.broken) else CauseStatus.NOT_KNOWN


@dataclass(frozen=True, slots=True)
class ProblemSummary:
    """Current problems, newest cause first, rows waiting for approval, and the scope of the search.

    `listed` of `total` releases were checked, newest first; `relevant` of them are in progress or recently failed. Of
    these, `read` were fully loaded, `partly` in part (too large for one response, paused or busy), and `unanswered` did
    not respond, are out of date, or returned an unreadable response.
    """

    causes: tuple[Cause, ...]
    total: int
    listed: int
    relevant: int
    read: int
    unanswered: int
    partly: int = 0
    waiting: tuple[AffectedEntity, ...] = ()
    still: tuple[AffectedEntity, ...] = ()


def group_by_cause(broken: Iterable[AffectedEntity]) -> tuple[Cause, ...]:
    """Group by normalised cause."""
    groups: dict[str, list[AffectedEntity]] = {}
    for item in sorted(broken, key=lambda item: item.at, reverse=True):
        groups.setdefault(normalise_cause(item.cause, item.names), []).append(item)
    return tuple(Cause(text, items[0].cause, tuple(items)) for text, items in groups.items())


def affected_entities(release: Release) -> tuple[AffectedEntity, ...]:
    """Return the problems of a release at their origin, without repetitions at the levels above."""
    stopped = release.root.phase not in _ENDED_WITH_ALL
    found = list(_broken_below((_judged(release),), release, stopped=stopped))
    failing = release.execution.failing_task
    if failing and not release.execution.status.closed:
        tries = workflow_task_attempt(failing)
        found.append(_of((release.root,), release, _told(tries.cause) or NO_REASON_REPORTED, tries, ""))
    for attempt in release.also_pending:
        why = attempt.problem.message if attempt.problem and attempt.unpolled else attempt.cause
        if why and (attempt.retrying or attempt.unpolled):
            found.append(_of((release.root,), release, _told(why) or NO_REASON_REPORTED, attempt, attempt.activity_id))
    return tuple(found)


def _judged(release: Release) -> Entity:
    """Return the release's own row, without consequences of a failing workflow task."""
    root, execution = release.root, release.execution
    if execution.failing_task and root.problem and root.problem.code in _FOLLOWS_FROM_FAILING_TASK:
        return replace(root, problem=None)
    # Why it does not answer is unknown from its silence, but from who polls.
    silent = root.problem is None or root.problem.code in {ProblemCode.QUERY_TIMED_OUT, ProblemCode.NO_WORKER}
    waits = no_worker_problem(execution) if silent else None
    return replace(root, problem=waits) if waits else root


def _broken_below(path: tuple[Entity, ...], release: Release, *, stopped: bool) -> Iterator[AffectedEntity]:
    """Yield the problems from a row down. With `stopped`, terminated rows count, without everything below them."""
    entity = path[-1]
    terminated = stopped and entity.phase is Phase.TERMINATED
    # What Temporal terminates with a workflow that was cancelled was not terminated by anybody.
    inside = stopped and not terminated and entity.phase is not Phase.CANCELLED
    below = [item for child in entity.children for item in _broken_below((*path, child), release, stopped=inside)]
    yield from below
    retrying = entity.attempt is not None and entity.attempt.retrying
    gap = entity.problem is not None and entity.problem.gap
    if not (entity.phase.broken or terminated or retrying or gap):
        return
    cause = _told(trouble_cause(entity))
    if not below or (cause is not None and not any(_repeats(entity.error or cause, item) for item in below)):
        yield _of(path, release, cause or (TERMINATED_IN_TEMPORAL if terminated else _untold(entity)), entity.attempt)
    for other in entity.others:
        if other.retrying and other.cause:
            yield _of(path, release, _told(other.cause) or NO_REASON_REPORTED, other, other.activity_id)


def _told(cause: str | None) -> str | None:
    """Return a cause, unless it is the placeholder for unreadable failures."""
    return None if cause is None or cause.endswith(tuple(PLACEHOLDER_MESSAGES)) else cause


def _repeats(text: str, item: AffectedEntity) -> bool:
    """Return whether a text repeats the (possibly truncated) cause of a row below, or reports its end."""
    if item.cause.removesuffix("…") in text:
        return True
    run = item.entity.execution
    return run is not None and text == child_failure_cause(run.workflow_id, run.status)


def _untold(entity: Entity) -> str:
    """Return why there is no reason: it may not have been loaded yet."""
    problem = entity.problem
    return problem.message if problem and problem.code is ProblemCode.REASON_NOT_READ else NO_REASON_REPORTED


def waiting_entities(release: Release) -> tuple[AffectedEntity, ...]:
    """Return the rows of an active release that wait for approval, without repetitions at the levels above."""
    if release.execution.status.closed:
        return ()
    paused = (attempt for attempt in release.also_pending if attempt.paused)
    activities = (_of((release.root,), release, PAUSED_ACTIVITY_TEXT, each, each.activity_id) for each in paused)
    return (*_waiting_below((release.root,), release), *activities)


def stuck_entities(release: Release) -> tuple[AffectedEntity, ...]:
    """Return the release if it is stuck; `at` is since when."""
    if release.stuck is None:
        return ()
    return (replace(_of((release.root,), release, release.stuck.why, None), at=release.stuck.since),)


def _waiting_below(path: tuple[Entity, ...], release: Release) -> Iterator[AffectedEntity]:
    entity = path[-1]
    below = [item for child in entity.children for item in _waiting_below((*path, child), release)]
    yield from below
    paused = next((attempt for attempt in entity.pending if attempt.paused), None)
    if paused:
        yield _of(path, release, PAUSED_ACTIVITY_TEXT, paused)
    elif entity.phase is Phase.PAUSED and not below:
        yield _of(path, release, pause_reason(entity) or NO_REASON_REPORTED, entity.attempt)


def _of(
    path: tuple[Entity, ...], release: Release, cause: str, attempt: Attempt | None, activity_id: str | None = None
) -> AffectedEntity:
    entity, execution = path[-1], release.execution
    steps = (_step(parent, child) for parent, child in pairwise((None, *path)) if child)
    return AffectedEntity(
        release_id=execution.workflow_id,
        run_id=execution.run_id,
        path=tuple(steps),
        entity=_brief(entity),
        cause=cause,
        at=entity.updated_at or entity.created_at or execution.closed_at or execution.started_at,
        attempt=attempt and attempt.brief,
        activity_id=activity_id,
    )


def _brief(entity: Entity) -> Entity:
    """Return an entity without children and with truncated texts."""
    return replace(
        entity,
        children=(),
        details={},
        error=truncate(entity.error) if entity.error else None,
        attempt=entity.attempt and entity.attempt.brief,
        others=tuple(attempt.brief for attempt in entity.others),
    )


def _step(parent: Entity | None, entity: Entity) -> PathStep:
    return PathStep(entity.id, entity.type, entity.name, sibling_position(parent, entity))


def sibling_position(parent: Entity | None, entity: Entity) -> int:
    """Return the index of an entity among its siblings; 0 for the release."""
    return next((index for index, child in enumerate(parent.children) if child is entity), 0) if parent else 0
