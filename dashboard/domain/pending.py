"""Assign pending work of an execution to the rows of its tree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import is_

from dashboard.domain.entities import Attempt, ChildRun, Entity, Execution
from dashboard.domain.phases import Phase, phase_with_pending_work
from dashboard.domain.stable_ids import candidate_entity_ids


@dataclass(frozen=True, slots=True)
class _Pending:
    attempts: Mapping[str, Attempt]
    runs: Mapping[str, ChildRun]
    ids: frozenset[str]


def attach_pending(root: Entity, execution: Execution) -> tuple[Entity, tuple[Attempt, ...], tuple[ChildRun, ...]]:
    """Return the tree with activities and child workflows on their rows, and those without a row.

    An activity belongs to the entity with its ID; a child workflow to the one whose ID its ID equals or starts with. An
    app in state "running" is in progress while either is pending.
    """
    if not execution.attempts and not execution.child_runs:
        return root, (), ()
    rows = root.flattened()
    ids = {entity.id for entity in rows if entity.id}
    # A row that was drawn from, or joined with, its own child workflow is known by that, whatever the ids are.
    mapped = {entity.execution.workflow_id: entity.id for entity in rows if entity.execution}
    runs, others = _by_entity(execution.child_runs, ids, execution.workflow_id, mapped)
    also = tuple(attempt for activity_id, attempt in execution.attempts.items() if activity_id not in ids)
    pending = _Pending(execution.attempts, runs, frozenset([*execution.attempts, *runs]))
    return _with(root, pending), also, others


def _by_entity(
    runs: Iterable[ChildRun], ids: set[str], release_id: str, mapped: Mapping[str, str]
) -> tuple[dict[str, ChildRun], tuple[ChildRun, ...]]:
    found: dict[str, ChildRun] = {}
    others = []
    for run in sorted(runs, key=lambda run: (run.workflow_id not in mapped, run.workflow_id not in ids)):
        owner = mapped.get(run.workflow_id) or _owner(run.workflow_id, ids, release_id)
        if owner is None or owner in found:
            others.append(run)
        else:
            found[owner] = run
    return found, tuple(others)


def _owner(workflow_id: str, ids: set[str], release_id: str) -> str | None:
    """Return the longest entity ID that this workflow ID equals or starts with, with or without the release's part."""
    return next((name for name in candidate_entity_ids(workflow_id, release_id) if name in ids), None)


def _with(entity: Entity, pending: _Pending) -> Entity:
    ids = pending.ids
    children = tuple(
        [_with(child, pending) if child.children or child.id in ids else child for child in entity.children]
    )
    attempt, run = pending.attempts.get(entity.id), pending.runs.get(entity.id)
    same = all(map(is_, children, entity.children))
    if same and attempt is None and run is None:
        return entity
    phase = phase_with_pending_work(entity.type, entity.state, entity.phase) if attempt or run else entity.phase
    problem = entity.problem or (attempt.problem if attempt else None)
    # A row drawn from a child workflow has its own attempt already.
    attempt = attempt or entity.attempt
    entity = replace(entity, phase=phase, attempt=attempt, child_run=run, children=children, problem=problem)
    return pause_with_activity(entity)


def pause_with_activity(row: Entity) -> Entity:
    """Mark an unfinished row as paused if its activity is paused in Temporal."""
    held = row.attempt is not None and row.attempt.paused and (row.phase.unfinished or row.phase is Phase.UNKNOWN)
    return replace(row, phase=Phase.PAUSED) if held else row
