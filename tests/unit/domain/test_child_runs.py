from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.child_runs import (
    ChildExecution,
    ChildListing,
    ReportedState,
    exceeds_count,
    is_behind_count,
    merge_children,
)
from dashboard.domain.children import tree_from_children
from dashboard.domain.entities import Execution, Status
from dashboard.domain.entity_map import EntityMap
from tests.support.rollout_makers import STARTED, entity, execution

RELEASE = "release:r"
MAP = EntityMap()


def child(number: int, status: Status = Status.RUNNING, **fields: Any) -> ChildExecution:
    """The nth run below a release. Some share their start, and some their workflow id with an earlier run."""
    started = STARTED + timedelta(seconds=number // 3)
    closed = started + timedelta(seconds=5) if status.closed else None
    workflow_id = f"app:a{number % 7}"
    defaults = {"workflow_id": workflow_id, "run_id": f"r{number}", "started_at": started, "closed_at": closed}
    return ChildExecution(execution(status, **defaults | fields), RELEASE, "run-1")


def tree(release: Execution, listed: tuple[ChildExecution, ...]) -> Any:
    return tree_from_children(release, ChildListing(listed), MAP)


ENDS = st.sampled_from([None, Status.COMPLETED, Status.FAILED, Status.TERMINATED])


@given(st.lists(ENDS, max_size=20), st.data())
def test_looks_in_any_order_with_late_records_give_the_tree_of_one_whole_list(ends, data: st.DataObject):
    now = tuple(child(n, end or Status.RUNNING) for n, end in enumerate(ends))
    seen = list(now) + [child(n) for n, end in enumerate(ends) if end and data.draw(st.booleans())]
    records = data.draw(st.permutations(seen))
    merged: tuple[ChildExecution, ...] = ()
    while records:
        size = data.draw(st.integers(1, len(records)))
        merged, records = merge_children(merged, records[:size]), records[size:]
    assert {c.execution.run_id: c for c in merged} == {c.execution.run_id: c for c in now}
    assert tree(execution(), merged) == tree(execution(), now)


@given(st.lists(ENDS, max_size=12), st.lists(st.integers(0, 11)))
def test_what_was_missed_is_found_by_its_count(ends, forgotten):
    now = [child(n, end or Status.RUNNING) for n, end in enumerate(ends)]
    known = ChildListing(tuple(c for n, c in enumerate(now) if n not in forgotten))
    assert is_behind_count(known, ChildListing(tuple(now)).tally) is (len(known.listed) < len(now))


def test_an_end_that_was_missed_is_found_by_its_count_and_being_ahead_of_it_is_no_lack():
    running, ended = ChildListing((child(1),)), ChildListing((child(1, Status.FAILED),))
    assert is_behind_count(running, ended.tally)
    assert not is_behind_count(ended, running.tally)
    assert exceeds_count(ended, running.tally), "nothing that has ended runs again: what was counted is another run"
    assert exceeds_count(ended, ChildListing(()).tally)
    assert not exceeds_count(running, ended.tally)


def test_what_a_run_says_of_itself_is_shown_as_far_as_its_status_bears_it_out():
    said = entity("app:a1", "deploying", version="1.2", error="slow")
    words = {"r1": ReportedState(said, 1.0)}

    def shown(status: Status) -> Any:
        root = tree_from_children(execution(), ChildListing((child(1, status),), words=words), MAP)
        return list(root.walk())[-1]

    row = shown(Status.RUNNING)
    assert (row.state, row.phase, row.version, row.error) == ("deploying", "running", "1.2", "slow")
    assert row.details["run_id"] == "r1"
    for status, phase in [
        (Status.FAILED, "failed"),
        (Status.COMPLETED, "succeeded"),
        (Status.TERMINATED, "terminated"),
    ]:
        row = shown(status)
        assert (row.phase, row.overruled) == (phase, True)


def test_a_finished_word_stands_once_its_run_has_completed_and_not_once_it_has_failed():
    words = {
        "r1": ReportedState(entity("app:a1", "degraded"), 1.0),
        "r2": ReportedState(entity("app:a2", "deployed"), 1.0),
    }
    listed = (child(1, Status.COMPLETED), child(2, Status.FAILED))
    rows = {row.id: row for row in tree_with(listed, words).walk()}
    assert (rows["app:a1"].state, rows["app:a1"].phase) == ("degraded", "failed")
    assert (rows["app:a2"].phase, rows["app:a2"].overruled) == ("failed", True)


def tree_with(listed: tuple[ChildExecution, ...], words: dict[str, ReportedState]) -> Any:
    return tree_from_children(execution(), ChildListing(listed, words=words), MAP)


def test_what_has_been_asked_and_said_nothing_keeps_its_status():
    row = list(tree_with((child(1),), {"r1": ReportedState(None, 1.0)}).walk())[-1]
    assert (row.state, row.phase, row.problem) == ("running", "running", None)
