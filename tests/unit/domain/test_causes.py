from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.cause_texts import PLACEHOLDER, normalise_cause
from dashboard.domain.causes import NO_REASON_REPORTED, affected_entities, group_by_cause, waiting_entities
from dashboard.domain.entities import FailingTask, Failure, Pause, Status
from dashboard.domain.execution_problem import paused_problem
from dashboard.domain.parts import summarise_parts
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile, unreported_release
from dashboard.views.problems.groups import ProblemGroup
from tests.support.rollout_makers import STARTED, entity, execution, retrying


@pytest.mark.parametrize(
    ("one", "other", "cause"),
    [
        (
            "ImagePullError: registry.example.com/search:7.11.4: manifest unknown",
            "ImagePullError: registry.example.com/reviews:2.2.6: manifest unknown",
            "ImagePullError: … manifest unknown",
        ),
        ("Timeout: no answer after 30s", "Timeout: no answer after 1.5 s", None),
        ("OSError: cannot open /var/lib/a/b.txt", "OSError: cannot open /tmp/x", "OSError: cannot open …"),
        ("KeyError: 'wave-3'", "KeyError: 'emea'", "KeyError: …"),
        ("pod web-7f9c4d-x2x1l is gone", "pod web-a1b2c3-zzz9q is gone", "pod … is gone"),
        ("lost 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "lost 3f2504e0-4f89-11d3-9a0c-0305e82c3302", "lost …"),
        ("no way to https://a.example/x?y=1", "no way to http://b.example:8080/", "no way to …"),
        ("10.0.0.1:443 refused", "10.9.8.7:80 refused", "… refused"),
    ],
)
def test_the_same_cause_in_other_words_is_one(one: str, other: str, cause: str | None):
    if cause is None:
        assert normalise_cause(one).startswith("Timeout: no answer after …")
    else:
        assert normalise_cause(one) == normalise_cause(other) == cause


@pytest.mark.parametrize(
    "text",
    [
        "ImagePullError: image pull back-off",
        "S3Error: access denied",
        "requests.exceptions.ConnectionError: refused",
        "the worker can't say and/or doesn't know",
        "No worker is polling the task queue",
    ],
)
def test_words_stay_as_they_are(text: str):
    assert normalise_cause(text) == text


def test_an_entitys_own_names_are_no_part_of_the_cause():
    assert normalise_cause("rollout of payments to eu failed", {"payments", "eu"}) == "rollout of … to eu failed"
    assert normalise_cause("repayments failed", {"payments"}) == "repayments failed"


def test_only_the_first_line_counts():
    assert normalise_cause("\n\nBoom: it broke\n  File main.py, line 3\n") == "Boom: it broke"


TEXTS = st.one_of(
    st.text(max_size=700),
    st.text(alphabet="aZ1…/:.'\"`-_@ \n\x1c", max_size=120),
)


@given(TEXTS, st.frozensets(st.text(max_size=8), max_size=5))
def test_normalising_again_changes_nothing_and_nothing_becomes_empty(text: str, names: frozenset[str]):
    cause = normalise_cause(text, names)
    assert normalise_cause(cause, names) == cause
    assert bool(cause) is bool(text)
    assert "\n" not in cause


def release(*apps, status=Status.RUNNING, state="in_progress", error=None, **fields):
    bundle = entity("bundle:b", "in_progress", *apps)
    wave = entity("wave:w", "in_progress", entity("cluster:c", "in_progress", bundle))
    return reconcile(execution(status, **fields), entity("release:r", state, wave, error=error))


def found(*releases):
    return [(item.entity.id, item.cause) for one in releases for item in affected_entities(one)]


def test_a_failure_is_found_where_it_happened_and_not_at_each_level_that_repeats_it():
    app = entity("app:a", "failed", error="HealthCheckFailed: p99")
    failed = release(
        app, status=Status.FAILED, state="failed", error="Wave w failed: a: HealthCheckFailed: p99", closed_at=STARTED
    )
    assert found(failed) == [("app:a", "HealthCheckFailed: p99")]


def test_what_a_level_above_says_of_its_own_is_found_too():
    app = entity("app:a", "failed", error="boom")
    failed = release(app, status=Status.FAILED, state="failed", error="the approval was refused")
    assert found(failed) == [("app:a", "boom"), ("release:r", "the approval was refused")]


def test_what_is_tried_again_what_is_missing_and_what_gives_no_reason_is_found():
    tried = entity("app:t", "deploying")
    gone = entity("app:g", "", problem=Problem(ProblemCode.MISSING, "not described"))
    silent = entity("app:s", "failed")
    fine = entity("app:f", "deploying")
    broken = release(tried, gone, silent, fine, attempts={"app:t": retrying("app:t")})
    assert found(broken) == [
        ("app:t", "ImagePullError: image pull back-off"),
        ("app:g", "not described"),
        ("app:s", NO_REASON_REPORTED),
    ]


def test_an_activity_of_no_entity_and_a_failing_workflow_are_found_on_the_release():
    task = FailingTask(7, Failure("KeyError", "'emea'"))
    broken = affected_entities(release(attempts={"migrate-db": retrying("migrate-db")}, failing_task=task))
    assert [(item.entity.id, item.activity_id) for item in broken] == [("release:r", ""), ("release:r", "migrate-db")]
    assert broken[0].cause == "Workflow code is failing: KeyError: 'emea'"
    assert broken[0].attempt.number == 7


def test_causes_are_grouped_newest_first_and_keep_an_example():
    def app(name, minutes, error):
        return entity(f"app:{name}", "failed", error=error, updated_at=STARTED + timedelta(minutes=minutes))

    broken = affected_entities(
        release(app("aaa", 1, "Pull: img/aaa:1.2"), app("bbb", 5, "Slow: 9 s"), app("ccc", 3, "Pull: img/ccc:2.0"))
    )
    slow, pull = group_by_cause(broken)
    assert (slow.text, slow.example) == ("Slow: … s", "Slow: 9 s")
    assert [item.entity.id for item in pull.broken] == ["app:ccc", "app:aaa"]
    assert pull.example == "Pull: img/ccc:2.0"
    assert PLACEHOLDER in pull.text
    assert [step.id for step in pull.broken[0].path] == ["release:r", "wave:w", "cluster:c", "bundle:b", "app:ccc"]
    assert pull.broken[0].path[-1].position == 2


def test_a_failing_task_is_one_cause_whatever_else_follows_from_it():
    task = FailingTask(7, Failure("KeyError", "'emea'"))
    problem = Problem(ProblemCode.TASK_FAILING, "Workflow code is failing: it cannot say how it stands.")
    silent = unreported_release(execution(failing_task=task), problem)
    assert [item.cause for item in affected_entities(silent)] == ["Workflow code is failing: KeyError: 'emea'"]
    assert len(affected_entities(unreported_release(execution(), problem))) == 1, (
        "without the attempts, the gap is all there is"
    )


def test_a_release_that_answers_nothing_says_that_no_worker_takes_its_next_step():
    stuck = reconcile(execution(waiting_since=STARTED, task_queue="q"), entity("release:r", "running"))
    (found,) = affected_entities(stuck)
    assert found.cause.startswith("No worker is picking up its next step")
    assert group_by_cause([found])[0].standing == "not_known", "its own state is all that is not known"


def test_each_activity_that_is_retried_beside_the_worst_is_a_cause_of_its_own():
    other = replace(retrying("pay", 2), last_failure=Failure("QuotaError", "used up"))
    cluster = entity("cluster:c", "running", attempt=retrying("shop"), others=(other,))
    tree = reconcile(execution(), entity("release:r", "running", entity("wave:w", "running", cluster)))
    causes = [(item.cause, item.activity_id) for item in affected_entities(tree)]
    assert causes == [("ImagePullError: image pull back-off", None), ("QuotaError: used up", "pay")]


def test_an_activity_that_is_paused_beside_one_that_is_retried_waits_for_a_person():
    held = replace(retrying("pay", 2), paused=True)
    cluster = entity("cluster:c", "running", attempt=retrying("shop"), others=(held,))
    tree = reconcile(execution(), entity("release:r", "running", entity("wave:w", "running", cluster)))
    assert [item.entity.id for item in waiting_entities(tree)] == ["cluster:c"]


def test_what_stalls_and_what_was_left_running_are_told_apart_from_what_is_not_known():
    no_worker = Problem(ProblemCode.NO_WORKER, "No worker is picking up its first step.")
    left = Problem(ProblemCode.LEFT_RUNNING, "Still running, left behind.")
    run = execution(workflow_id="cluster:c")
    wave = entity(
        "wave:w",
        "running",
        entity("cluster:c", "running", problem=no_worker, execution=run),
        entity("cluster:d", "running", problem=left, execution=run),
        entity("cluster:e", "", problem=Problem(ProblemCode.MISSING, "not described")),
    )
    causes = group_by_cause(affected_entities(reconcile(execution(), entity("release:r", "running", wave))))
    assert {cause.standing.value for cause in causes} == {"stalled", "left_running", "not_known"}


def test_a_failure_whose_reason_was_not_read_yet_does_not_say_that_there_is_none():
    problem = Problem(ProblemCode.REASON_NOT_READ, "The reason for the failure has not been loaded yet.")
    wave = entity("wave:w", "running", entity("cluster:c", "failed", problem=problem))
    (found,) = affected_entities(reconcile(execution(), entity("release:r", "running", wave)))
    assert found.cause == problem.message


@pytest.mark.parametrize(
    ("activity_id", "activity_type", "name"),
    [
        ("7", "deploy", "7 (deploy)"),
        ("0190c3a2-77aa-7bde-9c7f-3d1f2c9a41be", "deploy", "0190c3a2-77aa-7bde-9c7f-3d1f2c9a41be (deploy)"),
        ("notify-2", "notify", "notify-2"),
        ("7", "", "7"),
    ],
)
def test_an_activity_of_no_row_whose_id_was_made_for_it_is_named_with_its_type(
    activity_id: str, activity_type: str, name: str
):
    attempt = replace(retrying(activity_id), activity_type=activity_type)
    run = execution(attempts={activity_id: attempt})
    (cause,) = group_by_cause(affected_entities(reconcile(run, entity("release:r", "running"))))
    (row,) = ProblemGroup.of(cause).entities
    assert (row.activity_id, row.shown_name) == (activity_id, name)
    held = replace(attempt, paused=True)
    waits = summarise_parts(entity("release:r", "running"), [held]).waits
    assert waits is not None
    assert (waits.id, waits.name) == (activity_id, name)


def test_where_a_row_waits_as_it_is_paused_it_says_by_whom_and_no_more():
    problem = paused_problem(Pause("op@example.com", "change freeze", STARTED))
    row = entity("cluster:c", "paused", problem=problem, phase=Phase.PAUSED)
    (item,) = waiting_entities(reconcile(execution(), entity("release:r", "running", row)))
    assert item.cause.startswith("It is paused by op@example.com: change freeze, since ")
    assert problem.message.startswith(f"{item.cause} While it is paused,")


def test_what_is_terminated_with_a_wave_that_was_cancelled_is_no_problem():
    wave = entity("wave:one", "cancelled", entity("cluster:a", "terminated"))
    by_hand = entity("wave:two", "in_progress", entity("cluster:c", "terminated"))
    found = affected_entities(reconcile(execution(), entity("release:r", "in_progress", wave, by_hand)))
    assert [item.entity.id for item in found] == ["cluster:c"]
