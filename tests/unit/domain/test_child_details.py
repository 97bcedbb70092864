from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse

from dashboard.domain.child_details import (
    CHILD_NOT_DESCRIBED,
    busy_worker_problem,
    left_running_problem,
    no_worker_problem,
    verified_running,
    with_child_details,
)
from dashboard.domain.entities import AttemptKind, FailingTask, Failure, Status, WorkerPollers
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.queue_pollers import decode_pollers
from tests.support.rollout_makers import STARTED, entity, execution, retrying

LATER = STARTED + timedelta(hours=1)
ROOT = Failure("RuntimeError", "BMC 10.0.0.3: connection timed out")
WRAPPED = Failure(
    "child_workflow_failure", "Child failed", (Failure("", "Activity failed", kind="activity"), ROOT), "child"
)


def row(status: Status = Status.RUNNING, now: Any = LATER, **fields: Any) -> Any:
    """The row of a child workflow of which this is known."""
    run = execution(status, **{"workflow_id": "cluster:c", "described_at": LATER, "task_queue": "q"} | fields)
    return with_child_details(entity("cluster:c", "running"), run, now)


def test_of_all_that_is_pending_the_worst_stands_first_and_nothing_is_left_out():
    attempts = {"a": retrying("a", 2), "b": retrying("b", 9), "c": replace(retrying("c", 1), last_failure=None)}
    found = row(attempts=attempts)
    assert [attempt.activity_id for attempt in found.pending] == ["b", "a", "c"]
    assert found.attempt.activity_id == "b"
    failing = row(attempts=attempts, failing_task=FailingTask(3, Failure("KeyError", "'emea'")))
    assert failing.attempt.kind is AttemptKind.WORKFLOW_TASK
    assert failing.attempt.cause == "Workflow code is failing: KeyError: 'emea'"
    assert len(failing.pending) == 4


def test_a_failing_task_without_a_known_reason_is_tried_again_all_the_same():
    found = row(failing_task=FailingTask(2))
    assert found.attempt.retrying
    assert found.attempt.cause.startswith("Workflow code is failing: ")


def test_a_failed_child_says_the_innermost_cause_and_a_word_of_its_own_stays():
    assert row(Status.FAILED, closing=WRAPPED).error == "RuntimeError: BMC 10.0.0.3: connection timed out"
    run = execution(Status.FAILED, closing=WRAPPED, described_at=LATER)
    told = entity("cluster:c", "failed", error="its own words")
    assert with_child_details(told, run, LATER).error == "its own words"


@pytest.mark.parametrize(
    ("closing", "text"),
    [
        (Failure("", "drained", kind="terminated", by="ann"), "drained (terminated by ann)"),
        (Failure("", "terminated by ann", kind="terminated", by="ann"), "terminated by ann"),
        (Failure("", "by parent close policy", kind="terminated", by="history-service"), "It was terminated with its"),
        (Failure("", "drained", kind="terminated"), "drained"),
    ],
)
def test_a_terminated_child_says_its_reason_and_who_asked_for_it(closing: Failure, text: str):
    assert row(Status.TERMINATED, closing=closing).error.startswith(text)


@pytest.mark.parametrize("status", [Status.FAILED, Status.TERMINATED, Status.TIMED_OUT])
def test_a_reason_that_was_not_read_yet_is_told_to_be_so(status: Status):
    problem = row(status, described_at=None).problem
    assert problem.code is ProblemCode.REASON_NOT_READ
    assert problem.awaited
    assert row(status).problem is None, "read, and there is none"
    gone = Problem(ProblemCode.GONE, "no longer kept")
    assert row(status, gaps=(gone,)).problem is gone
    assert row(Status.COMPLETED, described_at=None).problem is None


def test_a_run_that_was_not_described_for_long_says_since_when():
    assert row(now=LATER + timedelta(seconds=59)).problem is None
    late = row(now=LATER + timedelta(seconds=61)).problem
    assert late.code is ProblemCode.NOT_DESCRIBED
    assert LATER.strftime("%H:%M:%S UTC") in late.message
    assert late.awaited, "nothing is wrong"
    assert row(described_at=None).problem is CHILD_NOT_DESCRIBED
    assert row(described_at=None, now=STARTED + timedelta(seconds=5)).problem is None, "it has only just begun"
    assert row(described_at=None, now=None).problem is None


