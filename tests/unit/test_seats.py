import pytest

from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.live.seats import PAUSE, SEATS, Seats
from dashboard.live.snapshots import Snapshot, SnapshotStore, now
from dashboard.serve import THREADS


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_so_many_have_a_seat_and_one_that_is_given_back_is_free_again():
    seats = Seats(2, patience=0)
    assert [seats.take(), seats.take(), seats.take()] == [True, True, False]
    seats.give()
    assert seats.take()


def test_while_all_are_taken_only_one_in_a_while_waits_for_one():
    clock = Clock()
    seats = Seats(1, patience=0.01, clock=clock)
    assert seats.take()
    assert not seats.take()
    seats._patience = 60
    assert not seats.take(), "told at once, or this would last a minute"
    clock.now += PAUSE
    seats.give()
    assert seats.take()


def test_a_server_has_threads_left_when_every_seat_is_taken():
    assert SEATS < THREADS


def test_without_a_seat_what_was_last_known_is_told_and_marked():
    seats = Seats(1, patience=0)
    store: SnapshotStore[str, str] = SnapshotStore(
        lambda key, _last, _seconds: Snapshot(key, now(), "v"), max_age=0, keep=4, seats=seats
    )
    good = store.get("seen")
    assert seats.take()
    stale = store.get("seen")
    assert (stale.value, stale.as_of, stale.stale) == (good.value, good.as_of, True)
    assert stale.reason
    assert stale.reason.code is ProblemCode.BUSY
    with pytest.raises(SourceUnavailable):
        store.get("unseen")
    seats.give()
    assert not store.get("seen").stale


def test_a_seat_is_given_back_by_a_load_that_fails():
    seats = Seats(1, patience=0)

    def fail(_key: str, _last: Snapshot[str] | None, _seconds: float | None) -> Snapshot[str]:
        raise SourceUnavailable(Problem(ProblemCode.TIMED_OUT, "late"))

    store: SnapshotStore[str, str] = SnapshotStore(fail, max_age=0, keep=4, seats=seats)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="late"):
            store.get("a")
