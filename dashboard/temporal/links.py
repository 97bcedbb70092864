"""What `describe` says of how a run hangs together with others of its workflow id, which a list does not know."""

from dataclasses import dataclass
from datetime import datetime

from cachetools import LRUCache

from dashboard.domain.entities import Execution
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.executions import read_description

KEEP = 20_000


@dataclass(frozen=True, slots=True)
class Link:
    """The run with which its chain began, and the start of the run that it was reset from, if it was."""

    first_run_id: str
    original_started_at: datetime | None


class Links:
    """Describes listed runs, each once: with what a run began never changes. One for each namespace."""

    def __init__(self) -> None:
        self._known: LRUCache[str, Link] = LRUCache(KEEP)

    async def of(self, client: Client, run: Execution, budget: Budget) -> Link | None:
        """Return how a run hangs together with others; None where that cannot be read now."""
        known = self._known.get(run.run_id)
        if known is not None:
            return known
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            async with budget.bounds():
                described = read_description(await handle.describe(budget))
        except ASKING_ERRORS:
            return None
        link = Link(described.first_run_id or run.run_id, described.original_started_at)
        self._known[run.run_id] = link
        return link
