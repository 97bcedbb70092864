from collections.abc import Callable

import pytest

from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.live.breaker import LONGEST, Breaker, Breakers

DOWN = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, error: Exception | None = None) -> None:
    with breaker.guard():
        raise error or SourceUnavailable(DOWN)


def works(breaker: Breaker) -> bool:
    with breaker.guard():
        return True


def test_it_lets_calls_through():
    assert works(Breaker())


def test_after_a_failure_everybody_is_told_at_once_until_the_pause_is_over():
    clock = Clock()
    breaker = Breaker(pause=1.0, clock=clock)
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
    breaker = Breaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    clock.now += 1.1
    with breaker.guard(), pytest.raises(SourceUnavailable):
        works(breaker)
    assert works(breaker)


def test_a_failed_try_opens_it_again():
    clock = Clock()
    breaker = Breaker(pause=1.0, clock=clock)
    for _ in range(2):
        clock.now += 1.1
        with pytest.raises(SourceUnavailable):
            fail(breaker)
    with pytest.raises(SourceUnavailable):
        works(breaker)


def test_not_found_is_an_answer():
    clock = Clock()
    breaker = Breaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    clock.now += 1.1
    with pytest.raises(ReleaseNotFound):
        fail(breaker, ReleaseNotFound("release:r"))
    assert works(breaker)


def test_a_fault_of_ours_does_not_say_that_temporal_is_back():
    clock = Clock()
    breaker = Breaker(pause=1.0, clock=clock)
    with pytest.raises(SourceUnavailable):
        fail(breaker)
    clock.now += 1.1
    with pytest.raises(ZeroDivisionError):
        fail(breaker, ZeroDivisionError())
    assert works(breaker), "the pause is over, and nobody is trying"


LATE = Problem(ProblemCode.TIMED_OUT, "Temporal did not answer in time.")
REFUSED = Problem(ProblemCode.REFUSED, "Temporal is limiting the rate of this dashboard's calls.")


def fails(breakers: Breakers, key: str | None, problem: Problem, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Make a call that fails, after something else has happened."""

    def call() -> None:
        with breakers.guard(key):
            meanwhile()
            raise SourceUnavailable(problem)

    with pytest.raises(SourceUnavailable):
        call()


def goes(breakers: Breakers, key: str | None) -> bool:
    """Whether a call is made, and answered."""
    try:
        with breakers.guard(key):
            return True
    except SourceUnavailable:
        return False


@pytest.mark.parametrize("problem", [LATE, REFUSED], ids=lambda problem: problem.code)
def test_a_list_that_is_late_or_refused_closes_nothing_else(problem: Problem):
    breakers = Breakers(Clock())
    fails(breakers, "a list", problem)
    assert breakers.problem("a list") == problem
    assert not goes(breakers, "a list")
    assert goes(breakers, "another")
    assert goes(breakers, None)
    assert breakers.problem() is None


def test_releases_that_are_late_close_no_list():
    breakers = Breakers(Clock())
    fails(breakers, None, LATE)
    assert not goes(breakers, None)
    assert goes(breakers, "a list")


def test_a_release_that_is_late_while_another_answers_closes_no_other():
    clock = Clock()
    breakers = Breakers(clock)

    def meanwhile() -> None:
        clock.now += 1.0
        assert goes(breakers, None)
        clock.now += 1.0

    fails(breakers, None, LATE, meanwhile)
    assert goes(breakers, None)
    clock.now += 1.0
    fails(breakers, None, LATE)
    assert goes(breakers, None) is False, "nothing has answered since this one was asked for"


@pytest.mark.parametrize("finder", ["a list", None])
def test_where_temporal_cannot_be_reached_nobody_tries_but_one(finder: str | None):
    clock = Clock()
    breakers = Breakers(clock)
    fails(breakers, finder, DOWN)
    assert [goes(breakers, key) for key in ("a list", "another", None)] == [False, False, False]
    clock.now += 1.1
    assert [goes(breakers, key) for key in ("a list", "another", None)] == [True, True, True]


def test_a_list_that_stays_late_is_tried_ever_less_often_until_something_works_again():
    clock = Clock()
    breakers = Breakers(clock)
    for _ in range(10):
        fails(breakers, "a list", LATE)
        clock.now += LONGEST
    fails(breakers, "a list", LATE)
    clock.now += 5
    assert goes(breakers, "another"), "which was well before"
    assert not goes(breakers, "a list")
    fails(breakers, None, LATE)
    clock.now += 1.1
    assert goes(breakers, None)
    assert goes(breakers, "a list"), "Temporal was away, and is back"
