"""The truth rules: what Temporal knows of an execution beats what the rollout last said of itself."""

from dataclasses import replace

from dashboard.domain.entities import Entity, Execution, Release, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.pending import place
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem

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

# What becomes of rows that an ended execution left unfinished: nobody will finish them.
_LEFT_BEHIND = {Status.TERMINATED: Phase.TERMINATED, Status.TIMED_OUT: Phase.TERMINATED}


def phase_of_status(status: Status) -> Phase:
    """The phase of an execution by its status alone."""
    return _PHASES.get(status, Phase.UNKNOWN)


def judge(execution: Execution, said: Entity) -> Release:
    """Join what the rollout said of itself with what Temporal knows of its execution."""
    said, also_pending, other_runs = place(said, execution)
    children = tuple(settle(execution, child) for child in said.children)
    error = said.error or (execution.closing.message if execution.closing else None)
    root = replace(said, phase=_release_phase(execution.status, said.phase), children=children, error=error)
    return Release(execution, root, also_pending=also_pending, other_runs=other_runs)


def settle(execution: Execution, entity: Entity) -> Entity:
    """A part of a release as it really stands: nothing of an ended release is still unfinished."""
    if not execution.status.closed:
        return entity
    return _ended(entity, _LEFT_BEHIND.get(execution.status, Phase.CANCELLED))


def unanswered(execution: Execution, problem: Problem) -> Release:
    """A release whose own words are not known: it shows what Temporal knows, and why there is no more."""
    name = execution.workflow_id.partition(":")[2] or execution.workflow_id
    root = Entity(
        id=execution.workflow_id,
        type=EntityType.RELEASE,
        state=execution.status.lower(),
        phase=phase_of_status(execution.status),
        name=name,
        created_at=execution.started_at,
        updated_at=execution.closed_at,
        error=execution.closing.message if execution.closing else None,
        problem=problem,
    )
    root, also_pending, other_runs = place(root, execution)
    return Release(execution, root, also_pending=also_pending, other_runs=other_runs)


def _release_phase(status: Status, said: Phase) -> Phase:
    if status in {Status.RUNNING, Status.UNKNOWN}:
        return said
    if status is Status.COMPLETED and not said.unfinished and said is not Phase.UNKNOWN:
        # A workflow may end well and report a failed rollout as its result: that word is its last and stands.
        return said
    return phase_of_status(status)


def _ended(entity: Entity, left: Phase) -> Entity:
    phase = left if entity.phase.unfinished else entity.phase
    children = tuple(_ended(child, left) for child in entity.children)
    return replace(entity, phase=phase, children=children)
