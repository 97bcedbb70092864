"""What only the history tells: why a workflow task fails again and again, and why a run ended."""

from dataclasses import replace

from cachetools import LRUCache

from dashboard.domain.entities import Execution, Failure, Status
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.failures import read_cancellation, read_closing, read_task_failure, read_time_out

# Only the first of the failures is written to the history; what arrived since, such as signals, may stand after it.
NEWEST_EVENTS = 20
# Characters of all ends that are remembered, and what one counts beside its texts.
KEEP_CHARACTERS = 8_000_000
EACH_END = 500

ENDED_FOR_A_REASON = frozenset({Status.FAILED, Status.TERMINATED, Status.TIMED_OUT, Status.CANCELED})


async def with_task_failure(client: Client, execution: Execution, budget: Budget) -> Execution:
    """The execution with the reason why its workflow task fails, if it does; one more call then, and only then."""
    if execution.failing_task is None:
        return execution
    handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
    try:
        async with budget.bounds():
            events = await handle.newest_events(budget, limit=NEWEST_EVENTS)
    except ASKING_ERRORS:
        return execution  # The reason adds to what describe said; without it the attempts are still shown.
    return replace(execution, failing_task=replace(execution.failing_task, failure=read_task_failure(events)))


class Endings:
    """Reads why runs ended, each once: an end never changes."""

    def __init__(self) -> None:
        self._known: LRUCache[str, Failure | None] = LRUCache(KEEP_CHARACTERS, _weight)
        self._brief: LRUCache[str, Failure | None] = LRUCache(KEEP_CHARACTERS, _weight)

    async def of(self, handle: Handle, execution: Execution, budget: Budget) -> Failure | None:
        """Why a run ended; None where it ended well, or where that cannot be read now."""
        try:
            return await self.read(handle, execution, budget)
        except ASKING_ERRORS:
            return None  # The reason adds to what describe said; without it the release is still shown as ended.

    async def brief(self, handle: Handle, execution: Execution, budget: Budget) -> Failure | None:
        """The same as far as a row of a list has room for it; what was read once is remembered the longer."""
        if execution.run_id in self._brief:
            return self._brief[execution.run_id]
        if execution.status not in ENDED_FOR_A_REASON:
            return None
        try:
            closing = await self.read(handle, execution, budget)
        except ASKING_ERRORS:
            return None
        self._brief[execution.run_id] = closing and closing.brief
        return self._brief[execution.run_id]

    async def read(self, handle: Handle, execution: Execution, budget: Budget) -> Failure | None:
        """Why a run ended; None where it ended well or its last event does not say. Raises one of ASKING_ERRORS."""
        if execution.status not in ENDED_FOR_A_REASON:
            return None
        if execution.run_id in self._known:
            return self._known[execution.run_id]
        async with budget.bounds():
            closing = await _closing(handle, execution.status, budget)
        if _weight(closing) <= KEEP_CHARACTERS:
            self._known[execution.run_id] = closing
        return closing


async def _closing(handle: Handle, status: Status, budget: Budget) -> Failure | None:
    if status is Status.CANCELED:
        # The last event says no more than that it was cancelled.
        return read_cancellation(await handle.newest_events(budget, limit=NEWEST_EVENTS))
    if status is Status.TIMED_OUT:
        return read_time_out(await handle.describe(budget))
    event = await handle.closing_event(budget)
    return read_closing(event) if event else None


def _weight(failure: Failure | None) -> int:
    return EACH_END + (sum(len(each.message) for each in (failure, *failure.causes)) if failure else 0)
