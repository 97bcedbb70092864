"""Build the rows of a release from its child workflows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import JsonValue

from dashboard.domain.child_details import verified_running, with_child_details
from dashboard.domain.child_runs import ChildExecution, ChildListing, children_of_release, retry_attempt
from dashboard.domain.entities import Entity, Execution, Initiator, Origin, Status, continued_runs
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.graph import ExecutionNode, build_tree, with_unknown_type
from dashboard.domain.ids import EntityType, release_name
from dashboard.domain.pending import pause_with_activity
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import phase_of_status, with_reported_state
from dashboard.domain.stable_ids import candidate_entity_ids, stable_id

# The state of releases with a start in the future.
SCHEDULED_STATE = "scheduled"
# A longer list would be more than a page, or a person, can take.
MAX_CHILD_WORKFLOWS = 20_000


def release_from_execution(release: Execution) -> Entity:
    """Return a release based on its execution only."""
    return _row(release, EntityType.RELEASE, release.workflow_id)


def scheduled_release(release: Execution) -> Entity:
    """Return a scheduled release that has not started."""
    return replace(
        _waiting(release_from_execution(release)), created_at=release.started_at, updated_at=release.started_at
    )


def tree_from_children(
    release: Execution, children: ChildListing, entity_map: EntityMap, now: datetime | None = None
) -> Entity:
    """Return a release without own reports, with its child workflows as rows in start order.

    With `now` (UTC), child workflows that were not described recently are marked with their time.
    """
    newest: dict[str, ChildExecution] = {}
    older: list[ChildExecution] = []
    earlier: dict[str, list[Execution]] = {}
    for child in children_of_release(release, children.listed):
        if newest.setdefault(child.execution.workflow_id, child) is not child:
            older.append(child)
            earlier.setdefault(child.execution.workflow_id, []).append(child.execution)
    kept = [_since_first(child, earlier) for child in reversed(newest.values())]
    nodes = [_node(child, release, entity_map, children, now) for child in (*kept, *older)]
    top = _worded(release_from_execution(release), release, children)
    root = build_tree(top, release.workflow_id, nodes, limit=MAX_CHILD_WORKFLOWS, more=children.more)
    return _still_listed(root, release, (children.latest(child) for child in kept))


def _still_listed(root: Entity, release: Execution, runs: Iterable[Execution]) -> Entity:
    """Add to an ended release how many of its workflows are listed as running and not verified yet."""
    ended_at = release.closed_at
    if ended_at is None:
        return root
    listed = sum(not run.status.closed and not verified_running(run, ended_at) for run in runs)
    if not listed:
        return root
    text = (
        f"The release has ended, and Temporal still lists {listed:,} of its workflows as running: "
        "they were left behind, or the list is a few seconds late. The dashboard is checking each of them."
    )
    return replace(root, problem=Problem(ProblemCode.LAGGING, text))


def _since_first(child: ChildExecution, earlier: Mapping[str, Sequence[Execution]]) -> ChildExecution:
    """Return a child workflow with the start of its continue-as-new chain."""
    runs = earlier.get(child.execution.workflow_id)
    before = continued_runs(child.execution, runs) if runs else ()
    if not before:
        return child
    return replace(child, execution=replace(child.execution, original_started_at=before[-1].began_at))


def possible_retries(release: Execution, children: ChildListing, limit: int) -> list[Execution]:
    """Return the newest runs of child workflows that follow another run without continuing it, or that are scheduled.

    Their first events tell whether they are retries. Running ones come first.
    """
    newest: dict[str, Execution] = {}
    found: dict[str, Execution] = {}
    for child in children_of_release(release, children.listed):
        run = child.execution
        latest = newest.setdefault(run.workflow_id, run)
        waits = run.execution_time is not None and run.execution_time > run.started_at
        if not latest.status.closed and (waits if latest is run else run.status is not Status.CONTINUED_AS_NEW):
            found[latest.run_id] = latest
    return list(found.values())[:limit]


def find_child_row(release: Execution, children: ChildListing, entity_id: str, entity_map: EntityMap) -> Entity | None:
    """Return the row of an entity from its newest child workflow run, with parent and child IDs.

    An ID without the release's own part also finds the row whose ID has it.
    """
    own = children_of_release(release, children.listed)
    nodes = [_named(_node(child, release, entity_map)) for child in own]
    exact = (at for at, node in enumerate(nodes) if node.row.id == entity_id)
    alike = (at for at, node in enumerate(nodes) if stable_id(node.row.id, release.workflow_id) == entity_id)
    at = next(exact, next(alike, None))
    if at is None:
        return None
    found = nodes[at]
    below = dict.fromkeys(node.row.id for node in reversed(nodes) if node.parent == found.id)
    return replace(found.row, parent_id=_parent_id(found, release, entity_map), child_ids=tuple(below))


def _named(node: ExecutionNode) -> ExecutionNode:
    """Return a node whose row has its ID in the tree."""
    return node if node.known else replace(node, row=with_unknown_type(node.row))


def _parent_id(node: ExecutionNode, release: Execution, entity_map: EntityMap) -> str:
    """Return the ID of a row's parent if the parent's workflow ID determines it."""
    parent = node.parent or ""
    if parent == release.workflow_id:
        return parent
    entity = entity_of(parent, "", release.workflow_id, entity_map)
    return entity[1] if entity else ""


@dataclass(frozen=True, slots=True)
class StateReporter:
    """A run that may report the state of its entity."""

    run: Execution
    type: EntityType
    entity_id: str


def state_reporters(release: Execution, children: ChildListing, entity_map: EntityMap) -> list[StateReporter]:
    """Return the release and the newest runs of child workflows with a known entity."""
    found = {release.workflow_id: StateReporter(release, EntityType.RELEASE, release.workflow_id)}
    for child in children_of_release(release, children.listed):
        run = child.execution
        entity = entity_of(run.workflow_id, run.workflow_type, release.workflow_id, entity_map)
        if entity and not children.is_scheduled(run):
            found.setdefault(run.workflow_id, StateReporter(run, *entity))
    return list(found.values())


def _node(
    child: ChildExecution,
    release: Execution,
    entity_map: EntityMap,
    children: ChildListing | None = None,
    now: datetime | None = None,
) -> ExecutionNode:
    run = children.latest(child) if children else child.execution
    if child.execution.original_started_at:
        run = replace(run, original_started_at=child.execution.original_started_at)
    entity = entity_of(run.workflow_id, run.workflow_type, release.workflow_id, entity_map)
    entity_type, entity_id = entity or (EntityType.APP, run.workflow_id)
    row = _row(run, entity_type, entity_id)
    if entity:
        row = replace(row, name=stable_id(entity_id, release.workflow_id).partition(":")[2])
    if children:
        row = _waiting(row) if children.is_scheduled(run) else _worded(row, run, children)
        origin = children.origins.get(run.run_id)
        tried = retry_attempt(run, origin, children.asked_at)
        row = _after_its_last_run(row, origin) if origin and row.phase is Phase.PENDING else row
        row = _before_its_attempt(row, run, children) if tried else row
        row = with_child_details(row, run, now, tried)
        row = pause_with_activity(row) if row.attempt else row
    return ExecutionNode(run.workflow_id, child.parent_id, row, known=entity is not None)


def _after_its_last_run(row: Entity, origin: Origin) -> Entity:
    """Add to a scheduled run how the preceding run failed, if it did."""
    if origin.initiator is not Initiator.CRON or origin.failure is None or row.error:
        return row
    return replace(row, error=f"Last run failed: {origin.failure.root_cause.line}")


def _before_its_attempt(row: Entity, run: Execution, children: ChildListing) -> Entity:
    """Return the row of a run that waits for its next attempt, without times in the future."""
    if children.asked_at is None or run.scheduled_for(children.asked_at) is None:
        return row
    return replace(row, created_at=run.started_at, updated_at=run.started_at)


def _waiting(row: Entity) -> Entity:
    return replace(row, state=SCHEDULED_STATE, phase=Phase.PENDING)


def entity_of(
    workflow_id: str, workflow_type: str, release_id: str, entity_map: EntityMap
) -> tuple[EntityType, str] | None:
    """Return the type and the entity ID of a child workflow, or None if unknown.

    The release's own part at the start of the ID is ignored before the workflow type is considered.
    """
    found = entity_map.entity_of(workflow_id, workflow_type)
    if found and found[1] == workflow_id:
        return found
    plain = stable_id(workflow_id, release_id)
    return found if plain == workflow_id else entity_map.entity_of(plain, workflow_type)


def _worded(row: Entity, run: Execution, children: ChildListing) -> Entity:
    word = children.words.get(run.run_id)
    return with_reported_state(row, word.said, run.status) if word and word.said else row


def _row(run: Execution, entity_type: EntityType, entity_id: str) -> Entity:
    details: dict[str, JsonValue] = {}
    name = release_name(entity_id)
    if entity_type is not EntityType.RELEASE:
        name = entity_id.partition(":")[2] or entity_id
        details = {"workflow_id": run.workflow_id, "workflow_type": run.workflow_type, "run_id": run.run_id}
    return Entity(
        id=entity_id,
        type=entity_type,
        state=run.status.lower(),
        phase=phase_of_status(run.status),
        name=name,
        created_at=run.began_at,
        updated_at=run.closed_at or max(run.started_at, run.began_at),
        details=details,
        execution=None if entity_type is EntityType.RELEASE else run,
    )


def runs_by_row(
    release: Execution, children: ChildListing, said: Entity, entity_map: EntityMap
) -> dict[str, Execution]:
    """Return the newest child workflow of each reported row."""
    known = {row.id for row in said.walk() if row.id} - {said.id}
    found: dict[str, Execution] = {}
    for child in children_of_release(release, children.listed):
        run = children.latest(child)
        entity_id = next((name for name in _names(run, release, entity_map) if name in known), None)
        if entity_id:
            found.setdefault(entity_id, run)
    return found


def _names(run: Execution, release: Execution, entity_map: EntityMap) -> Iterator[str]:
    """Yield the entity IDs that a workflow may represent, most likely first."""
    yield run.workflow_id
    entity = entity_of(run.workflow_id, run.workflow_type, release.workflow_id, entity_map)
    yield from candidate_entity_ids(entity[1] if entity else run.workflow_id, release.workflow_id)
