"""Whose turn it is, by a clock that only the test moves."""

from collections import Counter

import pytest

from dashboard.live.schedule import (
    FAST_WINDOW_SECONDS,
    FINISHED_INTERVAL_SECONDS,
    LATE_AFTER_SECONDS,
    POLL_LINGER_SECONDS,
    PollSchedule,
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def turns_of(clock: Clock, budget: float = 1000, at_once: int = 8) -> PollSchedule[str]:
    return PollSchedule(budget=budget, at_once=at_once, clock=clock)


def play(turns: PollSchedule[str], clock: Clock, seconds: float, step: float = 0.01) -> list[str]:
    """The order of turns in so many seconds, each of which takes no time."""
    order = []
    for _ in range(round(seconds / step)):
        clock.now += step
        while watch := turns.next():
            order.append(watch.what)
            turns.done(watch, over=False)
    return order


def test_each_thing_has_a_turn_in_each_of_its_intervals(clock: Clock):
    turns = turns_of(clock)
    turns.add("release", 1.0, 1.0)
    turns.add("problems", 3.0, 3.0)
    assert Counter(play(turns, clock, 12.5)) == {"release": 12, "problems": 4}


def test_what_has_moved_lately_has_more_turns_than_what_is_quiet(clock: Clock):
    turns = turns_of(clock)
    watch = turns.add("a", 1.0, 0.0, fast_interval=0.5)
    watch.subscribers[1] = lambda _version: None
    play(turns, clock, FAST_WINDOW_SECONDS)
    assert len(play(turns, clock, 10.5)) in {10, 11}
    turns.moved(watch)
    assert len(play(turns, clock, 10.5)) >= 20


def test_what_nobody_has_asked_for_is_let_go(clock: Clock):
    turns = turns_of(clock)
    turns.add("a", 1.0, 1.0)
    turns.add("b", 1.0, 1.0)
    play(turns, clock, POLL_LINGER_SECONDS - 2)
    turns.add("b", 1.0, 1.0)
    assert set(play(turns, clock, 4)) == {"a", "b"}
    assert set(play(turns, clock, 4)) == {"b"}
    assert [watch.what for watch in turns] == ["b"]


def test_what_somebody_subscribes_to_stays_and_is_let_go_a_while_after(clock: Clock):
    turns = turns_of(clock)
    watch = turns.add("a", 1.0, 1.0)
    watch.subscribers[1] = lambda _version: None
    assert len(play(turns, clock, POLL_LINGER_SECONDS * 3)) >= POLL_LINGER_SECONDS * 3 - 2
    watch.subscribers.clear()
    watch.asked_at = clock.now
    assert len(play(turns, clock, POLL_LINGER_SECONDS * 3)) <= POLL_LINGER_SECONDS
    assert len(turns) == 0


def test_nobody_has_two_turns_before_everybody_had_one_and_the_budget_holds(clock: Clock):
    turns = turns_of(clock, budget=20)
    names = [f"release {number}" for number in range(100)]
    for name in names:
        turns.add(name, 1.0, 0.0)
    order = play(turns, clock, 15)
    assert len(order) <= 20 * 15 + 1
    assert len(order) >= 20 * 15 - 1
    assert order == (names * 4)[: len(order)]


def test_looks_made_on_the_way_come_off_the_budget(clock: Clock):
    turns = turns_of(clock, budget=10)
    turns.add("a", 0.1, 0.0)
    assert play(turns, clock, 0.05) == ["a"]
    turns.charge(19)
    assert play(turns, clock, 1.9) == []
    assert len(play(turns, clock, 1.0)) >= 9


def test_only_so_many_are_under_way_at_once(clock: Clock):
    turns = turns_of(clock, at_once=2)
    for name in "abc":
        turns.add(name, 1.0, 0.0)
    first = turns.next()
    clock.now += 0.5
    second = turns.next()
    clock.now += 0.5
    assert first
    assert second
    assert turns.next() is None
    assert turns.pause() is None, "a turn that ends is what it waits for"
    turns.done(first, over=False)
    third = turns.next()
    assert third
    assert third.what == "c"


def test_the_pause_lasts_until_the_next_turn_or_until_the_budget_allows_it(clock: Clock):
    turns = turns_of(clock, budget=2)
    assert turns.pause() is None
    turns.add("a", 1.0, 0.25)
    assert turns.pause() == 0.25
    clock.now += 0.25
    watch = turns.next()
    assert watch
    turns.add("b", 1.0, 0.0)
    assert turns.pause() == 0.25, "two in a second, since it began"


def test_what_waits_too_long_for_its_turn_is_late_until_it_has_had_it(clock: Clock):
    turns = turns_of(clock)
    watch = turns.add("a", 1.0, 1.0)
    clock.now += 1 + LATE_AFTER_SECONDS
    assert not turns.late(watch)
    clock.now += 0.1
    assert turns.late(watch)
    assert turns.next() is watch
    clock.now += 5
    assert turns.late(watch), "it is not renewed yet"
    turns.done(watch, over=False)
    assert not turns.late(watch), "however long its turn took"
    assert turns.next() is watch
    clock.now += 5
    assert not turns.late(watch), "a turn that began in time"


def test_what_is_over_is_let_go_unless_somebody_subscribes_to_it(clock: Clock):
    turns = turns_of(clock)
    turns.add("gone", 1.0, 0.0)
    turns.add("kept", 1.0, 0.0).subscribers[1] = lambda _version: None
    for _ in range(2):
        watch = turns.next()
        assert watch
        turns.done(watch, over=True)
        clock.now += 0.1
    assert [watch.what for watch in turns] == ["kept"]
    clock.now += FINISHED_INTERVAL_SECONDS - 0.2
    assert turns.next() is None
    clock.now += 0.2
    assert turns.next()


def test_what_was_over_and_has_begun_anew_is_renewed_in_its_interval(clock: Clock):
    turns = turns_of(clock)
    turns.add("a", 1.0, 0.0).subscribers[1] = lambda _version: None
    watch = turns.next()
    assert watch
    turns.done(watch, over=True)
    turns.renew("a", 1.0)
    assert not watch.over
    assert len(play(turns, clock, 5.5)) == 5, "and once in each, whatever its place in the queue was before"


def test_what_is_asked_for_during_its_turn_has_one_place_in_the_queue(clock: Clock):
    turns = turns_of(clock)
    turns.add("a", 1.0, 0.0)
    watch = turns.next()
    assert watch
    turns.renew("a", 1.0)
    turns.done(watch, over=False)
    assert len(play(turns, clock, 5.5)) == 5


def test_a_day_with_thousands_of_things_leaves_nothing_behind(clock: Clock):
    turns = turns_of(clock, budget=50)
    for number in range(86_400 // 20):
        turns.add(f"release {number}", 1.0, 1.0)
        play(turns, clock, 20, step=1.0)
        assert len(turns) <= 3
        assert len(turns._waiting) <= 3
    play(turns, clock, POLL_LINGER_SECONDS + 2, step=1.0)
    assert (len(turns), turns._waiting) == (0, [])
