"""Releases in which nothing moves: which of them say so, and since when. The clock is the test's own."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dashboard.domain.causes import stuck_entities
from dashboard.domain.entities import Attempt, FailingTask, Release, Status
from dashboard.domain.history import History, ObservedChange, StateChange
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.stuck import Movement, detect_stuck
from dashboard.live.movements import MovementTracker
from dashboard.views.releases.page import ReleaseItem
from tests.support.rollout_makers import STARTED, entity, execution, retrying
from tests.unit.domain.test_overview import names, seen

AFTER = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
WATCHED = Movement(STARTED)


def release(*rows, state: str = "in_progress", changed: datetime | None = STARTED, **fields) -> Release:
    below = rows or (entity("cluster:a", "deploying", updated_at=changed),)
    return reconcile(execution(**fields), entity("release:r", state, entity("wave:one", "in_progress", *below)))


def test_nothing_has_moved_since_the_newest_change_that_anything_tells():
    quiet = release(entity("cluster:a", updated_at=STARTED + 5 * MINUTE), entity("cluster:b", created_at=STARTED))
    assert detect_stuck(quiet, WATCHED, STARTED + 34 * MINUTE, AFTER) is None
    found = detect_stuck(quiet, WATCHED, STARTED + 35 * MINUTE, AFTER)
    assert found is not None
    assert found.since == STARTED + 5 * MINUTE


def test_a_history_that_grows_is_a_change_though_no_row_tells_of_it():
    grew = Movement(STARTED, grew_at=STARTED + 20 * MINUTE)
    assert detect_stuck(release(), grew, STARTED + 49 * MINUTE, AFTER) is None
    found = detect_stuck(release(), grew, STARTED + 51 * MINUTE, AFTER)
    assert found is not None
    assert found.since == STARTED + 20 * MINUTE


def test_a_change_that_was_seen_here_counts():
    change = ObservedChange(STARTED, STARTED + 25 * MINUTE, StateChange(None, None))
    known = replace(release(), history=History(STARTED, {"cluster:a": (change,)}, count=1))
    assert detect_stuck(known, WATCHED, STARTED + 40 * MINUTE, AFTER) is None


def test_where_nothing_tells_a_time_it_is_claimed_only_from_the_first_look_on():
    silent = release(changed=None)
    late = Movement(STARTED + 300 * MINUTE)
    assert detect_stuck(silent, late, STARTED + 320 * MINUTE, AFTER) is None
    found = detect_stuck(silent, late, STARTED + 331 * MINUTE, AFTER)
    assert found is not None
    assert found.since == STARTED + 300 * MINUTE


def test_a_release_that_was_only_just_found_is_watched_first():
    just = Movement(STARTED + 60 * MINUTE)
    assert detect_stuck(release(), just, STARTED + 60 * MINUTE, AFTER) is None
    assert detect_stuck(release(), just, STARTED + 61 * MINUTE, AFTER) is not None


def test_a_time_that_has_not_come_is_no_change():
    odd = release(entity("cluster:a", updated_at=datetime(9999, 1, 1, tzinfo=STARTED.tzinfo)))
    assert detect_stuck(odd, WATCHED, STARTED + 90 * MINUTE, AFTER) is not None


FIRST_TRY = Attempt("app:a", 1, 10, None, None, "worker-1")
GAP = Problem(ProblemCode.MALFORMED, "not understood")


@pytest.mark.parametrize(
    "found",
    [
        release(entity("cluster:a", "deploying", attempt=FIRST_TRY)),
        release(entity("cluster:a", "deploying", attempt=retrying("app:a"))),
        release(attempts={"notify": FIRST_TRY}),
        release(entity("cluster:a", "awaiting_approval")),
        release(entity("cluster:a", "failed")),
        release(entity("cluster:a", "deploying", problem=GAP)),
        release(entity("cluster:a", "deploying", execution=execution(execution_time=STARTED + 200 * MINUTE))),
        release(state="awaiting_approval"),
        release(state="failed"),
        release(failing_task=FailingTask(4)),
        release(waiting_since=STARTED),
        release(execution_time=STARTED + 200 * MINUTE),
        release(status=Status.COMPLETED),
        release(status=Status.PAUSED),
        reconcile(execution(), entity("release:r", "in_progress")),
    ],
)
def test_what_works_waits_fails_is_scheduled_has_ended_or_was_not_read_is_not_stuck(found: Release):
    assert detect_stuck(found, WATCHED, STARTED + 90 * MINUTE, AFTER) is None


def test_movements_remember_when_histories_were_seen_to_grow():
    movements = MovementTracker(10, AFTER)
    quiet = release()
    for minutes, events in ((0, 10), (20, 12), (21, 12)):
        movements.note(quiet, events, STARTED + minutes * MINUTE)
    assert movements.judged(quiet, STARTED + 49 * MINUTE).stuck is None
    found = movements.judged(quiet, STARTED + 50 * MINUTE)
    assert found.stuck is not None
    assert found.stuck.since == STARTED + 20 * MINUTE
    movements.note(quiet, 13, STARTED + 51 * MINUTE)
    assert movements.judged(found, STARTED + 51 * MINUTE).stuck is None


def test_events_in_a_child_workflow_count_and_fewer_than_before_say_nothing():
    def with_child(events: int | None) -> Release:
        return release(entity("cluster:a", updated_at=STARTED, execution=execution(history_length=events)))

    movements = MovementTracker(10, AFTER)
    for minutes, events in ((0, 5), (10, 9), (20, None), (30, 9)):
        movements.note(with_child(events), 10, STARTED + minutes * MINUTE)
    found = movements.judged(with_child(9), STARTED + 60 * MINUTE)
    assert found.stuck is not None
    assert found.stuck.since == STARTED + 10 * MINUTE


def test_a_stuck_release_moves_on_no_card_and_has_its_own():
    found = detect_stuck(release(), WATCHED, STARTED + 90 * MINUTE, AFTER)
    still = replace(release(), stuck=found)
    over = seen(still)
    assert (names(over.still), names(over.moving), names(over.waiting)) == (["r"], [], [])
    item = ReleaseItem.of(still, superseded=False)
    assert item.stuck is not None
    assert (item.stuck.since, item.overall_phase) == (STARTED, Phase.RUNNING)
    (row,) = stuck_entities(still)
    assert (row.entity.id, row.at) == ("release:r", STARTED)
