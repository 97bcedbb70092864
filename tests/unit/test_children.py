from datetime import timedelta
from typing import Any

import pytest

from dashboard.domain.child_runs import Child, Children
from dashboard.domain.children import longest_running, release_tree, statuses
from dashboard.domain.entities import Status
from dashboard.domain.entity_map import EntityMap
from tests.rollout_makers import STARTED, entity, execution

MAP = EntityMap()
RELEASE = "release:r"


def child(workflow_id: str, parent: str | None = RELEASE, status: Status = Status.RUNNING, **fields: Any) -> Child:
    """A child that started so many minutes after its release."""
    started = STARTED + timedelta(minutes=fields.pop("minute", 1))
    run_id, root = fields.pop("run_id", f"run-of-{workflow_id}"), fields.pop("root", "run-1")
    return Child(execution(status, workflow_id=workflow_id, run_id=run_id, started_at=started), parent, root)


def test_rows_stand_in_the_order_of_their_start_and_the_newest_run_counts():
    release = execution()
    listed = (
        child("wave:late", minute=3),
        child("wave:early", minute=2, status=Status.COMPLETED, run_id="second"),
        child("wave:early", minute=1, status=Status.CONTINUED_AS_NEW, run_id="first"),
    )
    root = release_tree(release, Children(listed), MAP)
    assert [(wave.id, wave.phase, wave.details["run_id"]) for wave in root.children] == [
        ("wave:early", "succeeded", "second"),
        ("wave:late", "running", "run-of-wave:late"),
    ]


def test_what_was_not_read_is_a_row_that_says_how_much_it_is():
    root = release_tree(execution(), Children((child("wave:w"),), more=8_000), MAP)
    assert [wave.id for wave in root.children] == ["wave:w", "wave:(left-out)"]
    problem = root.children[-1].problem
    assert problem is not None
    assert problem.message == "8,000 more workflows of this release are left out here: it shows 1."


def test_runs_of_the_release_before_the_first_of_its_chain_are_another_release():
    release = execution(run_id="run-3", first_run_id="run-2", started_at=STARTED + timedelta(hours=3))
    listed = (
        child("wave:now", root="run-3", minute=181),
        child(RELEASE, None, Status.CONTINUED_AS_NEW, run_id="run-2", root="run-2", minute=100),
        child("wave:before", root="run-2", minute=101),
        child(RELEASE, None, Status.COMPLETED, run_id="run-1", root="run-1", minute=0),
        child("wave:old", root="run-1", minute=1),
    )
    assert [wave.id for wave in release_tree(release, Children(listed), MAP).children] == ["wave:before", "wave:now"]


@pytest.mark.parametrize(
    "workflow_id", ["app:pay", "app:pay/attempt-2", "app:pay@x", "app:pay:1", "app:pay-r", "app:pay/1/2"]
)
def test_a_child_workflow_belongs_to_the_row_with_whose_id_its_own_begins(workflow_id: str):
    said = entity(RELEASE, "running", entity("app:pay", "deploying"), entity("app:payments", "deploying"))
    found = statuses(execution(), Children((child(workflow_id, status=Status.FAILED),)), said, MAP)
    assert found == {"app:pay": Status.FAILED}


@pytest.mark.parametrize("workflow_id", ["app:pay-new", "app:pa", "app:payment", "other", "app:other/1"])
def test_a_child_workflow_whose_id_only_looks_alike_belongs_to_no_row(workflow_id: str):
    said = entity(RELEASE, "running", entity("app:pay", "deploying"))
    assert statuses(execution(), Children((child(workflow_id),)), said, MAP) == {}


def test_of_two_attempts_the_newer_says_how_the_row_stands():
    said = entity(RELEASE, "running", entity("app:pay", "deploying"))
    listed = (
        child("app:pay/1", status=Status.FAILED, minute=1),
        child("app:pay/2", status=Status.RUNNING, minute=2),
    )
    assert statuses(execution(), Children(listed), said, MAP) == {"app:pay": Status.RUNNING}


def test_those_that_run_longest_and_wait_for_no_other_are_looked_at_first():
    listed = (
        child("wave:w", minute=1),
        child("app:new", "wave:w", minute=4),
        child("app:old", "wave:w", minute=2),
        child("app:done", "wave:w", Status.COMPLETED, minute=2),
        child("app:newest", "wave:w", minute=5),
    )
    found = longest_running(execution(), Children(listed), 2)
    assert [run.workflow_id for run in found] == ["app:old", "app:new"]
