from dashboard.domain.entities import ChildRun
from dashboard.domain.pending import place
from tests.rollout_makers import entity, execution, retrying

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
    root, also, _ = place(ROOT, execution(attempts={name: retrying(name) for name in (*ids, "elsewhere")}))
    assert {row.id for row in root.walk() if row.attempt} == set(ids)
    assert [attempt.activity_id for attempt in also] == ["elsewhere"]


def test_a_child_workflow_stands_on_the_entity_with_which_its_id_begins():
    runs = tuple(run(name) for name in ("app:pay/7", "app:pay", "cluster:eu-west", "app:pay-back.2", "app:payments"))
    root, _, others = place(ROOT, execution(child_runs=runs))
    placed = {row.id: row.child_run.workflow_id for row in root.walk() if row.child_run}
    assert placed == {"app:pay-back": "app:pay-back.2", "app:pay": "app:pay"}
    assert [other.workflow_id for other in others] == ["app:pay/7", "cluster:eu-west", "app:payments"]


def test_with_nothing_pending_the_tree_is_the_same():
    assert place(ROOT, execution())[0] is ROOT
