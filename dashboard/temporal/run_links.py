"""Links between runs of a workflow ID from `describe`, which lists do not have."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cachetools import LRUCache
from temporalio.service import RPCError

from dashboard.domain.entities import Execution
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS, is_not_found
from dashboard.temporal.excluded_runs import RunSpan
from dashboard.temporal.executions import read_description

MAX_KNOWN_RUN_LINKS = 20_000
# Seconds after which it is asked again whether a run that has ended was reset.
RESET_CHECK_INTERVAL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunLink:
    """The first run of its chain, and the start of the run that it was reset from, if any.

    `reset_run_id` is the run of the latest reset of this one; `read_at` is by the reader's clock.
    """

    first_run_id: str
    original_started_at: datetime | None
    reset_run_id: str
    read_at: float


class RunLinkReader:
    """Describes listed runs, once each, one instance per namespace.

    Runs with the same first run are one release, represented by the newest. Only an ended run may have been reset
    without this showing in its closing event.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: LRUCache[str, RunLink] = LRUCache(MAX_KNOWN_RUN_LINKS)
        # By workflow id and first run.
        self._newest: LRUCache[tuple[str, str], datetime] = LRUCache(MAX_KNOWN_RUN_LINKS)
        self._began: LRUCache[tuple[str, str], datetime | None] = LRUCache(MAX_KNOWN_RUN_LINKS)

    async def of(self, client: NamespaceClient, run: Execution, budget: Deadline) -> RunLink | None:
        """Return the links of a run; None if they cannot be read now."""
        return self._known.get(run.run_id) or await self.read(client, run, budget)

    async def read(self, client: NamespaceClient, run: Execution, budget: Deadline) -> RunLink | None:
        """Read the links again; None if they cannot be read."""
        try:
            async with budget.bounds():
                link = await self._described(client, run.workflow_id, run.run_id, budget)
                if run.status.closed and link.first_run_id != run.run_id and not link.reset_run_id:
                    await self._look_around(client, run, link, budget)
        except CALL_ERRORS:
            return None
        self._known[run.run_id] = link
        return link

    async def span(self, client: NamespaceClient, run: Execution, budget: Deadline) -> RunSpan | None:
        """Return the span of its chain; None if it cannot be read, or if it was reset from another run.

        After a reset of an ended run, other runs may lie in between.
        """
        try:
            async with budget.bounds():
                link = self._known.get(run.run_id) or await self._described(client, run.workflow_id, run.run_id, budget)
                self._known[run.run_id] = link
                key = run.workflow_id, link.first_run_id
                if key not in self._began:
                    self._began[key] = await self._start_of(client, *key, budget)
        except CALL_ERRORS:
            return None
        return None if link.original_started_at else RunSpan(*key, self._began[key], run.started_at)

    def age(self, run: Execution) -> float:
        """Return the seconds since an ended run was checked for resets; infinity if never."""
        link = self._known.get(run.run_id)
        return self._clock() - link.read_at if link else float("inf")

    def note(self, run: Execution) -> None:
        """Add a run that was described elsewhere."""
        if run.first_run_id:
            self._see(run, run.first_run_id)

    def is_followed(self, run: Execution) -> bool:
        """Return whether an ended run is known to be superseded."""
        link = self._known.get(run.run_id)
        if link is None or not run.status.closed:
            return False
        newest = self._newest.get((run.workflow_id, link.first_run_id), run.started_at)
        return bool(link.reset_run_id) or newest > run.started_at

    async def _look_around(self, client: NamespaceClient, run: Execution, link: RunLink, budget: Deadline) -> None:
        """Check the newest run of the ID and, if it is another release, the latest reset of the chain's first run."""
        newest = await self._described(client, run.workflow_id, "", budget)
        if newest.first_run_id == link.first_run_id:
            return
        first = await self._described(client, run.workflow_id, link.first_run_id, budget)
        if first.reset_run_id not in {"", run.run_id}:
            await self._described(client, run.workflow_id, first.reset_run_id, budget)

    async def _start_of(
        self, client: NamespaceClient, workflow_id: str, run_id: str, budget: Deadline
    ) -> datetime | None:
        """Return the start of a run; None if it was deleted."""
        try:
            raw = await client.get_workflow_handle(workflow_id, run_id=run_id).describe(budget)
        except RPCError as exc:
            if is_not_found(exc):
                return None
            raise
        return read_description(raw).started_at

    async def _described(self, client: NamespaceClient, workflow_id: str, run_id: str, budget: Deadline) -> RunLink:
        raw = await client.get_workflow_handle(workflow_id, run_id=run_id).describe(budget)
        run = read_description(raw)
        first_run_id = run.first_run_id or run.run_id
        self._see(run, first_run_id)
        reset_run_id = raw.workflow_extended_info.reset_run_id
        return RunLink(first_run_id, run.original_started_at, reset_run_id, self._clock())

    def _see(self, run: Execution, first_run_id: str) -> None:
        key = run.workflow_id, first_run_id
        self._newest[key] = max(run.started_at, self._newest.get(key, run.started_at))
