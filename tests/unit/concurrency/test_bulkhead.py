import pytest

from dashboard.concurrency.bulkhead import BULKHEAD_SIZE, FULL_PAUSE_SECONDS, Bulkhead
from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.domain.snapshot import Snapshot, utc_now
from dashboard.live.snapshot_store import SnapshotStore
from dashboard.server.uvicorn_server import SERVER_THREADS


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_so_many_have_a_seat_and_one_that_is_given_back_is_free_again():
    bulkhead = Bulkhead(2, patience=0)
    assert [bulkhead.take(), bulkhead.take(), bulkhead.take()] == [True, True, False]
    bulkhead.give()
    assert bulkhead.take()


def test_while_all_are_taken_only_one_in_a_while_waits_for_one():
    clock = Clock()
    bulkhead = Bulkhead(1, patience=0.01, clock=clock)
    assert bulkhead.take()
    assert not bulkhead.take()
    bulkhead._patience = 60
    assert not bulkhead.take(), "told at once, or this would last a minute"
    clock.now += FULL_PAUSE_SECONDS
    bulkhead.give()
    assert bulkhead.take()


def test_a_server_has_threads_left_when_every_seat_is_taken():
    assert BULKHEAD_SIZE < SERVER_THREADS


def test_without_a_seat_what_was_last_known_is_told_and_marked():
    bulkhead = Bulkhead(1, patience=0)
    store: SnapshotStore[str, str] = SnapshotStore(
        lambda key, _last, _seconds: Snapshot(key, utc_now(), "v"), max_age=0, keep=4, bulkhead=bulkhead
    )
    good = store.get("seen")
    assert bulkhead.take()
    stale = store.get("seen")
    assert (stale.value, stale.as_of, stale.stale) == (good.value, good.as_of, True)
    assert stale.reason
    assert stale.reason.code is ProblemCode.BUSY
    with pytest.raises(SourceUnavailable):
        store.get("unseen")
    bulkhead.give()
    assert not store.get("seen").stale


def test_a_seat_is_given_back_by_a_load_that_fails():
    bulkhead = Bulkhead(1, patience=0)

    def fail(_key: str, _last: Snapshot[str] | None, _seconds: float | None) -> Snapshot[str]:
        raise SourceUnavailable(Problem(ProblemCode.TIMED_OUT, "late"))

    store: SnapshotStore[str, str] = SnapshotStore(fail, max_age=0, keep=4, bulkhead=bulkhead)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="late"):
            store.get("a")
