"""Summarize the parts of a release: failures, waiting rows, and the latest change."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from dashboard.domain.entities import Attempt, Entity, Release
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.domain.rollup import PhaseCounts, count_phases, leaves_of, pause_reason, trouble_cause
from dashboard.domain.truncation import truncate

PAUSED_ACTIVITY_TEXT = "its activity is paused in Temporal"
_FAILED = frozenset({Phase.FAILED, Phase.TIMED_OUT})
# A part that was terminated has not done its work. The parts of a release that itself was terminated say no more.
_FAILED_OR_TERMINATED = _FAILED | {Phase.TERMINATED}
_ENDED_FROM_OUTSIDE = frozenset({Phase.TERMINATED, Phase.TIMED_OUT})
_LEVELS = tuple(EntityType)


@dataclass(frozen=True, slots=True)
class ReleasePart:
    """A named part of a release. `text` is why it failed or what it waits for, if known.

    `type` is None for an activity without an entity; then `id` is the activity's, and `name` may include its type.
    `within` is the name of its cluster.
    """

    id: str
    type: EntityType | None
    name: str
    text: str = ""
    within: str = ""

    @property
    def place(self) -> str:
        """Return its name with its cluster."""
        return f"{self.within} / {self.name}" if self.within else self.name


@dataclass(frozen=True, slots=True)
class PartsSummary:
    """A summary of a release's tree.

    `apps` counts the leaves by phase. `failed` of `total` parts at `level` failed, timed out or were terminated:
    leaves, or rows above them if only those failed. `cancelled` parts were cancelled themselves. `retrying` counts
    retrying activities. `waiting` rows and activities wait for approval: `waits` is the first of them. `cause` is the
    first innermost part that failed. `changed_at` is the latest reported change. `left_running` child workflows are
    still running after the end of the release, and no worker picks up the next step of `stalled` ones. `pending`
    activities are in progress or retrying, `unknown` rows may have unknown ones, and `due` is when the last scheduled
    child workflow starts. `events` counts known history events of child workflows.
    """

    apps: PhaseCounts
    level: EntityType | None = None
    failed: int = 0
    total: int = 0
    cancelled: int = 0
    retrying: int = 0
    waiting: int = 0
    waits: ReleasePart | None = None
    cause: ReleasePart | None = None
    changed_at: datetime | None = None
    left_running: int = 0
    stalled: int = 0
    pending: int = 0
    unknown: int = 0
    due: datetime | None = None
    events: int = 0

    @property
    def whole(self) -> bool:
        """Return whether no part failed or was cancelled."""
        return not self.failed and not self.cancelled


def parts_of(release: Release) -> PartsSummary | None:
    """Return the summary of a release's parts, or None if its tree was not read."""
    if release.parts is not None:
        return release.parts
    if not release.root.children:
        return None
    return summarise_parts(release.root, release.also_pending)


def with_parts(release: Release) -> Release:
    """Add the summary of its parts to a release."""
    if release.root.problem and not release.root.children:
        return release
    return replace(release, parts=summarise_parts(release.root, release.also_pending))


def summarise_parts(root: Entity, also_pending: Iterable[Attempt] = ()) -> PartsSummary:
    """Summarize a tree and activities without rows, in one pass."""
    rows = root.flattened()[1:]
    leaves = leaves_of(root)
    attempts = [attempt for row in rows if row.attempt for attempt in row.pending] + list(also_pending)
    problems = [row.problem for row in rows if row.problem]
    codes = [problem.code for problem in problems]
    runs = [row.execution for row in rows if row.execution and not row.execution.status.closed]
    waits = _waiting(root, rows, also_pending)
    level, failed, total, cause = _failed(root, rows, leaves)
    return PartsSummary(
        apps=count_phases(leaves),
        level=level,
        failed=failed,
        total=total,
        cancelled=sum(row.phase is Phase.CANCELLED and not row.overruled for row in leaves),
        retrying=sum(attempt.retrying for attempt in attempts),
        waiting=len(waits),
        waits=waits[0] if waits else None,
        cause=cause,
        changed_at=max((at for row in rows if (at := row.updated_at or row.created_at)), default=None),
        left_running=codes.count(ProblemCode.LEFT_RUNNING),
        stalled=codes.count(ProblemCode.NO_WORKER) + sum(attempt.unpolled for attempt in also_pending),
        pending=sum(not (attempt.paused or attempt.over) for attempt in attempts),
        unknown=sum(problem.gap or problem.awaited for problem in problems),
        due=max((run.execution_time for run in runs if run.execution_time), default=None),
        events=sum(run.history_length or 0 for run in runs),
    )


