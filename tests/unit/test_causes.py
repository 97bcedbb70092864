from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.cause_texts import BLANK, normalise
from dashboard.domain.causes import NOT_TOLD, broken_in, group
from dashboard.domain.entities import FailingTask, Failure, Status
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.truth import judge
from tests.rollout_makers import STARTED, entity, execution, retrying


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
        assert normalise(one).startswith("Timeout: no answer after …")
    else:
        assert normalise(one) == normalise(other) == cause


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
    assert normalise(text) == text


def test_an_entitys_own_names_are_no_part_of_the_cause():
    assert normalise("rollout of payments to eu failed", {"payments", "eu"}) == "rollout of … to eu failed"
    assert normalise("repayments failed", {"payments"}) == "repayments failed"


def test_only_the_first_line_counts():
    assert normalise("\n\nBoom: it broke\n  File main.py, line 3\n") == "Boom: it broke"


TEXTS = st.one_of(
    st.text(max_size=700),
    st.text(alphabet="aZ1…/:.'\"`-_@ \n\x1c", max_size=120),
)


@given(TEXTS, st.frozensets(st.text(max_size=8), max_size=5))
def test_normalising_again_changes_nothing_and_nothing_becomes_empty(text: str, names: frozenset[str]):
    cause = normalise(text, names)
    assert normalise(cause, names) == cause
    assert bool(cause) is bool(text)
    assert "\n" not in cause


def release(*apps, status=Status.RUNNING, state="in_progress", error=None, **fields):
    bundle = entity("bundle:b", "in_progress", *apps)
    wave = entity("wave:w", "in_progress", entity("cluster:c", "in_progress", bundle))
    return judge(execution(status, **fields), entity("release:r", state, wave, error=error))


def found(*releases):
    return [(item.entity.id, item.cause) for one in releases for item in broken_in(one)]


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
        ("app:s", NOT_TOLD),
    ]


def test_an_activity_of_no_entity_and_a_failing_workflow_are_found_on_the_release():
    task = FailingTask(7, Failure("KeyError", "'emea'"))
    broken = broken_in(release(attempts={"migrate-db": retrying("migrate-db")}, failing_task=task))
    assert [(item.entity.id, item.activity_id) for item in broken] == [("release:r", ""), ("release:r", "migrate-db")]
    assert broken[0].cause == "The workflow's own code fails: KeyError: 'emea'"
    assert broken[0].attempt.number == 7


def test_causes_are_grouped_newest_first_and_keep_an_example():
    def app(name, minutes, error):
        return entity(f"app:{name}", "failed", error=error, updated_at=STARTED + timedelta(minutes=minutes))

    broken = broken_in(
        release(app("aaa", 1, "Pull: img/aaa:1.2"), app("bbb", 5, "Slow: 9 s"), app("ccc", 3, "Pull: img/ccc:2.0"))
    )
    slow, pull = group(broken)
    assert (slow.text, slow.example) == ("Slow: … s", "Slow: 9 s")
    assert [item.entity.id for item in pull.broken] == ["app:ccc", "app:aaa"]
    assert pull.example == "Pull: img/ccc:2.0"
    assert BLANK in pull.text
    assert [step.id for step in pull.broken[0].path] == ["release:r", "wave:w", "cluster:c", "bundle:b", "app:ccc"]
    assert pull.broken[0].path[-1].position == 2
