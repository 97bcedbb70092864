"""The door to Temporal, faked for the tests of what stands behind it."""

import threading
from collections.abc import Mapping
from dataclasses import replace

from dashboard.domain.entities import Entity, Status
from dashboard.domain.filters import Slice
from dashboard.domain.source import Fingerprint, Listing, Reading, RunEntity, Search
from tests.rollout_makers import entity, execution, release

ROWS = [entity(f"wave:w{number}", "in_progress") for number in range(10)]


class FakeSource:
    """A source in place of Temporal: every release is there, in this state.

    With an `answer`, that is what every release says, or what asking for one raises. While `gate` is not set, nothing
    comes.
    """

    def __init__(self) -> None:
        self.state = "deploying"
        self.status = Status.RUNNING
        self.answer: Reading | Exception | None = None
        self.reads = 0
        self.gate = threading.Event()
        self.gate.set()

    async def read(
        self,
        release_id: str,
        known: Reading | None,
        budget: float,
        *,
        run_id: str | None = None,
        opened: frozenset[str] = frozenset(),
    ) -> Reading:
        self.reads += 1
        assert self.gate.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer:
            return self.answer
        run = execution(self.status, workflow_id=release_id, run_id=f"run of {release_id}")
        said = release(release_id, self.state, *(replace(row) for row in ROWS))
        fingerprint = Fingerprint(run.run_id, run.status, run.history_length) if known else None
        return Reading(run, said=said, digest=self.state, fingerprint=fingerprint)

    async def page(
        self,
        asked: Slice,
        known: Mapping[tuple[str, str], Reading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: Listing | None = None,
    ) -> Listing:
        return Listing((await self.read(f"release:{asked.filter.q}", None, budget),), {Status.RUNNING: 1})

    async def row(
        self, workflow_id: str, run_id: str, known: Reading | None, budget: float, *, deep: bool = True
    ) -> Reading:
        return await self.read(workflow_id, known, budget, run_id=run_id)

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> Search:
        reading = await self.read(f"release:with-{entity_id}", None, budget)
        return Search(((reading.execution, entity(entity_id, self.state)),), 1)
