"""What only the history tells: why a workflow task fails again and again, and why a run ended."""

from dataclasses import dataclass, replace

from cachetools import LRUCache

from dashboard.domain.entities import Execution, Failure, Status
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.errors import ASKING_ERRORS
from dashboard.temporal.failures import (
    is_reset,
    next_run_of,
    read_cancellation,
    read_closing,
    read_task_failure,
    read_time_out,
)
from dashboard.temporal.salvage import attempt

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


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: why, if not well, and the run that followed it by itself, as its next attempt or on schedule.

    One that was `reset` was ended for another to go on from a point in it, which it does not name.
    """

    closing: Failure | None = None
    next_run_id: str = ""
    reset: bool = False

    @property
    def followed(self) -> bool:
        """Whether another run stands for it, so that it is no release of its own."""
        return bool(self.next_run_id) or self.reset


class Endings:
    """Reads how runs ended, each once: an end never changes."""

    def __init__(self) -> None:
        self._known: LRUCache[str, Ending] = LRUCache(KEEP_CHARACTERS, _weight)
        self._brief: LRUCache[str, Ending] = LRUCache(KEEP_CHARACTERS, _weight)

    async def told(self, handle: Handle, execution: Execution, budget: Budget) -> Execution:
        """The execution with why it ended and what followed it, where it has ended."""
        ending = await self.of(handle, execution, budget)
        return replace(execution, closing=ending.closing, next_run_id=ending.next_run_id) if ending else execution

    async def of(self, handle: Handle, execution: Execution, budget: Budget) -> Ending | None:
        """How a run ended; None where it has not, or where that cannot be read now."""
        try:
            return await self.read(handle, execution, budget)
        except ASKING_ERRORS:
            return None  # The reason adds to what describe said; without it the release is still shown as ended.

    async def brief(self, handle: Handle, execution: Execution, budget: Budget) -> Ending | None:
        """The same as far as a row of a list has room for it; what was read once is remembered the longer."""
        if execution.run_id in self._brief:
            return self._brief[execution.run_id]
        ending = await self.of(handle, execution, budget)
        if ending is None:
            return None
        brief = replace(ending, closing=ending.closing and ending.closing.brief)
        self._brief[execution.run_id] = brief
        return brief

    async def read(self, handle: Handle, execution: Execution, budget: Budget) -> Ending | None:
        """How a run ended; None where it has not, or where it ended well and no schedule begins it anew.

        Raises one of ASKING_ERRORS.
        """
        if not _says_more(execution):
            return None
        if execution.run_id in self._known:
            return self._known[execution.run_id]
        async with budget.bounds():
            ending = await _ending(handle, execution.status, budget)
        if _weight(ending) <= KEEP_CHARACTERS:
            self._known[execution.run_id] = ending
        return ending


def _says_more(execution: Execution) -> bool:
    """Whether the last event of a run says more than its status."""
    if execution.status is Status.COMPLETED:
        # Only a schedule begins anew what ended well; each of its runs had to wait for its time.
        return execution.execution_time is not None and execution.execution_time > execution.started_at
    return execution.status in ENDED_FOR_A_REASON


async def _ending(handle: Handle, status: Status, budget: Budget) -> Ending:
    if status is Status.CANCELED:
        # The last event says no more than that it was cancelled.
        return Ending(read_cancellation(await handle.newest_events(budget, limit=NEWEST_EVENTS)))
    event = await handle.closing_event(budget)
    if event is None:
        return Ending()
    closing = read_time_out(await handle.describe(budget)) if status is Status.TIMED_OUT else read_closing(event)
    follows = attempt("The run that follows", lambda: next_run_of(event), lambda _: "")
    return Ending(closing, follows, reset=attempt("Why it ended", lambda: is_reset(event), lambda _: False))


def _weight(ending: Ending) -> int:
    closing = ending.closing
    return EACH_END + (sum(len(each.message) for each in (closing, *closing.causes)) if closing else 0)
