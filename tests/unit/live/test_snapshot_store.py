import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.concurrency.bulkhead import Bulkhead
from dashboard.domain.filters import MalformedFilter
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.snapshot import Snapshot, utc_now, version_hash
from dashboard.live.snapshot_store import SnapshotStore
from tests.support.waiting import eventually

DOWN = Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached.")


def snapshot(value: str) -> Snapshot[str]:
    return Snapshot(value, utc_now(), version_hash(value))


class Source:
    """Counts its loads; answers or fails as told."""

    def __init__(self) -> None:
        self.loads = 0
        self.down = False
        self.gate = threading.Event()
        self.gate.set()

    def load(self, key: str, _last: Snapshot[str] | None, _seconds: float | None) -> Snapshot[str]:
        self.loads += 1
        assert self.gate.wait(10)
        if self.down:
            raise SourceUnavailable(DOWN)
        return snapshot(f"{key} {self.loads}")


def test_a_burst_of_viewers_makes_the_load_of_one():
    source = Source()
    # One for each: how long others wait for one depends on the machine.
    store = SnapshotStore(source.load, max_age=0, keep=4, bulkhead=Bulkhead(50))
    source.gate.clear()
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(store.get, "a") for _ in range(50)]
        eventually(lambda: source.loads)
        source.gate.set()
        values = {answer.result().value for answer in answers}
    assert "a 1" in values
    assert source.loads < 50


def test_viewers_who_come_soon_after_share_the_answer():
    source = Source()
    store = SnapshotStore(source.load, max_age=60, keep=4)
    assert store.get("a") is store.get("a")
    assert source.loads == 1


def test_an_answer_that_is_too_old_is_asked_for_again():
    source = Source()
    store = SnapshotStore(source.load, max_age=0, keep=4)
    assert [store.get("a").value, store.get("a").value] == ["a 1", "a 2"]


def test_what_was_last_known_stays_and_is_marked():
    source = Source()
    store = SnapshotStore(source.load, max_age=0, keep=4)
    good = store.get("a")
    source.down = True
    stale = store.get("a")
    assert (stale.value, stale.as_of, stale.stale, stale.reason) == (good.value, good.as_of, True, DOWN)
    assert stale.version != good.version, "an open page must hear of it"
    assert store.get("a").version == stale.version
    source.down = False
    assert not store.get("a").stale


def test_without_anything_known_the_error_is_told_to_all():
    source = Source()
    source.down = True
    store = SnapshotStore(source.load, max_age=0, keep=4)
    with pytest.raises(SourceUnavailable):
        store.get("a")
    source.down = False
    assert store.get("a").value == "a 2"


def test_only_so_many_are_kept():
    source = Source()
    store = SnapshotStore(source.load, max_age=60, keep=2)
    for key in "abc":
        store.get(key)
    store.get("a")
    assert source.loads == 4


@pytest.mark.parametrize("refusal", [ReleaseNotFound("a"), MalformedFilter("q", "too many begin like that")])
def test_what_is_refused_is_not_shown_from_memory(refusal: Exception):
    answers: list[Snapshot[str] | Exception] = [snapshot("a"), refusal]

    def load(_key: str, _last: Snapshot[str] | None, _seconds: float | None) -> Snapshot[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    store = SnapshotStore(load, max_age=60, keep=4)
    store.get("a")
    assert store.latest("a")
    with pytest.raises(type(refusal)):
        store.get("a", anew=True)
    assert store.latest("a") is None


def test_what_is_kept_is_weighed_with_its_key():
    source = Source()
    store = SnapshotStore(source.load, max_age=60, keep=100_000, weigh=len)
    for number in range(100):
        store.get(f"{number:02}" + "q" * 10_000)
    assert 60_000 < store.weight <= 100_000
    assert len(list(store.all_latest())) < 10
