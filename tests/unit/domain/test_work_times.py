"""When work on rows began and ended, whatever times a rollout tells."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.domain.entities import Entity, Execution, Release, Runs, Status
from dashboard.domain.phases import Phase
from dashboard.domain.reconcile import reconcile
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.timeline import build_timeline
from dashboard.domain.work_times import WorkTimes
from dashboard.views.timeline.page import TimelinePage
from tests.support.rollout_makers import STARTED, entity, execution

READ = STARTED + timedelta(hours=2)
ODD = [
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2999, 1, 1, tzinfo=UTC),
    datetime(1971, 5, 4, tzinfo=UTC),
    datetime(2, 1, 1, tzinfo=UTC),
]


def at(minute: float) -> datetime:
    return STARTED + timedelta(minutes=minute)


def app(name: str, state: str, changed: datetime | None) -> Entity:
    return entity(f"app:{name}", state, created_at=STARTED, updated_at=changed)


def wave(*apps: Entity, state: str = "in_progress") -> Entity:
    """A wave of one cluster with these apps, all recorded when the release started."""
    bundle = entity("bundle:c", state, *apps, created_at=STARTED, updated_at=STARTED)
    cluster = entity("cluster:c", state, bundle, created_at=STARTED, updated_at=STARTED)
    return entity("wave:w", state, cluster, created_at=STARTED, updated_at=STARTED)


def release_of(*waves: Entity, run: Execution | None = None) -> Release:
    return reconcile(run or execution(), entity("release:r", "in_progress", *waves, created_at=STARTED))


def times_of(release: Release, entity_id: str) -> tuple[datetime | None, datetime | None]:
    work = WorkTimes(release, READ)
    row = next(row for row in release.root.walk() if row.id == entity_id)
    return work.began(row), work.ended(row)


def test_a_row_that_waited_began_when_something_in_it_moved_first():
    release = release_of(wave(app("a", "deployed", at(20)), app("b", "deploying", at(25)), app("c", "pending", at(0))))
    assert [times_of(release, each) for each in ("wave:w", "cluster:c", "bundle:c")] == [(at(20), None)] * 3
    assert times_of(release, "app:b") == (at(25), None)
    assert times_of(release, "app:c") == (None, None)
    done = release_of(wave(app("a", "deployed", at(20)), app("b", "deployed", at(25)), state="completed"))
    assert times_of(done, "wave:w") == (at(20), at(25))


def test_a_single_row_that_is_done_tells_when_it_ended_and_not_when_it_began():
    release = release_of(wave(app("a", "failed", at(12))))
    assert times_of(release, "app:a") == (None, at(12))


def test_what_an_ended_release_left_at_work_ended_with_it():
    run = execution(Status.TERMINATED, closed_at=at(30))
    release = release_of(wave(app("a", "deploying", at(20)), app("b", "pending", at(0))), run=run)
    assert times_of(release, "app:a") == (None, at(30))
    assert times_of(release, "app:b") == (None, None)


@pytest.mark.parametrize("odd", ODD)
def test_a_time_years_away_dates_no_work_and_leaves_the_axis_alone(odd: datetime):
    release = release_of(wave(app("a", "deployed", at(20)), app("b", "failed", odd), state="deployed"))
    assert times_of(release, "app:b") == (None, None)
    drawn = build_timeline(release, READ)
    assert (drawn.span.start, drawn.known_until) == (STARTED, at(20))
    assert [mark for bar in drawn.bars for mark in bar.marks] == [], "nobody knows when that failed"
    page = TimelinePage.of(Snapshot(release, READ, "v"))
    assert page.until - page.from_at < timedelta(hours=1)
    assert len(list(page.ticks())) <= 10
    assert next(row for row in release.root.walk() if row.id == "app:b").updated_at == odd, "it is shown as told"


def test_times_some_days_before_or_hours_after_are_taken_as_they_are():
    release = release_of(wave(app("a", "deployed", at(-3000)), app("b", "deploying", at(300)), state="odd"))
    drawn = build_timeline(release, READ)
    assert (drawn.span.start, drawn.known_until) == (at(-3000), at(300))


def test_a_run_begins_after_its_delay_and_a_reset_one_with_the_run_before_it():
    assert execution(execution_time=at(10)).began_at == at(10)
    assert execution(original_started_at=at(-50)).began_at == at(-50)
    assert execution(Status.TERMINATED, execution_time=at(10), closed_at=at(3)).began_at == at(3), "before its time"
    assert execution().began_at == STARTED


def test_a_release_that_continued_as_new_began_with_its_first_run():
    new = execution(run_id="3", started_at=at(60))
    before = execution(Status.CONTINUED_AS_NEW, run_id="2", started_at=at(30), closed_at=at(60))
    first = execution(Status.CONTINUED_AS_NEW, run_id="1", started_at=at(0), closed_at=at(30))
    other = execution(Status.FAILED, run_id="0", started_at=at(-90), closed_at=at(-80))
    release = replace(release_of(run=new), runs=Runs((new, before, first, other)))
    assert release.began_at == at(0)
    assert replace(release, execution=other).began_at == at(-90)
    assert replace(release, execution=before).began_at == at(0)


def test_a_release_that_is_scheduled_has_not_begun():
    release = release_of(run=execution(execution_time=at(300)))
    assert replace(release, scheduled_for=at(300)).began_at is None
    assert release.began_at == at(300)


def test_a_row_of_a_phase_without_an_end_goes_on():
    release = release_of(wave(app("a", "awaiting_approval", at(5))))
    row = next(row for row in release.root.walk() if row.id == "app:a")
    assert row.phase is Phase.PAUSED
    assert times_of(release, "app:a") == (at(5), None)
