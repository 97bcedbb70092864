from dataclasses import replace
from datetime import timedelta

from dashboard.domain.entities import Initiator, Origin, Runs, Status
from dashboard.domain.runs import merge_described_runs
from tests.support.rollout_makers import STARTED, execution


def run(number: int, status: Status):
    return execution(status, run_id=f"run-{number}", started_at=STARTED + timedelta(minutes=number))


def seen(runs: Runs) -> list[tuple[str, Status]]:
    return [(run.run_id, run.status) for run in runs.executions]


def test_runs_stand_newest_first_whatever_order_they_are_listed_in():
    listed = Runs((run(1, Status.FAILED), run(3, Status.RUNNING), run(2, Status.COMPLETED)))
    assert [run.run_id for run in merge_described_runs(listed, []).executions] == ["run-3", "run-2", "run-1"]


def test_a_run_that_the_list_does_not_have_yet_is_there_and_the_one_before_it_is_not_called_running():
    runs = merge_described_runs(Runs((run(1, Status.RUNNING),)), [run(2, Status.RUNNING)])
    assert seen(runs) == [("run-2", Status.RUNNING), ("run-1", Status.UNKNOWN)]
    assert runs.latest.run_id == "run-2"


def test_what_describe_says_beats_the_list():
    runs = merge_described_runs(Runs((run(1, Status.RUNNING),)), [run(1, Status.TERMINATED)])
    assert seen(runs) == [("run-1", Status.TERMINATED)]


def test_a_run_follows_the_one_that_continued_as_new_and_no_other():
    runs = merge_described_runs(
        Runs((run(3, Status.RUNNING), run(2, Status.FAILED), run(1, Status.CONTINUED_AS_NEW))), []
    )
    assert [runs.follows(f"run-{number}") for number in (1, 2, 3)] == [False, True, False]


def test_a_run_that_a_retry_or_its_schedule_began_follows_none_whatever_came_before_it():
    tried = replace(run(2, Status.RUNNING), origin=Origin(Initiator.RETRY, 2, before="run-1"))
    runs = merge_described_runs(Runs((run(1, Status.CONTINUED_AS_NEW),)), [tried])
    assert not runs.follows("run-2")
    assert runs.first_of(tried).run_id == "run-2"


def test_a_run_follows_the_one_that_its_first_event_names_though_the_list_has_it_running():
    goes_on = replace(run(2, Status.RUNNING), origin=Origin(Initiator.CONTINUED_AS_NEW, continues="run-1"))
    runs = merge_described_runs(Runs((run(1, Status.RUNNING),)), [goes_on])
    assert runs.follows("run-2")
    assert runs.first_of(goes_on).run_id == "run-1"
