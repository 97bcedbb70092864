from datetime import timedelta
from typing import Any

import pytest

from dashboard.domain.entities import Failure, Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import (
    apply_child_statuses,
    apply_execution_status,
    phase_of_status,
    reconcile,
    unreported_release,
)
from tests.support.rollout_makers import STARTED, entity, execution, retrying

SAID = entity(
    "release:r",
    "deploying",
    entity(
        "wave:one",
        "in_progress",
        entity(
            "cluster:c",
            "paused",
            entity(
                "bundle:b",
                "in_progress",
                entity("app:done", "running"),
                entity("app:half", "deploying"),
                entity("app:bad", "failed"),
                entity("app:odd", "frobnicating"),
            ),
        ),
    ),
    entity("wave:two", "pending"),
)


def phases(root):
    return {row.id: row.phase for row in root.walk()}


def test_a_running_execution_leaves_the_rollouts_words_alone():
    release = reconcile(execution(), SAID)
    assert release.root == SAID


@pytest.mark.parametrize(
    ("status", "own", "left"),
    [
        (Status.FAILED, Phase.FAILED, Phase.CANCELLED),
        (Status.CANCELED, Phase.CANCELLED, Phase.CANCELLED),
        (Status.TERMINATED, Phase.TERMINATED, Phase.TERMINATED),
        (Status.TIMED_OUT, Phase.TIMED_OUT, Phase.TERMINATED),
        (Status.COMPLETED, Phase.SUCCEEDED, Phase.CANCELLED),
    ],
)
def test_nothing_of_an_ended_release_is_shown_as_unfinished(status: Status, own: Phase, left: Phase):
    root = reconcile(execution(status), SAID).root
    found = phases(root)
    assert found.pop("release:r") is own
    assert found.pop("app:done") is Phase.SUCCEEDED
    assert found.pop("app:bad") is Phase.FAILED
    assert found.pop("app:odd") is Phase.UNKNOWN
    assert set(found.values()) == {left}
    assert [row.state for row in root.walk()] == [row.state for row in SAID.walk()], "the last words are kept"


@pytest.mark.parametrize(
    ("word", "phase"), [("failed", Phase.FAILED), ("cancelled", Phase.CANCELLED), ("odd", Phase.SUCCEEDED)]
)
def test_a_completed_execution_may_report_another_end_as_its_last_word(word: str, phase: Phase):
    assert reconcile(execution(Status.COMPLETED), entity("release:r", word)).root.phase is phase


def test_a_status_that_is_newer_than_the_dashboard_is_not_taken_for_an_end():
    assert reconcile(execution(Status.UNKNOWN), SAID).root == SAID
    assert phase_of_status(Status.UNKNOWN) is Phase.UNKNOWN


def test_a_paused_execution_is_paused_whatever_it_said():
    assert reconcile(execution(Status.PAUSED), SAID).root.phase is Phase.PAUSED


def test_pending_activities_stand_on_the_row_whose_id_they_carry():
    attempt = retrying("app:half")
    release = reconcile(execution(attempts={"app:half": attempt, "elsewhere": retrying("elsewhere")}), SAID)
    assert {row.id: row.attempt for row in release.root.walk() if row.attempt} == {"app:half": attempt}


def test_the_reason_of_the_end_is_shown_where_the_rollout_gave_none():
    ended = execution(Status.TERMINATED, closing=Failure("", "superseded", kind="terminated"))
    assert reconcile(ended, SAID).root.error == "superseded"
    assert reconcile(ended, entity("release:r", "failed", error="its own words")).root.error == "its own words"


def test_a_release_that_did_not_answer_shows_what_temporal_knows():
    problem = Problem(ProblemCode.NO_WORKER, "No worker is polling.")
    root = unreported_release(execution(), problem).root
    assert (root.id, root.state, root.phase, root.problem) == ("release:r", "running", Phase.RUNNING, problem)


def test_a_part_alone_is_settled_by_the_same_rule():
    half = entity("app:half", "deploying")
    assert apply_execution_status(execution(), half) == half
    assert apply_execution_status(execution(Status.TERMINATED), half).phase is Phase.TERMINATED


ENDED_AT = STARTED + timedelta(hours=1)


def child_of_ended(status: Status = Status.RUNNING, seconds: float | None = 30, **fields: Any) -> Any:
    """A child workflow as it was described so many seconds after the end of its release."""
    at = None if seconds is None else ENDED_AT + timedelta(seconds=seconds)
    return execution(status, workflow_id="cluster:c", run_id="child", described_at=at, **fields)


def told(run: Any) -> Any:
    """A release that ended while it said that a cluster is being deployed, and the cluster's own workflow."""
    bundle = entity("bundle:b", "in_progress", entity("app:done", "deployed"), entity("app:half", "deploying"))
    wave = entity("wave:w", "deploying", entity("cluster:c", "deploying", bundle), entity("cluster:d", "deploying"))
    said = apply_child_statuses(entity("release:r", "deploying", wave), {"cluster:c": run})
    return reconcile(execution(Status.TERMINATED, closed_at=ENDED_AT), said)


def test_a_child_that_runs_after_the_end_of_its_release_is_running_and_what_it_has_below_is_not_known():
    release = told(child_of_ended())
    rows = {row.id: row for row in release.root.walk()}
    assert rows["cluster:c"].phase is Phase.RUNNING
    assert rows["cluster:c"].left_running
    assert release.left_running == 1
    assert (rows["app:done"].phase, rows["app:half"].phase) == (Phase.SUCCEEDED, Phase.UNKNOWN)
    assert rows["wave:w"].phase is rows["cluster:d"].phase is Phase.TERMINATED


@pytest.mark.parametrize("seconds", [None, -600, 0.5])
def test_a_child_that_may_have_ended_with_its_release_is_not_called_left_behind(seconds: float | None):
    release = told(child_of_ended(seconds=seconds))
    assert {row.id: row.phase for row in release.root.walk()}["cluster:c"] is Phase.TERMINATED
    assert release.left_running == 0


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        (Status.COMPLETED, Phase.SUCCEEDED),
        (Status.FAILED, Phase.FAILED),
        (Status.CANCELED, Phase.CANCELLED),
        (Status.TIMED_OUT, Phase.TIMED_OUT),
    ],
)
def test_a_child_that_ended_for_itself_after_its_release_keeps_its_own_end(status: Status, phase: Phase):
    release = told(child_of_ended(status, closed_at=ENDED_AT + timedelta(minutes=5)))
    assert {row.id: row.phase for row in release.root.walk()}["cluster:c"] is phase


def test_a_child_that_is_paused_in_temporal_is_paused_whatever_was_said_of_it():
    run = execution(Status.PAUSED, workflow_id="cluster:c")
    said = apply_child_statuses(entity("release:r", "deploying", entity("cluster:c", "deploying")), {"cluster:c": run})
    assert said.children[0].phase is Phase.PAUSED


def test_a_part_that_a_child_left_behind_when_it_was_terminated_says_so():
    parent = execution(Status.TERMINATED, workflow_id="wave:w", closed_at=ENDED_AT, described_at=ENDED_AT)
    said = entity("release:r", "deploying", entity("wave:w", "deploying", entity("cluster:c", "deploying")))
    root = reconcile(execution(), apply_child_statuses(said, {"wave:w": parent, "cluster:c": child_of_ended()})).root
    (cluster,) = root.children[0].children
    assert (root.children[0].phase, cluster.phase) == (Phase.TERMINATED, Phase.RUNNING)
    assert cluster.problem is not None
    assert "its parent workflow was terminated" in cluster.problem.message
