"""When the first of the runs began that continue one another: in few calls, and as far as the runs are still there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.api.common.v1 import RetryPolicy
from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.service import RPCError, RPCStatusCode

from dashboard.domain.entities import Execution
from dashboard.temporal.chain_start import MAX_CHAIN_RUNS, FirstEventReader, chain_start
from dashboard.temporal.deadline import Deadline
from dashboard.temporal.origins import OriginReader
from tests.support.rollout_makers import execution
from tests.support.waiting import in_a_loop

BEGIN = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
BEGUN_BY = ContinueAsNewInitiator


def began(number: int, *, retried: bool = False, by: int | None = None, delay: int = 0) -> HistoryEvent:
    """The first event of a run of one chain, an hour after that before it."""
    event = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    event.event_time.FromDatetime(hour(number))
    attributes = event.workflow_execution_started_event_attributes
    attributes.first_execution_run_id = "run-0"
    attributes.first_workflow_task_backoff.FromSeconds(delay)
    if number:
        attributes.continued_execution_run_id = f"run-{number - 1}"
        attributes.initiator = BEGUN_BY.CONTINUE_AS_NEW_INITIATOR_WORKFLOW if by is None else by  # type: ignore[assignment]
    if retried:
        attributes.retry_policy.CopyFrom(RetryPolicy(maximum_attempts=3))
    return event


def hour(number: int) -> datetime:
    return BEGIN + timedelta(hours=number)


class Door:
    """Temporal, as far as it tells how these runs began."""

    def __init__(self, *events: HistoryEvent, first: int = 0) -> None:
        self.events = {f"run-{number}": event for number, event in enumerate(events, first)}
        self.asked: list[str] = []

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> Any:
        return Run(self, run_id)


class Run:
    def __init__(self, door: Door, run_id: str) -> None:
        self.door, self.run_id = door, run_id

    async def first_event(self, budget: Deadline) -> HistoryEvent:
        self.door.asked.append(self.run_id)
        if self.run_id not in self.door.events:
            raise RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND, b"")
        return self.door.events[self.run_id]


def start_of(door: Door, run_id: str, known: Callable[[str], datetime | None] = lambda _: None) -> datetime | None:
    found: list[datetime | None] = []

    async def look() -> None:
        client: Any = door
        found.append(
            await chain_start(FirstEventReader(client, "release:r", Deadline.of(5)), door.events[run_id], known)
        )

    in_a_loop(look)
    return found[0]


def test_a_long_chain_costs_one_call():
    door = Door(*(began(number) for number in range(300)))
    assert start_of(door, "run-299") == hour(0)
    assert door.asked == ["run-0"]


def test_a_run_that_continues_none_began_when_its_delay_was_over():
    door = Door(began(0, delay=60))
    assert start_of(door, "run-0") == hour(0) + timedelta(minutes=1)
    assert door.asked == []


def test_where_the_first_run_is_deleted_the_oldest_that_is_left_is_gone_back_to():
    door = Door(*(began(number) for number in range(4, 8)), first=4)
    assert start_of(door, "run-7") == hour(4)
    assert start_of(door, "run-7", {"run-6": hour(2)}.get) == hour(2), "which was found out before it was deleted"


@pytest.mark.parametrize("by", ["RETRY", "CRON_SCHEDULE"])
def test_what_a_retry_or_a_schedule_began_anew_counts_from_its_own_start(by: str):
    anew = began(2, retried=True, by=BEGUN_BY.Value(f"CONTINUE_AS_NEW_INITIATOR_{by}"))
    others = (began(number, retried=True) for number in (3, 4))
    door = Door(began(0, retried=True), began(1, retried=True), anew, *others)
    assert start_of(door, "run-4") == hour(2)
    assert "run-0" not in door.asked


def test_of_a_run_whose_begin_is_not_understood_it_is_not_known_since_when_it_works():
    run = execution(run_id="run-9", first_run_id="run-0", started_at=hour(9))
    told: list[Execution] = []

    async def look(door: Any) -> None:
        told.append(await OriginReader().told(door, run, Deadline.of(5)))

    in_a_loop(lambda: look(Door(began(0))))
    odd = Door()
    odd.events["run-9"] = cast(HistoryEvent, object())
    in_a_loop(lambda: look(odd))
    assert [each.began_unread for each in told] == [True, True], "it is deleted, or of no form that is known"
    in_a_loop(lambda: look(Door(began(0), *(began(number) for number in range(1, 10)))))
    assert (told[-1].began_unread, told[-1].began_at) == (False, hour(0))


def test_no_look_goes_back_over_more_runs_than_are_listed():
    door = Door(*(began(number, retried=True) for number in range(MAX_CHAIN_RUNS + 100)))
    assert start_of(door, f"run-{MAX_CHAIN_RUNS + 99}") == hour(99)
    assert len(door.asked) == MAX_CHAIN_RUNS