def _failed(
    root: Entity, rows: list[Entity], leaves: list[Entity]
) -> tuple[EntityType | None, int, int, ReleasePart | None]:
    """Return the level at which parts failed, the counts, and the first failed part."""
    phases = _FAILED if root.phase in _ENDED_FROM_OUTSIDE else _FAILED_OR_TERMINATED
    broken = [row for row in rows if row.phase in phases]
    if broken:
        excused = _ended_with_cancelled(rows)
        broken = [row for row in broken if id(row) not in excused]
    broken_ids = {id(row) for row in broken}
    inner = [row for row in leaves if id(row) in broken_ids] if broken else []
    if broken and not inner:
        # What failed is above the leaves: count at the innermost level at which something did.
        lowest = max(broken, key=lambda row: _LEVELS.index(row.type)).type
        leaves = [row for row in rows if row.type is lowest]
        inner = [row for row in broken if row.type is lowest]
    level = max((row.type for row in leaves), key=_LEVELS.index, default=None)
    return level, len(inner), len(leaves), _first_cause(inner, broken)


def _ended_with_cancelled(rows: list[Entity]) -> set[int]:
    """Return the rows that Temporal terminated together with a cancelled parent workflow."""
    cancelled = [row for row in rows if row.phase is Phase.CANCELLED and row.children]
    return {id(below) for row in cancelled for below in row.flattened() if below.phase is Phase.TERMINATED}


def _first_cause(inner: list[Entity], broken: list[Entity]) -> ReleasePart | None:
    """Return the first part with a cause, innermost first, or the first one."""
    told = next((row for row in (*inner, *broken[::-1]) if trouble_cause(row)), None)
    row = told or (inner[0] if inner else None)
    return ReleasePart(row.id, row.type, row.name, truncate(trouble_cause(row) or "")) if row else None


def _waiting(root: Entity, rows: list[Entity], also_pending: Iterable[Attempt]) -> list[ReleasePart]:
    # Looked for without a call per row first: most trees have none.
    found = any(row.phase is Phase.PAUSED or (row.attempt and _paused(row)) for row in rows)
    parts = [part for child in root.children for part in _waiting_in(child, "")] if found else []
    return [*parts, *(paused_activity_part(attempt) for attempt in also_pending if attempt.paused)]


def _waiting_in(row: Entity, within: str) -> list[ReleasePart]:
    inside = row.name if row.type is EntityType.CLUSTER else within
    below = [part for child in row.children for part in _waiting_in(child, inside)]
    if row.attempt is not None and _paused(row):
        return [*below, ReleasePart(row.id, row.type, row.name, PAUSED_ACTIVITY_TEXT, within)]
    if row.phase is Phase.PAUSED and not below:
        return [ReleasePart(row.id, row.type, row.name, truncate(pause_reason(row)), within)]
    return below


def _paused(row: Entity) -> bool:
    return any(attempt.paused for attempt in row.pending)


def paused_activity_part(attempt: Attempt) -> ReleasePart:
    """Name an activity that belongs to no row and is paused."""
    return ReleasePart(attempt.activity_id, None, attempt.label, PAUSED_ACTIVITY_TEXT)
