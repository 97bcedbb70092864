"""The timeline of a release: spans of what was worked on, and an estimate of the rest."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.domain.entities import Entity, LevelCoverage, Release, Status
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.timeline import Timeline, TimelineBar, build_timeline
from tests.support.rollout_makers import STARTED, entity, execution, retrying

WORDS = ("pending", "deploying", "deployed", "failed", "odd", "")
READ = STARTED + timedelta(hours=2)
minutes = st.none() | st.integers(-5, 60)


def at(minute: float | None) -> datetime | None:
    return None if minute is None else STARTED + timedelta(minutes=minute)


def cluster(name: str, *apps: tuple[str, float | None], made: float = 0, word: str = "") -> Entity:
    """A cluster whose apps have these words since then."""
    words = {said for said, _ in apps}
    said = word or ("completed" if words == {"deployed"} else "pending" if words <= {"pending"} else "in_progress")
    changes = [changed for _, changed in apps if changed is not None]
    rows = [
        entity(f"app:{name}-{n}", app, created_at=at(made), updated_at=at(changed))
        for n, (app, changed) in enumerate(apps)
    ]
    bundle = entity(f"bundle:{name}", said, *rows, created_at=at(made), updated_at=at(max(changes, default=made)))
    return replace(bundle, id=f"cluster:{name}", type=entity("cluster:x").type, name=name, children=(bundle,))


def wave(name: str, *clusters: Entity, word: str = "") -> Entity:
    words = {row.state for row in clusters}
    said = word or (words.pop() if len(words) == 1 else "in_progress")
    changes = [row.updated_at for row in clusters if row.updated_at]
    return entity(f"wave:{name}", said, *clusters, created_at=STARTED, updated_at=max(changes, default=STARTED))


def plan() -> list[Entity]:
    """A wave that took ten minutes for its two clusters, one at work of which one is half done, and one that waits."""
    return [
        wave("one", cluster("a", ("deployed", 2), ("deployed", 4)), cluster("b", ("deployed", 6), ("deployed", 12))),
        wave("two", cluster("c", ("deployed", 14), ("deploying", 15)), cluster("d", ("pending", 0))),
        wave("three", cluster("e", ("pending", 0))),
    ]


def drawn(*waves: Entity, status: Status = Status.RUNNING, word: str = "in_progress", ended: float = 30) -> Timeline:
    return build_timeline(judged(*waves, status=status, word=word, ended=ended), READ)


def judged(*waves: Entity, status: Status = Status.RUNNING, word: str = "in_progress", ended: float = 30) -> Release:
    run = execution(status, closed_at=at(ended) if status.closed else None)
    return reconcile(run, entity("release:r", word, *waves, created_at=STARTED))


def all_bars(seen: Timeline) -> list[TimelineBar]:
    return [bar for above in seen.bars for bar in (above, *above.bars)]


def test_a_record_made_in_advance_is_no_begin_of_work():
    one, two, three = drawn(*plan()).bars
    assert (one.span.start, one.span.end, one.span.exact) == (at(2), at(12), False)
    assert (two.span.start, two.span.end) == (at(14), None)
    assert [bar.span for bar in (two.bars[1], three, *three.bars)] == [None] * 3
    assert not three.begun


def test_where_rows_are_made_as_work_comes_to_them_their_making_is_the_begin():
    late = replace(cluster("b", ("deployed", 9), ("deployed", 12), made=5), created_at=at(5))
    one = wave("one", cluster("a", ("deployed", 2), ("deployed", 4)), late)
    a, b = drawn(one).bars[0].bars
    assert (a.span.start, b.span.start, b.span.exact) == (at(0), at(5), True)


def test_a_workflow_of_its_own_begins_with_its_run():
    run = entity("cluster:a", "running", created_at=at(3), updated_at=at(3), details={"run_id": "r"})
    (bar,) = drawn(entity("wave:w", "running", run, created_at=at(2), details={"run_id": "w"})).bars
    assert (bar.span.start, bar.bars[0].span.start, bar.bars[0].span.exact) == (at(2), at(3), True)
    assert bar.span.end is None


def test_what_an_ended_release_left_at_work_ended_with_it_and_what_it_left_waiting_never_began():
    seen = drawn(*plan(), status=Status.TERMINATED)
    _, two, three = seen.bars
    assert two.span.end == at(30)
    assert (three.span, three.begun) == (None, False)


def test_what_was_not_read_has_no_begin():
    unread = entity("wave:two", "in_progress", created_at=at(0), updated_at=at(20))
    unread = replace(unread, child_ids=("cluster:c",))
    bar = drawn(plan()[0], unread).bars[1]
    assert (bar.span, bar.begun, bar.changed_at) == (None, True, at(20))


def test_failures_stand_where_the_first_happened_and_retries_where_it_is_now():
    broken = cluster("a", ("failed", 3), ("failed", 2), ("deploying", 4), word="in_progress")
    bundle = broken.children[0]
    apps = (*bundle.children[:2], replace(bundle.children[2], attempt=retrying("app:a-2")))
    broken = replace(broken, children=(replace(bundle, children=apps),))
    failed, again = drawn(wave("one", broken)).bars[0].marks
    assert (failed.at, failed.count, failed.first.id) == (at(2), 2, "app:a-1")
    assert (again.at, again.count, again.first.id) == (None, 1, "app:a-2")


def test_the_rest_is_estimated_from_the_waves_that_are_done():
    estimate = drawn(*plan()).estimate
    assert estimate.since == at(15)
    # Five minutes for a cluster; one and a half are left in the second wave, and one in the third.
    assert estimate.waves == ((1, at(22.5)), (2, at(27.5)))
    assert (estimate.ends_at, estimate.waves_done, estimate.slower_now) == (at(27.5), 1, False)


def test_a_wave_at_work_that_is_slower_makes_the_estimate_longer():
    one, _, three = plan()
    slow = wave("two", cluster("c", ("deployed", 14), ("deployed", 34)), cluster("d", ("deploying", 34)))
    estimate = drawn(one, slow, three).estimate
    # One of its clusters took 20 minutes; one is left in it and one in the next.
    assert (estimate.ends_at, estimate.slower_now) == (at(34 + 40), True)


def stuck() -> Release:
    """The plan, with the one app that is at work tried again and again."""
    run = execution(attempts={"app:c-1": retrying("app:c-1")})
    return reconcile(run, entity("release:r", "in_progress", *plan(), created_at=STARTED))


@pytest.mark.parametrize(
    "release",
    [
        judged(*plan()[1:]),
        judged(*plan(), status=Status.COMPLETED),
        judged(*plan(), status=Status.FAILED),
        judged(*plan(), status=Status.PAUSED),
        judged(*plan(), word="paused"),
        judged(*plan()[:2], wave("three", cluster("e", ("pending", 0)), word="awaiting_approval")),
        judged(*plan()[:2], wave("three", cluster("e", ("pending", 0)), word="failed")),
        judged(*plan()[:2], wave("three")),
        judged(*plan()[:2], replace(plan()[2], problem=Problem(ProblemCode.NOT_READ, "not read"))),
        judged(*plan()[:2], replace(plan()[2], details={"run_id": "r"})),
        replace(judged(*plan()), levels=LevelCoverage(frozenset(), {})),
        replace(judged(*plan()), said_at=STARTED),
        judged(plan()[0]),
        judged(),
        stuck(),
    ],
)
def test_there_is_no_estimate_where_there_is_nothing_to_estimate_from(release: Release):
    assert build_timeline(release, READ).estimate is None


apps = st.builds(
    lambda word, made, changed: entity("app:a", word, created_at=at(made), updated_at=at(changed)),
    st.sampled_from(WORDS),
    minutes,
    minutes,
)
parents = lambda kind, below: st.builds(  # noqa: E731 - one line for three levels
    lambda word, made, changed, rows: entity(kind, word, *rows, created_at=at(made), updated_at=at(changed)),
    st.sampled_from([*WORDS, "in_progress", "completed"]),
    minutes,
    minutes,
    st.lists(below, max_size=3),
)
waves = st.lists(parents("wave:w", parents("cluster:c", parents("bundle:b", apps))), max_size=4)


@given(waves, st.sampled_from(Status))
@settings(max_examples=60, deadline=None)
def test_all_spans_are_within_the_releases_own_and_no_estimate_is_negative(rows: list[Entity], status: Status):
    seen = drawn(*rows, status=status)
    for bar in all_bars(seen):
        assert bar.begun or bar.span is None
        if bar.span:
            assert seen.span.start <= bar.span.start <= (bar.span.end or seen.known_until) <= seen.known_until
            assert bar.span.end or not status.closed
        assert all(seen.span.start <= mark.at <= seen.known_until for mark in bar.marks if mark.at)
    assert seen.span.end == (seen.known_until if status.closed else None)
    if seen.estimate:
        assert not status.closed
        assert seen.estimate.since <= seen.estimate.ends_at
        assert seen.estimate.waves[-1][1] == seen.estimate.ends_at
