"""Search for an entity in many releases by query or by child workflows."""

import asyncio
from collections.abc import Mapping, Sequence

from dashboard.domain.entities import Entity, Execution, truncate_entity
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.ids import parse_entity_id
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.source import RunEntity
from dashboard.domain.stable_ids import id_in_release, stable_id
from dashboard.temporal.child_reader import ChildReader, with_pending_work
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.origins import scheduled_reading
from dashboard.temporal.queries import HIERARCHY_QUERY, query_entity, query_release
from dashboard.temporal.salvage import undecodable_problem, undecodable_row


class EntitySearch:
    """Searches several runs for an entity within one deadline."""

    def __init__(self, client: NamespaceClient, entity_map: EntityMap, children: ChildReader, budget: Deadline) -> None:
        self._client = client
        self._map = entity_map
        self._children = children
        self._budget = budget

    async def find(
        self, entity_id: str, runs: Sequence[Execution], known: Mapping[RunEntity, Entity | None]
    ) -> list[Entity | None]:
        """Return the result of each run: the entity, None, or a gap."""
        entity_type = parse_entity_id(entity_id).type
        # The id may have the part of one of these releases in it: each of the others then has it with its own.
        of = next((run.workflow_id for run in runs if stable_id(entity_id, run.workflow_id) != entity_id), "")

        async def ask(run: Execution) -> Entity | None:
            if (run.run_id, entity_id) in known:
                return known[run.run_id, entity_id]
            try:
                return await self._ask(run, id_in_release(entity_id, of, run.workflow_id) if of else entity_id)
            except Exception as exc:  # noqa: BLE001 - logged with its stack; the others have nothing to do with it
                return undecodable_row(entity_id, entity_type, undecodable_problem("The response of this release", exc))

        return await asyncio.gather(*map(ask, runs))

    async def _ask(self, run: Execution, entity_id: str) -> Entity | None:
        if scheduled_reading(run):
            return None
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        entity = await query_entity(handle, entity_id, parse_entity_id(entity_id).type, self._budget, run.task_queue)
        if entity and entity.problem and entity.problem.code is ProblemCode.QUERY_UNKNOWN:
            # It may support only the query of the full hierarchy.
            whole = await query_release(handle, HIERARCHY_QUERY, self._budget, run.task_queue)
            if not isinstance(whole, Problem):
                root = self._map.reword(whole[0])
                if not root.children:
                    return await self._children.find_listed(handle, entity)
                entity = next((row for row in root.flattened() if row.id == entity_id), None)
        if entity is None or entity.problem is None:
            return entity and await with_pending_work(handle, truncate_entity(self._map.reword(entity)), self._budget)
        return await self._children.find(handle, entity)
