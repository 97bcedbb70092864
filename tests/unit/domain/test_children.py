from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dashboard.domain.child_runs import ChildExecution, ChildListing
from dashboard.domain.children import possible_retries, runs_by_row, state_reporters, tree_from_children
from dashboard.domain.entities import Failure, Initiator, Origin, Status
from dashboard.domain.entity_map import EntityMap
from tests.support.rollout_makers import STARTED, entity, execution

MAP = EntityMap()
RELEASE = "release:r"


def child(
    workflow_id: str, parent: str | None = RELEASE, status: Status = Status.RUNNING, **fields: Any
) -> ChildExecution:
    """A child that started so many minutes after its release."""
    started = STARTED + timedelta(minutes=fields.pop("minute", 1))
    run_id, root = fields.pop("run_id", f"run-of-{workflow_id}"), fields.pop("root", "run-1")
    return ChildExecution(execution(status, workflow_id=workflow_id, run_id=run_id, started_at=started), parent, root)


def test_rows_stand_in_the_order_of_their_start_and_the_newest_run_counts():
    release = execution()
    listed = (
        child("wave:late", minute=3),
        child("wave:early", minute=2, status=Status.COMPLETED, run_id="second"),
        child("wave:early", minute=1, status=Status.CONTINUED_AS_NEW, run_id="first"),
    )
    root = tree_from_children(release, ChildListing(listed), MAP)
    assert [(wave.id, wave.phase, wave.details["run_id"]) for wave in root.children] == [
        ("wave:early", "succeeded", "second"),
        ("wave:late", "running", "run-of-wave:late"),
    ]


def test_what_was_not_read_is_a_row_that_says_how_much_it_is():
    root = tree_from_children(execution(), ChildListing((child("wave:w"),), more=8_000), MAP)
    assert [wave.id for wave in root.children] == ["wave:w", "wave:(left-out)"]
    problem = root.children[-1].problem
    assert problem is not None
    assert problem.message == "8,000 more workflows of this release are not shown: the limit is 1."


def test_runs_of_the_release_before_the_first_of_its_chain_are_another_release():
    release = execution(run_id="run-3", first_run_id="run-2", started_at=STARTED + timedelta(hours=3))
    listed = (
        child("wave:now", root="run-3", minute=181),
        child(RELEASE, None, Status.CONTINUED_AS_NEW, run_id="run-2", root="run-2", minute=100),
        child("wave:before", root="run-2", minute=101),
        child(RELEASE, None, Status.COMPLETED, run_id="run-1", root="run-1", minute=0),
        child("wave:old", root="run-1", minute=1),
    )
    assert [wave.id for wave in tree_from_children(release, ChildListing(listed), MAP).children] == [
        "wave:before",
        "wave:now",
    ]


@pytest.mark.parametrize(
    "workflow_id", ["app:pay", "app:pay/attempt-2", "app:pay@x", "app:pay:1", "app:pay-r", "app:pay/1/2"]
)
def test_a_child_workflow_belongs_to_the_row_with_whose_id_its_own_begins(workflow_id: str):
    said = entity(RELEASE, "running", entity("app:pay", "deploying"), entity("app:payments", "deploying"))
    found = runs_by_row(execution(), ChildListing((child(workflow_id, status=Status.FAILED),)), said, MAP)
    assert {row: run.status for row, run in found.items()} == {"app:pay": Status.FAILED}


@pytest.mark.parametrize("workflow_id", ["app:pay-new", "app:pa", "app:payment", "other", "app:other/1"])
def test_a_child_workflow_whose_id_only_looks_alike_belongs_to_no_row(workflow_id: str):
    said = entity(RELEASE, "running", entity("app:pay", "deploying"))
    assert runs_by_row(execution(), ChildListing((child(workflow_id),)), said, MAP) == {}


def test_of_two_attempts_the_newer_says_how_the_row_stands():
    said = entity(RELEASE, "running", entity("app:pay", "deploying"))
    listed = (
        child("app:pay/1", status=Status.FAILED, minute=1),
        child("app:pay/2", status=Status.RUNNING, minute=2),
    )
    found = runs_by_row(execution(), ChildListing(listed), said, MAP)
    assert {row: run.workflow_id for row, run in found.items()} == {"app:pay": "app:pay/2"}


def run_of(number: int, status: Status, **fields: Any) -> ChildExecution:
    """A run of the release itself, an hour after the one before it, as the list below it has it."""
    started = STARTED + timedelta(hours=number)
    return ChildExecution(
        execution(status, run_id=f"run-{number}", started_at=started, **fields), None, f"run-{number}"
    )


def waves_of(release: Any, *listed: ChildExecution) -> list[str]:
    return [wave.id for wave in tree_from_children(release, ChildListing(listed), MAP).children]


def third(origin: Origin | None) -> Any:
    """The third run of a chain."""
    return execution(run_id="run-3", first_run_id="run-1", started_at=STARTED + timedelta(hours=3), origin=origin)


CHAIN = (
    child("wave:third", root="run-3", minute=181),
    child("wave:second", root="run-2", minute=121),
    child("wave:first", root="run-1", minute=61),
)


