import pytest

from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.live.breaker import Breaker

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
