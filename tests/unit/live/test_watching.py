"""What viewers are told of what is watched, with a small source and a clock that the test moves."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from dashboard.concurrency.call_log import note_call
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import Status
from dashboard.domain.filters import PageRequest
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.snapshot import Snapshot
from dashboard.live.change_log import with_history
from dashboard.live.schedule import LATE_AFTER_SECONDS, POLL_LINGER_SECONDS
from dashboard.live.service import DEFAULT_MAX_AGE_SECONDS, LiveReleases
from dashboard.live.topic import HistoryTopic, ListTopic, OccurrencesTopic, ProblemsTopic, ReleaseTopic, Topic
from scripts.memory_trace import MEMORY, Clock
from tests.support.fake_source import FakeSource
from tests.support.waiting import eventually

DOWN = SourceUnavailable(Problem(ProblemCode.UNAVAILABLE, "Temporal cannot be reached."))
ROOT = Path(__file__).parents[3]


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def live_on(source: FakeSource, clock: Clock, **options: Any) -> LiveReleases:
    given: Any = source
    return LiveReleases(given, LoopThread(), timeout=1.5, clock=clock, **options)


@pytest.fixture
def live(source: FakeSource, clock: Clock) -> Iterator[LiveReleases]:
    live = live_on(source, clock)
    yield live
    source.gate.set()
    live.close()


def state_of(live: LiveReleases) -> str:
    return live.release("release:r").value.root.state


def test_a_viewer_of_what_is_watched_causes_no_look_and_gets_what_the_last_one_found(
    live: LiveReleases, source: FakeSource, clock: Clock
):
    assert state_of(live) == "deploying"
    source.state = "completed"
    assert [state_of(live) for _ in range(50)] == ["deploying"] * 50
    assert source.reads == 1
    clock.now += DEFAULT_MAX_AGE_SECONDS
    eventually(lambda: state_of(live) == "completed")
    assert source.reads == 2, "however many have asked meanwhile"


def test_what_is_asked_for_once_is_not_watched_however_much_of_it_there_is(
    live: LiveReleases, source: FakeSource, clock: Clock
):
    for _ in range(2):
        for number in range(100):
            live.release(f"release:{number}")
        clock.now += POLL_LINGER_SECONDS
    assert len(live._poller) == 0
    live.release("release:0")
    live.release("release:0")
    assert len(live._poller) == 1


def test_who_has_things_read_without_end_takes_no_more_than_a_share_from_what_is_watched(clock: Clock):
    class Dear(FakeSource):
        async def read(self, *given: Any, **named: Any) -> Any:
            note_call()
            return await super().read(*given, **named)

    source = Dear()
    live, watched = live_on(source, clock, budget=50), ReleaseTopic("release:r")
    try:
        live.subscribe(watched, lambda _version: None)
        for number in range(2_000):
            live.renew(ReleaseTopic("release:other"), 1.0)
            live.peek(f"release:{number % 10}")
            clock.now += 0.001
        # The share of four seconds, and ten that were glanced at twice, more than a second apart.
        assert source.reads <= 50 * 0.5 * 4 + 2 * 10 + 5
        clock.now += DEFAULT_MAX_AGE_SECONDS
        source.state = "completed"
        eventually(lambda: live.release("release:r").value.root.state == "completed")
    finally:
        live.close()


def test_what_is_late_is_told_to_be_behind_and_nobody_waits_for_it(
    live: LiveReleases, source: FakeSource, clock: Clock
):
    heard: list[str] = []
    good = live.release("release:r")
    live.subscribe(ReleaseTopic("release:r"), heard.append)
    source.gate.clear()
    clock.now += DEFAULT_MAX_AGE_SECONDS + LATE_AFTER_SECONDS + 0.1
    behind = live.release("release:r")
    assert (behind.value, behind.as_of, behind.stale) == (good.value, good.as_of, True)
    assert behind.reason
    assert behind.reason.code is ProblemCode.BEHIND
    eventually(lambda: heard == [good.version, behind.version])
    source.gate.set()
    eventually(lambda: not live.release("release:r").stale)
    eventually(lambda: heard == [good.version, behind.version, good.version])


def test_an_outage_is_told_and_is_over_by_itself_with_nobody_asking(
    live: LiveReleases, source: FakeSource, clock: Clock
):
    heard: list[str] = []
    good = live.release("release:r").version
    live.subscribe(ReleaseTopic("release:r"), heard.append)
    source.answer = DOWN
    clock.now += DEFAULT_MAX_AGE_SECONDS
    eventually(lambda: len(heard) == 2)
    stale = live.release("release:r")
    assert (stale.stale, stale.reason, stale.version) == (True, DOWN.problem, heard[-1])
    source.answer = None
    clock.now += DEFAULT_MAX_AGE_SECONDS
    eventually(lambda: heard[2:] == [good])
    assert not live.release("release:r").stale


def test_a_release_that_temporal_forgets_is_gone_for_whoever_asks(live: LiveReleases, source: FakeSource, clock: Clock):
    heard: list[str] = []
    live.release("release:r")
    live.subscribe(ReleaseTopic("release:r"), heard.append)
    source.answer = ReleaseNotFound("release:r")
    clock.now += DEFAULT_MAX_AGE_SECONDS
    eventually(lambda: heard[-1] == "")
    with pytest.raises(ReleaseNotFound):
        live.release("release:r")


def test_a_release_that_has_ended_is_read_once_more_and_then_let_go(
    live: LiveReleases, source: FakeSource, clock: Clock
):
    source.status = Status.COMPLETED
    live.release("release:r")
    live.release("release:r")
    clock.now += DEFAULT_MAX_AGE_SECONDS
    eventually(lambda: len(live._poller) == 0)
    assert source.reads == 2, "the first answer may have come before the end"
    live.release("release:r")
    clock.now += DEFAULT_MAX_AGE_SECONDS
    live.release("release:r")
    assert len(live._poller) == 0


@pytest.mark.parametrize(
    "what",
    [
        ReleaseTopic("release:r"),
        HistoryTopic(ReleaseTopic("release:r")),
        ListTopic(PageRequest()),
        ProblemsTopic(),
        OccurrencesTopic("app:shop"),
        OccurrencesTopic("release:r"),
    ],
    ids=str,
)
def test_whatever_is_subscribed_to_is_read_and_told(live: LiveReleases, what: Topic):
    heard: list[str] = []
    end = live.subscribe(what, heard.append)
    eventually(lambda: heard)
    pages: dict[Topic, Callable[[], Snapshot[Any]]] = {
        ReleaseTopic("release:r"): lambda: live.release("release:r"),
        HistoryTopic(ReleaseTopic("release:r")): lambda: with_history(
            seen := live.release("release:r"), seen.value.history
        ),
        ListTopic(PageRequest()): lambda: live.page(PageRequest()),
        ProblemsTopic(): live.problems,
        OccurrencesTopic("app:shop"): lambda: live.occurrences("app:shop"),
        OccurrencesTopic("release:r"): lambda: live.occurrences("release:r"),
    }
    assert heard == [pages[what]().version], "as whoever asks for it is told"
    end()


def test_a_state_that_comes_again_is_another_version_of_what_was_seen(
    live: LiveReleases, source: FakeSource, clock: Clock
):
    release = ReleaseTopic("release:r")
    history = HistoryTopic(release)
    heard: dict[Topic, list[str]] = {release: [], history: []}
    ends = [live.subscribe(what, told.append) for what, told in heard.items()]
    eventually(lambda: all(heard.values()))
    for count, state in enumerate(("failed", "deploying"), start=2):
        source.state = state
        clock.now += DEFAULT_MAX_AGE_SECONDS
        eventually(lambda count=count: all(len(told) == count for told in heard.values()))
    assert len(set(heard[release])) == 2
    assert len(set(heard[history])) == 3
    known = live.known(history)
    assert known
    assert known.version == heard[history][-1]
    for end in ends:
        end()


@pytest.mark.timing
def test_a_day_in_which_thousands_of_releases_are_looked_at_leaves_nothing_behind():
    argv = [sys.executable, "-m", "scripts.memory_trace"]
    told = json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True).stdout)
    assert 0 < max(told["kept"]) <= MEMORY
    # Once all that is bounded is full, only what leaks grows; a table that doubles its room late grows once.
    assert is_steady(told["traced"][:24]) or is_steady(told["traced"]), told["traced"]
    assert told["watched"] == 0


def is_steady(traced: list[int]) -> bool:
    """Whether no more is allocated than six hours before, but for what the interpreter takes for a moment."""
    return median(traced[-6:]) < median(traced[-12:-6]) * 1.03