@pytest.mark.parametrize("initiator", [Initiator.RETRY, Initiator.CRON])
@pytest.mark.parametrize("before", [Status.FAILED, Status.COMPLETED, Status.TIMED_OUT])
def test_a_run_that_a_retry_or_its_schedule_began_has_its_own_children_alone(initiator: Initiator, before: Status):
    runs = (run_of(2, before), run_of(1, before))
    assert waves_of(third(Origin(initiator, 3, before="run-2")), *CHAIN, *runs) == ["wave:third"]
    assert waves_of(third(None), *CHAIN, *runs) == ["wave:third"], "the end of the run before says as much"


def test_runs_that_continue_one_another_are_one_tree_as_far_back_as_they_do():
    origin = Origin(Initiator.CONTINUED_AS_NEW, before="run-2", continues="run-2")
    tried = (run_of(2, Status.CONTINUED_AS_NEW), run_of(1, Status.FAILED))
    assert waves_of(third(origin), *CHAIN, *tried) == ["wave:second", "wave:third"]
    late = (run_of(2, Status.RUNNING), run_of(1, Status.CONTINUED_AS_NEW))
    assert waves_of(third(origin), *CHAIN, *late) == ["wave:first", "wave:second", "wave:third"], "the list is late"


def test_a_reset_run_keeps_what_was_started_before_the_point_of_the_reset_and_what_that_started():
    origin = Origin(Initiator.RESET, before="run-2", kept=frozenset({"kept", "went-on"}))
    listed = (
        child("cluster:later", "wave:kept", root="run-2", run_id="c", minute=200),
        child("wave:again", root="run-3", minute=181),
        child("wave:undone", root="run-2", run_id="undone", minute=123),
        child("wave:on", root="run-2", run_id="went-on-2", minute=122),
        child("wave:on", root="run-2", status=Status.CONTINUED_AS_NEW, run_id="went-on", minute=121),
        child("wave:kept", root="run-2", run_id="kept", minute=120),
    )
    below = replace(listed[0], parent_run_id="kept")
    root = tree_from_children(third(origin), ChildListing((below, *listed[1:], run_of(2, Status.TERMINATED))), MAP)
    assert [wave.id for wave in root.children] == ["wave:kept", "wave:on", "wave:again"]
    assert [row.id for row in root.children[0].walk() if row.id.startswith("cluster")] == ["cluster:later"]


def test_a_child_that_continued_as_new_counts_from_its_first_run_and_no_further():
    listed = (
        child("wave:w", run_id="d", minute=40),
        child("wave:w", status=Status.CONTINUED_AS_NEW, run_id="c", minute=30),
        child("wave:w", status=Status.CONTINUED_AS_NEW, run_id="b", minute=20),
        child("wave:w", status=Status.COMPLETED, run_id="a", minute=10),
    )
    (row,) = tree_from_children(execution(), ChildListing(listed), MAP).children
    assert (row.details["run_id"], row.created_at) == ("d", STARTED + timedelta(minutes=20))


def test_a_child_that_was_tried_again_is_one_row_with_its_attempt_and_how_the_last_one_failed():
    listed = (
        child("wave:w", run_id="b", minute=20),
        child("wave:w", status=Status.FAILED, run_id="a", minute=10),
    )
    why = Failure("", "canary: error rate 7% > 1%")
    origins = {"b": Origin(Initiator.RETRY, 2, before="a", failure=why)}
    (row,) = tree_from_children(execution(), ChildListing(listed, origins=origins), MAP).children
    assert row.attempt is not None
    assert (row.attempt.number, row.attempt.last_failure, row.attempt.retrying) == (2, why, True)
    assert row.created_at == STARTED + timedelta(minutes=20), "what it does now began with this attempt"
    assert [run.run_id for run in possible_retries(execution(), ChildListing(listed), 10)] == ["b"]
    done = (replace(listed[0], execution=replace(listed[0].execution, status=Status.COMPLETED)), listed[1])
    (row,) = tree_from_children(execution(), ChildListing(done, origins=origins), MAP).children
    assert (row.phase, row.attempt) == ("succeeded", None)
    assert possible_retries(execution(), ChildListing(done), 10) == []


def test_a_child_that_waits_for_its_time_is_scheduled_and_is_asked_nothing():
    due = STARTED + timedelta(hours=2)
    waits = child("wave:w", run_id="b", minute=20)
    waits = replace(waits, execution=replace(waits.execution, execution_time=due))
    before = ChildListing((waits,), asked_at=STARTED + timedelta(hours=1))
    (row,) = tree_from_children(execution(), before, MAP).children
    assert (row.state, row.phase) == ("scheduled", "pending")
    assert [reporter.entity_id for reporter in state_reporters(execution(), before, MAP)] == [RELEASE]
    after = replace(before, asked_at=due)
    (row,) = tree_from_children(execution(), after, MAP).children
    assert (row.phase, row.created_at) == ("running", due)
    assert len(state_reporters(execution(), after, MAP)) == 2
    tried = replace(before, origins={"b": Origin(Initiator.RETRY, 2, failure=Failure("", "no"))})
    (row,) = tree_from_children(execution(), tried, MAP).children
    assert (row.phase, row.attempt and row.attempt.next_at) == ("running", due)
