import pytest

from dashboard.domain.entities import Failure, Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.truth import judge, phase_of_status, settle, unanswered
from tests.rollout_makers import entity, execution, retrying

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
    release = judge(execution(), SAID)
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
    root = judge(execution(status), SAID).root
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
    assert judge(execution(Status.COMPLETED), entity("release:r", word)).root.phase is phase


def test_a_status_that_is_newer_than_the_dashboard_is_not_taken_for_an_end():
    assert judge(execution(Status.UNKNOWN), SAID).root == SAID
    assert phase_of_status(Status.UNKNOWN) is Phase.UNKNOWN


def test_a_paused_execution_is_paused_whatever_it_said():
    assert judge(execution(Status.PAUSED), SAID).root.phase is Phase.PAUSED


def test_pending_activities_stand_on_the_row_whose_id_they_carry():
    attempt = retrying("app:half")
    release = judge(execution(attempts={"app:half": attempt, "elsewhere": retrying("elsewhere")}), SAID)
    assert {row.id: row.attempt for row in release.root.walk() if row.attempt} == {"app:half": attempt}


def test_the_reason_of_the_end_is_shown_where_the_rollout_gave_none():
    ended = execution(Status.TERMINATED, closing=Failure("", "superseded", kind="terminated"))
    assert judge(ended, SAID).root.error == "superseded"
    assert judge(ended, entity("release:r", "failed", error="its own words")).root.error == "its own words"


def test_a_release_that_did_not_answer_shows_what_temporal_knows():
    problem = Problem(ProblemCode.NO_WORKER, "No worker is polling.")
    root = unanswered(execution(), problem).root
    assert (root.id, root.state, root.phase, root.problem) == ("release:r", "running", Phase.RUNNING, problem)


def test_a_part_alone_is_settled_by_the_same_rule():
    half = entity("app:half", "deploying")
    assert settle(execution(), half) == half
    assert settle(execution(Status.TERMINATED), half).phase is Phase.TERMINATED