@pytest.mark.parametrize(
    ("pollers", "version", "text"),
    [
        (None, "", "is a worker polling it?"),
        (WorkerPollers(), "", "no worker is polling it."),
        (WorkerPollers(("",), LATER), "", "but not picked up this step"),
        (WorkerPollers(("app:2",), LATER), "", "none can run this step. It requires a worker without a version"),
        (WorkerPollers(("app:2",), LATER), "app:1", "It requires version app:1; the workers have app:2."),
        (WorkerPollers(("", "app:2"), LATER, "app:3"), "", "It requires version app:3; the workers have none, app:2."),
        (WorkerPollers(("app:1", "app:2"), LATER), "app:1", "but not picked up this step"),
    ],
)
def test_a_step_that_no_worker_takes_says_who_polls(pollers: WorkerPollers | None, version: str, text: str):
    run = execution(waiting_since=LATER, task_queue="q", pollers=pollers, version=version, history_length=9)
    problem = no_worker_problem(run)
    assert problem is not None
    assert problem.code is ProblemCode.NO_WORKER
    assert "its next step" in problem.message
    assert text in problem.message
    first = no_worker_problem(replace(run, history_length=2))
    assert first is not None
    assert "its first step" in first.message
    assert no_worker_problem(replace(run, status=Status.TERMINATED)) is None


def test_pollers_of_another_version_are_told_from_those_without_one_and_old_ones_do_not_count():
    now = datetime(2026, 11, 30, 2, 10, tzinfo=UTC)
    answer = DescribeTaskQueueResponse()
    for seconds, build in ((10, "1.0"), (20, ""), (200, "0.9")):
        poller = answer.pollers.add()
        poller.last_access_time.FromDatetime(now - timedelta(seconds=seconds))
        poller.worker_version_capabilities.build_id = "made-by-the-sdk"
        poller.deployment_options.deployment_name = "dep" if build else ""
        poller.deployment_options.build_id = build
        poller.deployment_options.worker_versioning_mode = 2 if build else 1  # type: ignore[assignment]
    answer.versioning_info.current_version = "__unversioned__"
    assert decode_pollers(answer, now) == WorkerPollers(("", "dep:1.0"), now - timedelta(seconds=10))
    assert decode_pollers(answer, now + timedelta(hours=1)).last_at is None
    answer.versioning_info.current_deployment_version.deployment_name = "dep"
    answer.versioning_info.current_deployment_version.build_id = "2.0"
    assert decode_pollers(answer, now).current == "dep:2.0"


def test_a_worker_that_holds_the_task_is_at_work_unless_it_fails():
    run = execution(task_since=LATER)
    problem = busy_worker_problem(run)
    assert problem is not None
    assert problem.awaited
    assert busy_worker_problem(replace(run, failing_task=FailingTask(2))) is None
    assert busy_worker_problem(replace(run, status=Status.FAILED)) is None
    assert busy_worker_problem(execution()) is None


def test_a_run_counts_as_left_behind_only_if_it_was_described_after_all_else_had_time_to_end():
    assert not verified_running(execution(described_at=None), STARTED)
    assert not verified_running(execution(described_at=STARTED + timedelta(seconds=1)), STARTED)
    assert verified_running(execution(described_at=STARTED + timedelta(seconds=5)), STARTED)
    assert not verified_running(execution(Status.FAILED, described_at=LATER), STARTED)


def test_what_was_left_behind_says_how_its_release_ended_and_what_else_is_wrong():
    ended = execution(Status.CANCELED, closed_at=STARTED)
    stuck = Problem(ProblemCode.NO_WORKER, "No worker is picking up its next step.")
    text = left_running_problem(ended, "release", stuck).message
    assert "left behind: its release was cancelled at 2026-11-22 14:02 UTC" in text
    assert text.endswith(stuck.message)
