"""Read failure and closing reasons from event histories."""

from dataclasses import dataclass, replace

from cachetools import LRUCache

from dashboard.domain.entities import Execution, Failure, Status
from dashboard.temporal.client import NamespaceClient, RunHandle
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.errors import CALL_ERRORS
from dashboard.temporal.failures import (
    is_reset,
    next_run_of,
    read_cancellation,
    read_closing,
    read_task_failure,
    read_timeout,
)
from dashboard.temporal.salvage import decode_or_replace

# Only the first of the failures is written to the history; what arrived since, such as signals, may stand after it.
NEWEST_EVENTS_READ = 20
# Characters of all ends that are remembered, and what one counts beside its texts.
RUN_ENDING_CACHE_LENGTH = 8_000_000
RUN_ENDING_BASE_LENGTH = 500

UNSUCCESSFUL_STATUSES = frozenset({Status.FAILED, Status.TERMINATED, Status.TIMED_OUT, Status.CANCELED})


async def with_task_failure(client: NamespaceClient, execution: Execution, budget: Deadline) -> Execution:
    """Add why the workflow task fails, with one more call if it does."""
    if execution.failing_task is None:
        return execution
    handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
    try:
        async with budget.bounds():
            events = await handle.newest_events(budget, limit=NEWEST_EVENTS_READ)
    except CALL_ERRORS:
        return execution  # The reason adds to what describe said; without it the attempts are still shown.
    return replace(execution, failing_task=replace(execution.failing_task, failure=read_task_failure(events)))


@dataclass(frozen=True, slots=True)
class RunEnding:
    """How a run ended: the reason of a failure, and the run that followed it by retry or schedule.

    A `reset` run was ended for another run to continue from a point in it, which it does not name.
    """

    closing: Failure | None = None
    next_run_id: str = ""
    reset: bool = False

    @property
    def followed(self) -> bool:
        """Return whether it is superseded by another run."""
        return bool(self.next_run_id) or self.reset


class RunEndingReader:
    """Reads how runs ended, once each: endings never change."""

    def __init__(self) -> None:
        self._known: LRUCache[str, RunEnding] = LRUCache(RUN_ENDING_CACHE_LENGTH, _weight)
        self._brief: LRUCache[str, RunEnding] = LRUCache(RUN_ENDING_CACHE_LENGTH, _weight)

    async def told(self, handle: RunHandle, execution: Execution, budget: Deadline) -> Execution:
        """Add to an ended execution why it ended and what followed."""
        ending = await self.of(handle, execution, budget)
        return replace(execution, closing=ending.closing, next_run_id=ending.next_run_id) if ending else execution

    async def of(self, handle: RunHandle, execution: Execution, budget: Deadline) -> RunEnding | None:
        """Return how a run ended; None if it has not, or if it cannot be read now."""
        try:
            return await self.read(handle, execution, budget)
        except CALL_ERRORS:
            return None  # The reason adds to what describe said; without it the release is still shown as ended.

    async def brief(self, handle: RunHandle, execution: Execution, budget: Deadline) -> RunEnding | None:
        """Return how a run ended with truncated texts, which are cached for longer."""
        if execution.run_id in self._brief:
            return self._brief[execution.run_id]
        ending = await self.of(handle, execution, budget)
        if ending is None:
            return None
        brief = replace(ending, closing=ending.closing and ending.closing.brief)
        self._brief[execution.run_id] = brief
        return brief

    async def read(self, handle: RunHandle, execution: Execution, budget: Deadline) -> RunEnding | None:
        """Return how a run ended; None if it has not, or if it succeeded without a schedule.

        Raises one of ASKING_ERRORS.
        """
        if not _says_more(execution):
            return None
        if execution.run_id in self._known:
            return self._known[execution.run_id]
        async with budget.bounds():
            ending = await _ending(handle, execution.status, budget)
        if _weight(ending) <= RUN_ENDING_CACHE_LENGTH:
            self._known[execution.run_id] = ending
        return ending


def _says_more(execution: Execution) -> bool:
    """Return whether the closing event has more information than the status."""
    if execution.status is Status.COMPLETED:
        # Only a schedule starts again what ended well; each of its runs had to wait for its time.
        return execution.execution_time is not None and execution.execution_time > execution.started_at
    return execution.status in UNSUCCESSFUL_STATUSES


async def _ending(handle: RunHandle, status: Status, budget: Deadline) -> RunEnding:
    if status is Status.CANCELED:
        # The last event says no more than that it was cancelled.
        return RunEnding(read_cancellation(await handle.newest_events(budget, limit=NEWEST_EVENTS_READ)))
    event = await handle.closing_event(budget)
    if event is None:
        return RunEnding()
    closing = read_timeout(await handle.describe(budget)) if status is Status.TIMED_OUT else read_closing(event)
    follows = decode_or_replace("The run that follows", lambda: next_run_of(event), lambda _: "")
    return RunEnding(
        closing, follows, reset=decode_or_replace("Why it ended", lambda: is_reset(event), lambda _: False)
    )


def _weight(ending: RunEnding) -> int:
    closing = ending.closing
    return RUN_ENDING_BASE_LENGTH + (sum(len(each.message) for each in (closing, *closing.causes)) if closing else 0)
