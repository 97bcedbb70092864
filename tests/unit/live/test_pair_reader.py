"""Two releases that are shown together: read at once, and told of when either moves, with a small source."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.filters import PageRequest, ReleaseFilter
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.snapshot import Snapshot
from dashboard.domain.source import ReleaseReading
from dashboard.live.pair_reader import PairReader
from dashboard.live.service import LiveReleases
from dashboard.live.topic import ListTopic, PairTopic, ReleaseTopic, WallTopic
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import STARTED, entity, execution
from tests.support.waiting import eventually

LEFT, RIGHT = ("release:a", None), ("release:b", None)
BOTH = PairTopic(ReleaseTopic(*LEFT), ReleaseTopic(*RIGHT))
DOWN = SourceUnavailable(Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached."))


class Releases(FakeSource):
    """Releases that say each its own, or are not there."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, str | Exception] = {"release:a": "deploying", "release:b": "deploying"}

    async def read(self, release_id: str, *_: Any, **__: Any) -> ReleaseReading:
        said = self.said[release_id]
        if isinstance(said, Exception):
            raise said
        return ReleaseReading(execution(workflow_id=release_id), said=entity(release_id, said), digest=said)


@pytest.fixture
def source() -> Releases:
    return Releases()


@pytest.fixture
def live(source: Releases) -> Iterator[LiveReleases]:
    given: Any = source
    live = LiveReleases(given, LoopThread(), timeout=2, max_age=0.05)
    yield live
    live.close()


def states(live: LiveReleases) -> tuple[str, str]:
    seen = live.pair(LEFT, RIGHT).value
    return seen.left.value.root.state, seen.right.value.root.state


def test_both_are_read_at_the_same_time():
    meeting = threading.Barrier(2, timeout=10)

    def read(key: tuple[str, str | None]) -> Any:
        meeting.wait()
        return Snapshot(key, STARTED, key[0])

    reader = PairReader(read)
    assert [side.value for side in vars_of(reader.get(LEFT, RIGHT))] == [LEFT, RIGHT]
    reader.close()


def vars_of(seen: Snapshot[Any]) -> tuple[Snapshot[Any], Snapshot[Any]]:
    return seen.value.left, seen.value.right


@pytest.mark.parametrize("moving", ["release:a", "release:b"])
def test_whoever_watches_hears_another_version_when_either_moves(live: LiveReleases, source: Releases, moving: str):
    heard: list[str] = []
    end = live.subscribe(BOTH, heard.append)
    eventually(lambda: heard)
    assert "" not in heard, "one of them was still to be read, and not gone"
    assert heard[-1] == live.pair(LEFT, RIGHT).version
    source.said[moving] = "failed"
    eventually(lambda: "failed" in states(live) and heard[-1] == live.pair(LEFT, RIGHT).version)
    assert len(set(heard)) > 1
    end()


def test_whoever_watches_hears_that_one_is_gone(live: LiveReleases, source: Releases):
    heard: list[str] = []
    end = live.subscribe(BOTH, heard.append)
    eventually(lambda: heard)
    source.said["release:b"] = ReleaseNotFound("release:b")
    eventually(lambda: heard[-1] == "")
    with pytest.raises(ReleaseNotFound, match="release:b"):
        live.pair(LEFT, RIGHT)
    end()


@pytest.mark.parametrize("late", ["release:a", "release:b"])
def test_what_is_known_of_both_is_another_version_when_either_is(live: LiveReleases, source: Releases, late: str):
    assert live.known(BOTH) is None, "nobody looks at them"
    end = live.subscribe(BOTH, lambda _: None)
    eventually(lambda: live.known(BOTH))
    before = live.known(BOTH)
    assert before is not None
    source.said[late] = "failed"

    def moved() -> bool:
        now = live.known(BOTH)
        return now is not None and now.version != before.version

    eventually(moved)
    end()


def test_both_are_stale_if_either_is_and_as_old_as_the_older(live: LiveReleases, source: Releases):
    first = live.pair(LEFT, RIGHT)
    assert not first.stale
    source.said["release:a"] = DOWN
    eventually(lambda: live.pair(LEFT, RIGHT).stale)
    seen = live.pair(LEFT, RIGHT)
    assert (seen.value.left.stale, seen.reason) == (True, DOWN.problem)
    assert seen.as_of == min(seen.value.left.as_of, seen.value.right.as_of)


def test_a_wall_screen_hears_of_its_list_and_of_its_release(live: LiveReleases, source: Releases):
    what = WallTopic(ListTopic(PageRequest(50, filter=ReleaseFilter(q="a"))), ReleaseTopic(*LEFT))
    heard: list[str] = []
    end = live.subscribe(what, heard.append)
    eventually(lambda: heard and live.known(what) is not None)
    first = heard[-1]
    source.said["release:a"] = "completed"
    eventually(lambda: heard[-1] not in {"", first})
    end()
