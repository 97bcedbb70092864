"""Reconciliation: Temporal's data of an execution overrides the rollout's last report."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from dashboard.domain.child_details import (
    close_reason,
    left_running_problem,
    verified_running,
    with_child_details,
)
from dashboard.domain.entities import Entity, Execution, Release, Status
from dashboard.domain.execution_problem import execution_problem_of
from dashboard.domain.ids import EntityType, release_name
from dashboard.domain.pending import attach_pending
from dashboard.domain.phases import Phase, phase_with_pending_work
from dashboard.domain.problems import Problem, ProblemCode

_PHASES = {
    Status.RUNNING: Phase.RUNNING,
    Status.COMPLETED: Phase.SUCCEEDED,
    Status.FAILED: Phase.FAILED,
    Status.CANCELED: Phase.CANCELLED,
    Status.TERMINATED: Phase.TERMINATED,
    Status.TIMED_OUT: Phase.TIMED_OUT,
    Status.CONTINUED_AS_NEW: Phase.RUNNING,
    Status.PAUSED: Phase.PAUSED,
}

# The phase of rows that an ended execution left unfinished.
_LEFT_BEHIND = {
    Status.TERMINATED: Phase.TERMINATED,
    Status.TIMED_OUT: Phase.TERMINATED,
    # The next run continues them; their outcome is unknown in this one.
    Status.CONTINUED_AS_NEW: Phase.UNKNOWN,
}

_ENDED_BADLY = frozenset({Status.FAILED, Status.CANCELED, Status.TERMINATED, Status.TIMED_OUT})


def phase_of_status(status: Status) -> Phase:
    """Return the phase of a Temporal status."""
    return _PHASES.get(status, Phase.UNKNOWN)


def reconcile(execution: Execution, said: Entity) -> Release:
    """Combine the rollout's reports with Temporal's data of its execution."""
    said, also_pending, other_runs = attach_pending(said, execution)
    children = tuple(apply_execution_status(execution, child) for child in said.children)
    phase = _phase_after(execution.status, said.phase)
    root = replace(
        _with_reason(said, execution),
        children=children,
        phase=phase,
        overruled=_overrules(said, phase),
        problem=_problem(said, execution),
    )
    left = sum(row.left_running for row in root.flattened()) if execution.status.closed else 0
    return Release(execution, root, also_pending=also_pending, other_runs=other_runs, left_running=left)


def _with_reason(said: Entity, execution: Execution) -> Entity:
    """Add the failure reason to a release. The root cause replaces its own error, which is kept in its details."""
    closing = execution.closing
    if closing is None or (said.error and not closing.causes):
        return said
    own = said.error or closing.line
    reason = close_reason(closing)
    if not closing.causes or own == reason:
        return replace(said, error=reason)
    return replace(said, error=reason, details={**said.details, "error_message": own})


def _problem(said: Entity, execution: Execution) -> Problem | None:
    """Return the problem of the release, preferring the pause record to a rejected query."""
    if said.problem is None or said.problem.code is ProblemCode.PAUSED:
        return execution_problem_of(execution)
    return said.problem


def apply_execution_status(execution: Execution, entity: Entity) -> Entity:
    """Apply the release status to a part: after its end, only parts running in Temporal are unfinished."""
    if not execution.status.closed:
        return entity
    return _ended(entity, _LEFT_BEHIND.get(execution.status, Phase.CANCELLED), execution)


def apply_child_statuses(entity: Entity, runs: Mapping[str, Execution], now: datetime | None = None) -> Entity:
    """Apply the statuses and details of child workflows to the rows of a tree.

    A failed, cancelled or paused workflow overrides its row's state, and an app in state "running" is in progress while
    its workflow is open.
    """
    children = tuple(apply_child_statuses(child, runs, now) for child in entity.children)
    if any(new is not old for new, old in zip(children, entity.children, strict=True)):
        entity = replace(entity, children=children)
    run = runs.get(entity.id)
    if run is None:
        return entity
    return _under(entity if entity.execution is run else with_child_details(entity, run, now), run)


def _under(entity: Entity, run: Execution) -> Entity:
    """Apply the status of its child workflow to a row and everything below it."""
    if run.status is Status.RUNNING:
        phase = phase_with_pending_work(entity.type, entity.state, entity.phase)
        return entity if phase is entity.phase else replace(entity, phase=phase)
    if run.status is not Status.PAUSED and run.status not in _ENDED_BADLY:
        return entity
    phase = phase_of_status(run.status)
    below = entity.children
    if run.status.closed:
        left = _LEFT_BEHIND.get(run.status, Phase.CANCELLED)
        below = tuple(_ended(child, left, run, "parent workflow") for child in below)
    return replace(entity, children=below, phase=phase, overruled=_overrules(entity, phase))


def with_reported_state(row: Entity, word: Entity, status: Status) -> Entity:
    """Apply the reported state of a child workflow to its row, if consistent with its status."""
    row = replace(
        row,
        name=word.name if word.id else row.name,
        version=word.version,
        sequence=word.sequence,
        created_at=word.created_at or row.created_at,
        updated_at=(None if status.closed else word.updated_at) or row.updated_at,
        error=word.error,
        problem=word.problem,
        details={**word.details, **row.details},
    )
    if not word.state:
        return row
    if status is Status.RUNNING:
        word = replace(word, phase=phase_with_pending_work(row.type, word.state, word.phase))
    phase = _phase_after(status, word.phase)
    return replace(row, state=word.state, phase=phase, overruled=_overrules(word, phase))


def unreported_release(execution: Execution, problem: Problem) -> Release:
    """Return a release without reports, based on Temporal's data, with the reason."""
    name = release_name(execution.workflow_id)
    root = Entity(
        id=execution.workflow_id,
        type=EntityType.RELEASE,
        state=execution.status.lower(),
        phase=phase_of_status(execution.status),
        name=name,
        created_at=execution.began_at,
        updated_at=execution.closed_at,
        error=close_reason(execution.closing),
        problem=problem,
    )
    root, also_pending, other_runs = attach_pending(root, execution)
    return Release(execution, root, also_pending=also_pending, other_runs=other_runs)


def _phase_after(status: Status, said: Phase) -> Phase:
    if status in {Status.RUNNING, Status.UNKNOWN}:
        return said
    if status is Status.CONTINUED_AS_NEW:
        return Phase.UNKNOWN if said.unfinished else said
    if status is Status.COMPLETED and not said.unfinished and said is not Phase.UNKNOWN:
        # A workflow may end well and report a failed rollout as its result: that word is its last and stands.
        return said
    return phase_of_status(status)


def _ended(entity: Entity, left: Phase, ended: Execution, what: str = "release") -> Entity:
    """Return a row below an ended execution. Its own child workflow takes precedence."""
    run = entity.execution
    if run is not None and not run.status.closed and ended.closed_at and verified_running(run, ended.closed_at):
        # Rows below it without a workflow were last reported by the ended one.
        children = tuple(_ended(child, Phase.UNKNOWN, ended, what) for child in entity.children)
        return replace(entity, children=children, problem=left_running_problem(ended, what, entity.problem))
    phase = entity.phase
    if phase.unfinished:
        phase = _phase_after(run.status, phase) if run is not None and run.status.closed else left
    children = tuple(_ended(child, left, ended, what) for child in entity.children)
    return replace(entity, phase=phase, children=children, overruled=_overrules(entity, phase))


def _overrules(entity: Entity, phase: Phase) -> bool:
    return entity.overruled or (bool(entity.state) and phase is not entity.phase)
