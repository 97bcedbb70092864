"""The door to Temporal, faked for the tests of what stands behind it."""

import threading
from collections.abc import Mapping
from dataclasses import replace

from dashboard.domain.entities import Entity, Status
from dashboard.domain.filters import PageRequest
from dashboard.domain.source import EntitySearchResult, Fingerprint, ReleaseListing, ReleaseReading, RunEntity
from tests.support.rollout_makers import entity, execution, release

ROWS = [entity(f"wave:w{number}", "in_progress") for number in range(10)]


class FakeSource:
    """A source in place of Temporal: every release is there, in this state.

    With an `answer`, that is what every release says, or what asking for one raises. While `gate` is not set, nothing
    comes.
    """

    def __init__(self) -> None:
        self.state = "deploying"
        self.status = Status.RUNNING
        self.answer: ReleaseReading | Exception | None = None
        self.reads = 0
        self.gate = threading.Event()
        self.gate.set()

    async def read(
        self,
        release_id: str,
        known: ReleaseReading | None,
        budget: float,
        *,
        run_id: str | None = None,
        opened: frozenset[str] = frozenset(),
    ) -> ReleaseReading:
        self.reads += 1
        assert self.gate.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer:
            return self.answer
        run = execution(self.status, workflow_id=release_id, run_id=f"run of {release_id}")
        said = release(release_id, self.state, *(replace(row) for row in ROWS))
        fingerprint = Fingerprint(run.run_id, run.status, run.history_length) if known else None
        return ReleaseReading(run, said=said, digest=self.state, fingerprint=fingerprint)

    async def page(
        self,
        asked: PageRequest,
        known: Mapping[tuple[str, str], ReleaseReading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: ReleaseListing | None = None,
    ) -> ReleaseListing:
        return ReleaseListing((await self.read(f"release:{asked.filter.q}", None, budget),), {Status.RUNNING: 1})

    async def row(
        self, workflow_id: str, run_id: str, known: ReleaseReading | None, budget: float, *, deep: bool = True
    ) -> ReleaseReading:
        return await self.read(workflow_id, known, budget, run_id=run_id)

    async def search(
        self, entity_id: str, limit: int, known: Mapping[RunEntity, Entity | None], budget: float
    ) -> EntitySearchResult:
        reading = await self.read(f"release:with-{entity_id}", None, budget)
        return EntitySearchResult(((reading.execution, entity(entity_id, self.state)),), 1)
