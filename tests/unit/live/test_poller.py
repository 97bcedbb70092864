"""What is watched: looked at in the background, told to those who subscribe, and let go."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from dashboard.live.poller import MAX_POLL_THREADS, Poller
from dashboard.live.topic import ReleaseTopic, Topic
from tests.support.waiting import eventually

RELEASE = ReleaseTopic("release:r")
EVERY = 0.02


class Things:
    """Counts the looks at things; has the version of each, and says how a look at it goes."""

    def __init__(self) -> None:
        self.looks: Counter[Topic] = Counter()
        self.versions: dict[Topic, str] = {}
        self.over = False
        self.ended: set[Topic] = set()
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()
        self.poller = Poller(self.look, lambda what: self.versions.get(what, ""), budget=10_000)

    def look(self, what: Topic) -> bool:
        self.looks[what] += 1
        assert self.gate.wait(10)
        if self.broken:
            raise RuntimeError("a mistake")
        return not (self.over or what in self.ended)

    def looked(self, what: Topic = RELEASE) -> None:
        """Wait for a look that has begun after this."""
        seen = self.looks[what]
        eventually(lambda: self.looks[what] > seen + 1)


@pytest.fixture
def things() -> Iterator[Things]:
    things = Things()
    yield things
    things.gate.set()
    things.poller.close()


def test_what_is_watched_is_renewed_without_anybody_asking(things: Things):
    assert not things.poller.is_polling(RELEASE)
    things.poller.watch(RELEASE, EVERY)
    assert things.poller.is_polling(RELEASE)
    things.looked()


def test_one_watch_serves_everybody(things: Things):
    for _ in range(100):
        things.poller.watch(RELEASE, EVERY)
    assert len(things.poller) == 1


def test_a_subscriber_hears_the_version_at_once_and_each_other_one_once(things: Things):
    heard: list[str] = []
    things.versions[RELEASE] = "1"
    end = things.poller.subscribe(RELEASE, EVERY, heard.append)
    assert heard == ["1"]
    things.looked()
    things.versions[RELEASE] = "2"
    eventually(lambda: heard == ["1", "2"])
    things.looked()
    end()
    end()
    things.versions[RELEASE] = "3"
    things.looked()
    assert heard == ["1", "2"]


def test_a_subscriber_hears_of_what_could_not_be_read_before_and_of_what_is_gone(things: Things):
    heard: list[str] = []
    things.poller.subscribe(RELEASE, EVERY, heard.append)
    things.looked()
    assert heard == []
    things.versions[RELEASE] = "1"
    eventually(lambda: heard == ["1"])
    del things.versions[RELEASE]
    things.over = True
    eventually(lambda: heard == ["1", ""])
    assert not things.poller.is_polling(RELEASE), "whoever asks finds out himself"


def test_a_version_that_changes_with_time_alone_is_told_too(things: Things):
    heard: list[str] = []
    things.versions[RELEASE] = "1"
    things.gate.clear()
    things.poller.subscribe(RELEASE, EVERY, heard.append)
    eventually(lambda: things.looks[RELEASE])
    things.versions[RELEASE] = "1, behind"
    eventually(lambda: heard == ["1", "1, behind"])


def test_what_is_over_is_not_told_to_be_late(things: Things):
    ended, late = ReleaseTopic("release:ended"), RELEASE
    heard: dict[Topic, list[str]] = {ended: [], late: []}
    things.ended.add(ended)
    for what, versions in heard.items():
        things.versions[what] = "1"
        things.poller.subscribe(what, EVERY, versions.append)
    eventually(lambda: not things.poller.is_polling(ended))
    things.gate.clear()
    for what in heard:
        things.versions[what] = "1, behind"
    eventually(lambda: heard[late] == ["1", "1, behind"])
    assert heard[ended] == ["1"]


def test_what_is_over_is_watched_no_longer(things: Things):
    things.over = True
    things.poller.watch(RELEASE, EVERY)
    eventually(lambda: len(things.poller) == 0)
    assert not things.poller.is_polling(RELEASE)


def test_subscribers_of_a_thing_whose_look_goes_wrong_are_told_to_ask_themselves(things: Things):
    heard: list[str] = []
    things.versions[RELEASE] = "1"
    things.broken = True
    things.poller.subscribe(RELEASE, EVERY, heard.append)
    eventually(lambda: heard == ["1", ""])


def test_a_look_that_goes_wrong_ends_the_watch_of_its_thing_alone(things: Things):
    things.broken = True
    for number in range(MAX_POLL_THREADS * 2):
        things.poller.watch(ReleaseTopic(f"release:{number}"), EVERY)
    eventually(lambda: len(things.poller) == 0)
    things.broken = False
    things.poller.watch(RELEASE, EVERY)
    things.looked()


def test_so_many_slow_looks_are_under_way_and_no_more(things: Things):
    things.gate.clear()
    for number in range(MAX_POLL_THREADS * 2):
        things.poller.watch(ReleaseTopic(f"release:{number}"), EVERY)
    eventually(lambda: things.looks.total() == MAX_POLL_THREADS)
    assert things.poller.is_polling(ReleaseTopic("release:0"))
    assert things.looks.total() == MAX_POLL_THREADS
    things.gate.set()
    eventually(lambda: len(things.looks) == MAX_POLL_THREADS * 2)


def test_nothing_is_looked_at_once_it_is_closed(things: Things):
    things.poller.watch(RELEASE, EVERY)
    things.looked()
    things.poller.close()
    seen = things.looks.total()
    things.poller.watch(RELEASE, EVERY)
    assert things.looks.total() == seen
    assert [thread for thread in things.poller._threads if thread.is_alive()] == []
