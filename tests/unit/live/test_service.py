"""What viewers are told when the source changes its mind, with a small source that says what the test wants."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import Status
from dashboard.domain.filters import PageRequest
from dashboard.domain.problems import Problem, ProblemCode, ReleaseNotFound, SourceUnavailable
from dashboard.domain.source import ReleaseReading
from dashboard.live.service import LiveReleases
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import entity, execution

SAID = entity("release:r", "deploying", entity("wave:a", "in_progress"))
NO_WORKER = Problem(ProblemCode.NO_WORKER, "No worker is polling.")


@pytest.fixture
def source() -> FakeSource:
    source = FakeSource()
    source.answer = ReleaseReading(execution(), said=SAID, digest="1")
    return source


@pytest.fixture
def live(source: FakeSource) -> Iterator[LiveReleases]:
    given: Any = source
    live = LiveReleases(given, LoopThread(), timeout=5, max_age=0)
    yield live
    live.close()


def test_a_release_past_its_retention_is_gone_even_if_it_was_seen(live: LiveReleases, source: FakeSource):
    assert live.release("release:r").value.root.state == "deploying"
    source.answer = ReleaseNotFound("release:r")
    with pytest.raises(ReleaseNotFound):
        live.release("release:r")


def test_the_last_words_stay_under_what_temporal_knows_now(live: LiveReleases, source: FakeSource):
    seen = live.release("release:r")
    source.answer = ReleaseReading(execution(Status.TERMINATED), problem=NO_WORKER)
    stale = live.release("release:r")
    assert (stale.stale, stale.reason, stale.as_of) == (True, NO_WORKER, seen.as_of)
    assert {row.phase for row in stale.value.root.walk()} == {"terminated"}


def test_the_words_of_an_earlier_run_are_not_shown_for_a_new_one(live: LiveReleases, source: FakeSource):
    live.release("release:r")
    source.answer = ReleaseReading(execution(run_id="run-2"), problem=NO_WORKER)
    release = live.release("release:r")
    assert (release.stale, release.value.root.problem, release.value.root.children) == (False, NO_WORKER, ())


def test_a_list_keeps_the_last_words_of_a_release_that_does_not_answer_and_says_as_of_when(
    live: LiveReleases, source: FakeSource
):
    seen = live.page(PageRequest())
    source.answer = ReleaseReading(execution(), problem=NO_WORKER)
    (release,) = live.page(PageRequest()).value.releases
    assert (release.root.state, release.root.problem, release.said_at) == ("deploying", NO_WORKER, seen.as_of)
    source.answer = ReleaseReading(execution(), said=replace(SAID, state="completed"), digest="2")
    (release,) = live.page(PageRequest()).value.releases
    assert (release.root.state, release.said_at) == ("completed", None)


def test_what_the_source_refuses_is_told_while_nothing_is_known(live: LiveReleases, source: FakeSource):
    source.answer = SourceUnavailable(Problem(ProblemCode.DENIED, "not allowed"))
    with pytest.raises(SourceUnavailable, match="not allowed"):
        live.release("release:r")
