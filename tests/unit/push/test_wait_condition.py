"""When a release is where it was waited for, and when there is nothing more to wait for."""

import pytest

from dashboard.domain.entities import Release, Status
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.snapshot import Snapshot, mark_stale
from dashboard.push.wait_condition import WaitCondition
from tests.support.rollout_makers import STARTED, entity, execution

AWAITED = WaitCondition("release:r", None, frozenset({Phase.SUCCEEDED}))
OF_A_RUN = WaitCondition("release:r", "run-1", frozenset({Phase.SUCCEEDED}))


def seen(phase: Phase, status: Status = Status.RUNNING) -> Snapshot[Release]:
    return Snapshot(Release(execution(status), entity("release:r", "odd", phase=phase)), STARTED, "1")


@pytest.mark.parametrize(
    ("phase", "status", "reached", "decided"),
    [
        (Phase.RUNNING, Status.RUNNING, False, False),
        # By its own word: its workflow may well go on for a while.
        (Phase.SUCCEEDED, Status.RUNNING, True, True),
        (Phase.SUCCEEDED, Status.COMPLETED, True, True),
        (Phase.FAILED, Status.COMPLETED, False, True),
        (Phase.FAILED, Status.RUNNING, False, False),
        (Phase.TERMINATED, Status.TERMINATED, False, True),
        (Phase.PAUSED, Status.PAUSED, False, False),
        (Phase.UNKNOWN, Status.CONTINUED_AS_NEW, False, False),
        (Phase.UNKNOWN, Status.UNKNOWN, False, False),
    ],
)
def test_a_wait_is_over_when_the_release_is_there_or_has_ended(
    phase: Phase, status: Status, reached: bool, decided: bool
) -> None:
    snapshot = seen(phase, status)
    assert (AWAITED.reached(snapshot), AWAITED.decided(snapshot)) == (reached, decided)


def test_what_may_be_out_of_date_decides_nothing() -> None:
    away = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.")
    for snapshot in (seen(Phase.SUCCEEDED), seen(Phase.FAILED, Status.FAILED)):
        assert AWAITED.decided(snapshot)
        stale = mark_stale(snapshot, away)
        assert not AWAITED.reached(stale)
        assert not AWAITED.decided(stale)


def test_one_run_is_over_where_another_goes_on() -> None:
    continued = seen(Phase.UNKNOWN, Status.CONTINUED_AS_NEW)
    assert OF_A_RUN.decided(continued)
    assert not AWAITED.decided(continued)
