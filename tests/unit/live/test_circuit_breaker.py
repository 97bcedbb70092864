from collections.abc import Callable, Hashable

import pytest

from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.live.circuit_breaker import (
    MAX_PAUSE_SECONDS,
    CircuitBreaker,
    CircuitBreakers,
    ReleaseBreakerKey,
)

DOWN = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker, error: Exception | None = None) -> None:
    with breaker.guard():
        raise error or SourceUnavailable(DOWN)


def works(breaker: CircuitBreaker) -> bool:
    with breaker.guard():
        return True


def test_it_lets_calls_through():
    assert works(CircuitBreaker())


def test_after_a_failure_everybody_is_told_at_once_until_the_pause_is_over():
    clock = Clock()
    breaker = CircuitBreaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    with pytest.raises(SourceUnavailable) as told:
        works(breaker)
    assert told.value.problem == DOWN
    clock.now += 1.1
    assert works(breaker)
    assert works(breaker)


def test_only_one_caller_at_a_time_finds_out_whether_it_is_back():
    clock = Clock()
    breaker = CircuitBreaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    clock.now += 1.1
    with breaker.guard(), pytest.raises(SourceUnavailable):
        works(breaker)
    assert works(breaker)


def test_a_failed_try_opens_it_again():
    clock = Clock()
    breaker = CircuitBreaker(pause=1.0, clock=clock)
    for _ in range(2):
        clock.now += 1.1
        with pytest.raises(SourceUnavailable):
            fail(breaker)
    with pytest.raises(SourceUnavailable):
        works(breaker)


def test_not_found_is_an_answer():
    clock = Clock()
    breaker = CircuitBreaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    clock.now += 1.1
    with pytest.raises(ReleaseNotFound):
        fail(breaker, ReleaseNotFound("release:r"))
    assert works(breaker)


def test_a_fault_of_ours_does_not_say_that_temporal_is_back():
    clock = Clock()
    breaker = CircuitBreaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    clock.now += 1.1
    with pytest.raises(ZeroDivisionError):
        fail(breaker, ZeroDivisionError())
    assert works(breaker), "the pause is over, and nobody is trying"


LATE = Problem(ProblemCode.TIMED_OUT, "Temporal did not respond in time.")
REFUSED = Problem(ProblemCode.REFUSED, "Temporal is rate-limiting this dashboard.")


A, B, C = map(ReleaseBreakerKey, ("release:a", "release:b", "release:c"))


def fails(
    breakers: CircuitBreakers, key: Hashable, problem: Problem, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Make a call that fails, after something else has happened."""

    def call() -> None:
        with breakers.guard(key):
            meanwhile()
            raise SourceUnavailable(problem)

    with pytest.raises(SourceUnavailable):
        call()


def goes(breakers: CircuitBreakers, key: Hashable) -> bool:
    """Whether a call is made, and answered."""
    try:
        with breakers.guard(key):
            return True
    except SourceUnavailable:
        return False


@pytest.mark.parametrize("problem", [LATE, REFUSED], ids=lambda problem: problem.code)
def test_a_list_that_is_late_or_refused_closes_nothing_else(problem: Problem):
    breakers = CircuitBreakers(Clock())
    fails(breakers, "a list", problem)
    assert breakers.problem("a list") == problem
    assert not goes(breakers, "a list")
    assert goes(breakers, "another")
    assert goes(breakers, A)
    assert breakers.problem(A) is None


def test_a_release_that_is_late_closes_nothing_but_itself():
    breakers = CircuitBreakers(Clock())
    fails(breakers, A, LATE)
    assert breakers.problem(A) == LATE
    assert [goes(breakers, key) for key in (A, B, "a list")] == [False, True, True]


def test_two_releases_that_are_late_close_all_releases_unless_one_answers_between():
    clock = Clock()
    breakers = CircuitBreakers(clock)
    fails(breakers, A, LATE)
    assert goes(breakers, C)
    fails(breakers, B, LATE)
    assert goes(breakers, C)
    clock.now += 10
    fails(breakers, A, LATE)
    fails(breakers, B, LATE)
    assert [goes(breakers, key) for key in (C, "a list")] == [False, True]


def test_one_that_is_closed_for_itself_does_not_keep_the_others_closed():
    clock = Clock()
    breakers = CircuitBreakers(clock)
    fails(breakers, A, LATE)
    fails(breakers, B, LATE)
    clock.now += 1.1
    fails(breakers, B, LATE)
    clock.now += 1.1
    assert not goes(breakers, B), "its own pause is longer"
    assert goes(breakers, C)
    assert goes(breakers, A)


def test_releases_that_are_refused_for_too_many_calls_are_closed_together():
    breakers = CircuitBreakers(Clock())
    fails(breakers, A, REFUSED)
    assert [goes(breakers, key) for key in (B, "a list")] == [False, True]


@pytest.mark.parametrize("finder", ["a list", A])
def test_where_temporal_cannot_be_reached_nobody_tries_but_one(finder: Hashable):
    clock = Clock()
    breakers = CircuitBreakers(clock)
    fails(breakers, finder, DOWN)
    assert [goes(breakers, key) for key in ("a list", "another", A)] == [False, False, False]
    clock.now += 1.1
    assert [goes(breakers, key) for key in ("a list", "another", A)] == [True, True, True]


def test_a_list_that_stays_late_is_tried_ever_less_often_until_something_works_again():
    clock = Clock()
    breakers = CircuitBreakers(clock)
    for _ in range(10):
        fails(breakers, "a list", LATE)
        clock.now += MAX_PAUSE_SECONDS
    fails(breakers, "a list", LATE)
    clock.now += 5
    assert goes(breakers, "another"), "which was well before"
    assert not goes(breakers, "a list")
    fails(breakers, A, LATE)
    clock.now += 1.1
    assert goes(breakers, A)
    assert goes(breakers, "a list"), "Temporal was away, and is back"
