from dataclasses import replace

import pytest

from dashboard.domain.entities import ChildRun, Status
from dashboard.domain.ids import EntityType
from dashboard.domain.pending import attach_pending
from dashboard.domain.phases import Phase, phase_of
from dashboard.domain.reconcile import reconcile
from tests.support.rollout_makers import entity, execution, retrying

ROOT = entity(
    "release:r",
    "in_progress",
    entity("wave:w", "in_progress", entity("cluster:eu", "in_progress", entity("app:pay"), entity("app:pay-back"))),
)


def run(workflow_id: str) -> ChildRun:
    return ChildRun(workflow_id, "run-2", "DeployApp")


def rows(root):
    return {row.id: row for row in root.walk()}


def test_an_activity_stands_on_the_entity_whose_id_it_has_on_every_level():
    ids = ("release:r", "wave:w", "app:pay")
    root, also, _ = attach_pending(ROOT, execution(attempts={name: retrying(name) for name in (*ids, "elsewhere")}))
    assert {row.id for row in root.walk() if row.attempt} == set(ids)
    assert [attempt.activity_id for attempt in also] == ["elsewhere"]


def test_a_child_workflow_stands_on_the_entity_with_which_its_id_begins():
    runs = tuple(run(name) for name in ("app:pay/7", "app:pay", "cluster:eu-west", "app:pay-back.2", "app:payments"))
    root, _, others = attach_pending(ROOT, execution(child_runs=runs))
    placed = {row.id: row.child_run.workflow_id for row in root.walk() if row.child_run}
    assert placed == {"app:pay-back": "app:pay-back.2", "app:pay": "app:pay"}
    assert [other.workflow_id for other in others] == ["app:pay/7", "cluster:eu-west", "app:payments"]


def test_with_nothing_pending_the_tree_is_the_same():
    assert attach_pending(ROOT, execution())[0] is ROOT


def at_work(state: str, phase: Phase, **pending):
    root = entity("release:r", "in_progress", entity("app:pay", state), entity("app:rest", state))
    placed = rows(attach_pending(root, execution(**pending))[0])
    assert placed["app:rest"].phase is phase_of(EntityType.APP, state), "nothing of its own is pending"
    return (placed["app:pay"].state, placed["app:pay"].phase) == (state, phase)


@pytest.mark.parametrize("word", ["running", "Running", " RUNNING "])
def test_an_app_that_is_running_is_at_work_while_something_of_its_own_is_pending(word):
    assert at_work(word, Phase.RUNNING, attempts={"app:pay": replace(retrying("app:pay"), number=1, last_failure=None)})
    assert at_work(word, Phase.RUNNING, attempts={"app:pay": retrying("app:pay")})
    assert at_work(word, Phase.RUNNING, child_runs=(run("app:pay/7"),))


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("deployed", Phase.SUCCEEDED),
        ("healthy", Phase.SUCCEEDED),
        ("failed", Phase.FAILED),
        ("pending", Phase.PENDING),
        ("paused", Phase.PAUSED),
        ("a word of ours", Phase.UNKNOWN),
    ],
)
def test_a_word_that_says_what_was_reached_stays_whatever_is_pending(word, phase):
    assert at_work(word, phase, attempts={"app:pay": retrying("app:pay")})


def test_what_an_ended_release_left_at_work_is_not_taken_for_deployed():
    said = entity("release:r", "in_progress", entity("app:pay", "running"), entity("app:rest", "running"))
    left = replace(retrying("app:pay"), over=True)
    root = reconcile(execution(Status.TERMINATED, attempts={"app:pay": left}), said).root
    assert [(row.phase, row.overruled) for row in root.children] == [
        (Phase.TERMINATED, True),
        (Phase.SUCCEEDED, False),
    ]


def test_a_child_workflow_that_a_row_was_drawn_from_is_on_that_row_whatever_the_ids_are():
    own = execution(workflow_id="deploy-eu-7", run_id="run-2")
    tree = entity("release:r", "running", entity("wave:w", "running", entity("cluster:eu", "running", execution=own)))
    root, _, others = attach_pending(tree, execution(child_runs=(run("deploy-eu-7"), run("elsewhere"))))
    assert rows(root)["cluster:eu"].child_run == run("deploy-eu-7")
    assert [other.workflow_id for other in others] == ["elsewhere"]
