"""How the releases of a list stand, each asked for its own state alone."""

import asyncio
from dataclasses import replace

from dashboard.domain.entities import Entity, Execution, Status, brief_entity
from dashboard.domain.entity_map import EntityMap
from dashboard.domain.execution_problem import problem_of
from dashboard.domain.problems import Problem
from dashboard.domain.source import Reading
from dashboard.temporal.budget import Budget
from dashboard.temporal.busy import reason_of
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.history import Endings
from dashboard.temporal.origins import Origins, waiting
from dashboard.temporal.query_shape import RELEASE_STATE, ask_release
from dashboard.temporal.reading import Told, alone, described, is_wordless
from dashboard.temporal.release_reading import reading_of
from dashboard.temporal.salvage import undecodable

# How long one more call may take after the time for queries is up, in seconds: less than what is kept back.
LAST_CALL = 0.1


class ReleaseStates:
    """Asks releases how they stand. What never changes of a run is remembered with the others of its namespace."""

    def __init__(self, entity_map: EntityMap, endings: Endings, origins: Origins) -> None:
        self._map = entity_map
        self._endings = endings
        self._origins = origins

    async def read(self, client: Client, run: Execution, known: Reading | None, budget: Budget) -> Reading:
        """Read how one row of a list stands. Whatever goes wrong with it is a gap of its own."""
        if known is not None:
            return known
        try:
            return await self._asked(client, run, budget)
        except Exception as exc:  # noqa: BLE001 - logged with its stack; the other rows have nothing to do with it
            return Reading(run, problem=undecodable("This release", exc))

    async def _asked(self, client: Client, run: Execution, budget: Budget) -> Reading:
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        if run.status is Status.PAUSED:
            # No query is passed on to it; by whom it was paused, a list does not tell.
            run = await self._origins.told(client, await described(handle, run, budget), budget)
            return Reading(run, problem=problem_of(run))
        if waiting(run):
            seen = await self._origins.told(client, await described(handle, run, budget), budget)
            if scheduled := waiting(seen):
                return scheduled
        telling = asyncio.ensure_future(self._origins.told(client, run, budget))
        ending = asyncio.ensure_future(self._endings.brief(handle, run, budget))
        try:
            answer = await ask_release(handle, RELEASE_STATE, budget, run.task_queue)
            reading = await self._said(handle, await telling, answer, budget)
            ended = await ending
            return replace(reading, execution=replace(reading.execution, closing=ended.closing if ended else None))
        finally:
            telling.cancel()
            ending.cancel()

    async def _said(
        self, handle: Handle, run: Execution, answer: tuple[Entity, str] | Problem, budget: Budget
    ) -> Reading:
        if not isinstance(answer, Problem):
            said, digest = answer
            return reading_of(run, Told(brief_entity(self._map.reword(said)), digest), None)
        wordless = await is_wordless(handle, answer, budget)
        if wordless:
            return reading_of(run, alone(run, wordless), None)
        # The query may have taken all the time that there was for it.
        return reading_of(run, await reason_of(handle, run, answer, Budget.of(LAST_CALL)), None)
