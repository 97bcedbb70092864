from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.child_runs import ChildExecution, ChildListing
from dashboard.domain.entities import Execution, FailingTask, Status
from dashboard.domain.rotation import has_running, has_unexplained, runs_to_describe, runs_to_explain
from tests.support.rollout_makers import STARTED, execution, retrying

RELEASE = "release:r"


def child(number: int, status: Status = Status.RUNNING, parent: str = RELEASE, **fields: Any) -> ChildExecution:
    """The nth child workflow, started so many minutes after its release."""
    defaults = {"workflow_id": f"app:{number}", "run_id": f"run-of-{number}"}
    started = STARTED + timedelta(minutes=number)
    return ChildExecution(execution(status, **defaults | {"started_at": started} | fields), parent, "run-1")


def described(of: ChildExecution, minute: int, **fields: Any) -> Execution:
    """A child workflow as it was described so many minutes later."""
    run = of.execution
    at = STARTED + timedelta(hours=1, minutes=minute)
    return execution(run.status, workflow_id=run.workflow_id, run_id=run.run_id, described_at=at, **fields)


def ids(runs: list[Execution]) -> list[str]:
    return [run.workflow_id for run in runs]


def test_all_that_run_are_described_where_there_are_few_of_them_and_nothing_that_has_ended():
    listed = (child(1), child(2, Status.COMPLETED), child(3), child(4, Status.FAILED))
    assert sorted(ids(runs_to_describe(execution(), ChildListing(listed), 20))) == ["app:1", "app:3"]


def test_those_that_were_never_described_come_first_and_of_these_the_ones_that_wait_for_no_other():
    listed = (child(1), child(2, parent="app:1"), child(3, parent="app:1"), child(4, parent="app:1"))
    known = {"run-of-4": described(listed[3], 0)}
    assert ids(runs_to_describe(execution(), ChildListing(listed, described=known), 2)) == ["app:2", "app:3"]


def test_what_is_in_trouble_is_described_again_and_again_and_the_others_still_have_their_turn():
    listed = tuple(child(number) for number in range(12))
    stuck = {"attempts": {"a": retrying("a")}}
    known = {c.execution.run_id: described(c, at, **(stuck if at > 5 else {})) for at, c in enumerate(listed)}
    chosen = ids(runs_to_describe(execution(), ChildListing(listed, described=known), 4))
    assert chosen == ["app:6", "app:7", "app:0", "app:1"]


@given(st.integers(21, 60), st.sets(st.integers(0, 59)), st.integers(4, 20))
def test_in_time_every_run_is_described_however_many_are_in_trouble(number: int, troubled: set[int], limit: int):
    listed = tuple(child(n) for n in range(number))
    known: dict[str, Execution] = {}
    for look in range(2 * number // (limit // 2) + 2):
        for run in runs_to_describe(execution(), ChildListing(listed, described=known), limit):
            at = STARTED + timedelta(hours=1, seconds=look)
            failing = FailingTask(3) if int(run.workflow_id[4:]) in troubled else None
            fields = {"workflow_id": run.workflow_id, "run_id": run.run_id, "described_at": at}
            known[run.run_id] = execution(failing_task=failing, **fields)
    assert len(known) == number


def test_a_run_that_was_described_as_ended_is_not_described_again_though_the_list_still_has_it_running():
    late = child(1)
    known = {"run-of-1": execution(Status.FAILED, workflow_id="app:1", run_id="run-of-1")}
    children = ChildListing((late,), described=known)
    assert runs_to_describe(execution(), children, 20) == []
    assert ids(runs_to_explain(execution(), children, 20)) == ["app:1"]
    assert not has_running(execution(), children)


def test_the_end_of_each_run_is_read_once_what_failed_first_and_only_that_of_the_newest_run():
    listed = (
        child(1, Status.TERMINATED),
        child(2, Status.FAILED),
        child(3, Status.TIMED_OUT),
        child(4, Status.FAILED),
        child(5, Status.COMPLETED),
        child(6, Status.FAILED, workflow_id="app:7", run_id="an-earlier-one"),
        child(7),
    )
    children = ChildListing(listed)
    assert ids(runs_to_explain(execution(), children, 3)) == ["app:4", "app:2", "app:3"]
    known = {c.execution.run_id: described(c, 0) for c in listed[:4]}
    read = ChildListing(listed, described=known)
    assert runs_to_explain(execution(), read, 3) == []
    assert (has_unexplained(execution(), children), has_unexplained(execution(), read)) == (True, False)
