"""Read how runs started from their first events, once each: they never change."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from cachetools import LRUCache
from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes

from dashboard.domain.children import scheduled_release
from dashboard.domain.entities import Execution, Initiator, Origin
from dashboard.domain.source import ReleaseReading
from dashboard.temporal.chain_start import FirstEventReader, chain_start
from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.decode import clean_text
from dashboard.temporal.errors import CALL_ERRORS
from dashboard.temporal.failures import read_failure
from dashboard.temporal.run_links import RunLinkReader
from dashboard.temporal.salvage import decode_or_replace, undecodable_problem

MAX_KNOWN_ORIGINS = 20_000
# How many origins are read per read, and how many concurrently.
MAX_ORIGINS_PER_READ = 40
MAX_CONCURRENT_ORIGIN_READS = 8
# How many pages of a reset run's history are read for what it kept.
MAX_RESET_HISTORY_PAGES = 5

_INITIATORS = {
    ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED: Initiator.START,
    ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_WORKFLOW: Initiator.CONTINUED_AS_NEW,
    ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_RETRY: Initiator.RETRY,
    ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE: Initiator.CRON,
}


class OriginReader:
    """Reads how runs started that follow another run or wait for their time."""

    def __init__(self, links: RunLinkReader | None = None) -> None:
        self._links = links or RunLinkReader()
        self._known: LRUCache[str, Origin] = LRUCache(MAX_KNOWN_ORIGINS)
        # By run id and length of the history, as more may have happened since.
        self._waiting: LRUCache[tuple[str, int | None], bool] = LRUCache(MAX_KNOWN_ORIGINS)

    async def told(self, client: NamespaceClient, run: Execution, budget: Deadline) -> Execution:
        """Add the origin to a run, with one more call on first read.

        A listed run is described for that once. A run that started before its scheduled time counts from its start.
        """
        if not run.first_run_id:
            link = await self._links.of(client, run, budget)
            if link is None:
                return replace(run, began_unread=True)
            run = replace(run, first_run_id=link.first_run_id, original_started_at=link.original_started_at)
        if not has_origin(run):
            return run
        if run.history_length and run.scheduled_for(datetime.now(UTC)) and not await self._waits(client, run, budget):
            run = replace(run, execution_time=run.started_at)
        origin = await self._of(client, run, budget)
        return _with_origin(run, origin) if origin else replace(run, began_unread=True)

    async def of(self, client: NamespaceClient, runs: Iterable[Execution], budget: Deadline) -> dict[str, Origin]:
        """Return the origins of these runs by run ID, within the limit per read."""
        runs = list(runs)
        unread = [run for run in runs if run.run_id not in self._known][:MAX_ORIGINS_PER_READ]
        gate = asyncio.Semaphore(MAX_CONCURRENT_ORIGIN_READS)

        async def read(run: Execution) -> None:
            async with gate:
                await self._of(client, run, budget)

        await asyncio.gather(*map(read, unread))
        return {run.run_id: self._known[run.run_id] for run in runs if run.run_id in self._known}

    async def _of(self, client: NamespaceClient, run: Execution, budget: Deadline) -> Origin | None:
        if run.run_id in self._known:
            return self._known[run.run_id]
        try:
            async with budget.bounds():
                origin = await self._read(client, run, budget)
        except CALL_ERRORS:
            return None  # It adds to what describe said; the statuses of the runs before it say most of it.
        except Exception as exc:  # noqa: BLE001 - logged with its stack; no other run has to do with it
            undecodable_problem("How this execution began", exc)
            return None
        if origin:
            self._known[run.run_id] = origin
        return origin

    async def _read(self, client: NamespaceClient, run: Execution, budget: Deadline) -> Origin | None:
        events = FirstEventReader(client, run.workflow_id, budget)
        event = await events.of(run.run_id)
        if event is None:
            return None
        began = event.workflow_execution_started_event_attributes
        origin = decode_or_replace("How this execution began", lambda: decode_origin(began), lambda _: None)
        if origin is None:
            return None
        origin = replace(origin, began_at=await chain_start(events, event, self._began_at))
        if began.original_execution_run_id in {"", run.run_id}:
            return origin
        # A reset run has the first event of the run that it was reset from, and its own number nowhere in it.
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        return _with_reset(origin, [event async for event in handle.history(budget, pages=MAX_RESET_HISTORY_PAGES)])

    def _began_at(self, run_id: str) -> datetime | None:
        known = self._known.get(run_id)
        return known.began_at if known else None

    async def _waits(self, client: NamespaceClient, run: Execution, budget: Deadline) -> bool:
        """Return whether a described run is really waiting: a server may start it early.

        Received signals wait with it.
        """
        if run.history_length == 1:
            return True
        key = run.run_id, run.history_length
        if key not in self._waiting:
            handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            try:
                async with budget.bounds():
                    events = [event async for event in handle.history(budget, pages=1)]
            except CALL_ERRORS:
                return True
            self._waiting[key] = not any(map(_is_first_task, events))
        return self._waiting[key]


def scheduled_reading(run: Execution) -> ReleaseReading | None:
    """Return the read of a scheduled release, which cannot be queried; None for others."""
    if run.scheduled_for(datetime.now(UTC)) is None:
        return None
    return ReleaseReading(run, said=scheduled_release(run), digest="scheduled", scheduled=True)


def has_origin(run: Execution) -> bool:
    """Return whether a run follows another run or waits for its time: schedule, delay, or retry."""
    waits = run.execution_time is not None and run.execution_time > run.started_at
    return waits or run.original_started_at is not None or run.first_run_id not in {"", run.run_id}


def _with_origin(run: Execution, origin: Origin) -> Execution:
    """Add the origin to a run; in a chain, work started with its first run."""
    earlier = origin.began_at is not None and origin.began_at < run.started_at
    first = origin.began_at if earlier else run.original_started_at
    return replace(run, origin=origin, original_started_at=first)


def decode_origin(began: WorkflowExecutionStartedEventAttributes) -> Origin:
    """Decode how a run started from its first event."""
    initiator = _INITIATORS.get(began.initiator, Initiator.UNKNOWN)
    before = began.continued_execution_run_id
    return Origin(
        initiator=initiator,
        attempt=max(began.attempt, 1),
        before=before,
        failure=read_failure(began.continued_failure).brief if began.HasField("continued_failure") else None,
        cron=clean_text(began.cron_schedule),
        continues=before if initiator is Initiator.CONTINUED_AS_NEW else "",
    )


def _with_reset(origin: Origin, events: list[HistoryEvent]) -> Origin:
    """Return the origin of a reset run: the preceding run, the reason, and the kept child workflows."""
    resets = [at for at, event in enumerate(events) if _is_reset(event)]
    origin = replace(origin, initiator=Initiator.RESET, failure=None)
    if not resets:
        return origin
    failed = events[resets[-1]].workflow_task_failed_event_attributes
    kept = (event.child_workflow_execution_started_event_attributes for event in events[: resets[-1]])
    return replace(
        origin,
        before=failed.base_run_id,
        reason=clean_text(failed.failure.message),
        kept=frozenset(started.workflow_execution.run_id for started in kept) - {""},
    )


def _is_reset(event: HistoryEvent) -> bool:
    cause = event.workflow_task_failed_event_attributes.cause
    return cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW


def _is_first_task(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
