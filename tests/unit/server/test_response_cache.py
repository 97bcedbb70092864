"""Answers given again: of what is watched alone, while they are true, without holding on to any snapshot."""

import gc
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.domain.snapshot import Snapshot
from dashboard.live.topic import ReleaseTopic
from dashboard.server.response_cache import CACHE_TTL_SECONDS, HttpResponse, ResponseCache
from dashboard.web.body_template import BodyTemplate
from dashboard.web.page_response import PageResponse

THING = ReleaseTopic("release:r")
SCOPE = {"method": "GET", "raw_path": b"/api/releases/release:r", "query_string": b"", "headers": []}
ANSWER = HttpResponse(200, [(b"content-type", b"application/json"), (b"content-length", b"1")], b"x")


TEXT = BodyTemplate((b"as of ", b""), ("as_of",))


class Content:
    """What a snapshot holds."""


class World:
    """What is known, and the mark of the accounts."""

    def __init__(self) -> None:
        self.known: Snapshot[Any] | None = snapshot("1")
        self.mark: object = 1
        self.now = 0.0
        self.repeats = ResponseCache(lambda _what: self.known, lambda: self.mark, keep=100_000, clock=lambda: self.now)

    def give(self, text: BodyTemplate = TEXT, **scope: Any) -> None:
        """Give the answer of the first version."""
        self.repeats.keep(SCOPE | scope, ANSWER, PageResponse(THING, "1", lambda _snapshot: {}, text), self.mark)


def snapshot(version: str, second: int = 0) -> Snapshot[Any]:
    return Snapshot(Content(), datetime(2026, 11, 23, 7, 0, second, tzinfo=UTC), version)


@pytest.fixture
def world() -> World:
    return World()


def test_it_is_given_again_with_the_moment_of_the_later_snapshot(world: World):
    world.give()
    world.known = snapshot("1", 5)
    again = world.repeats.find(SCOPE)
    assert again is not None
    assert again.body == b"as of 2026-11-23T07:00:05Z"
    assert dict(again.headers)[b"content-length"] == b"26"


@pytest.mark.parametrize(
    ("known", "mark"), [(snapshot("2"), 1), (None, 1), (snapshot("1"), 2)], ids=["moved", "unwatched", "accounts"]
)
def test_it_is_not_given_when_it_may_be_untrue(world: World, known: Snapshot[Any] | None, mark: object):
    world.give()
    world.known, world.mark = known, mark
    assert world.repeats.find(SCOPE) is None


def test_what_is_not_watched_is_not_kept(world: World):
    seen, world.known = world.known, None
    world.give()
    world.known = seen
    assert world.repeats.find(SCOPE) is None


def test_another_header_is_another_request(world: World):
    world.give()
    assert world.repeats.find(SCOPE | {"headers": [(b"cookie", b"another")]}) is None


def test_it_holds_on_to_no_snapshot(world: World):
    world.give()
    assert world.known is not None
    content = weakref.ref(world.known.value)
    world.known = None
    gc.collect()
    assert content() is None


def test_path_and_query_are_two_things(world: World):
    world.give(raw_path=b"/a", query_string=b"b?c")
    for path, query in ((b"/a?b", b"c"), (b"/a?b?c", b""), (b"/a%3Fb", b"c"), (b"/a", b"b%3Fc")):
        assert world.repeats.find(SCOPE | {"raw_path": path, "query_string": query}) is None


def test_what_is_kept_is_bounded_in_bytes_with_requests_headers_and_what_is_filled_in(world: World):
    for number in range(200):
        world.give(query_string=b"%d" % number + b"q" * 2_000, headers=[(b"cookie", b"c" * 2_000)])
        assert world.repeats.weight <= 100_000
    asked = {"query_string": b"199" + b"q" * 2_000, "headers": [(b"cookie", b"c" * 2_000)]}
    assert world.repeats.find(SCOPE | asked)
    assert world.repeats.find(SCOPE | asked | {"query_string": b"0" + b"q" * 2_000}) is None
    world.give(query_string=b"q" * 100_000)
    assert world.repeats.find(SCOPE | {"query_string": b"q" * 100_000}) is None


def test_a_text_that_many_are_sent_counts_once_and_until_the_last_of_them(world: World):
    text = BodyTemplate((b"x" * 60_000,))
    for number in range(20):
        world.give(text, query_string=b"%d" % number)
    assert all(world.repeats.find(SCOPE | {"query_string": b"%d" % number}) for number in range(20))
    assert 60_000 < world.repeats.weight < 100_000
    world.give(BodyTemplate((b"y" * 60_000,)), query_string=b"other")
    assert world.repeats.find(SCOPE | {"query_string": b"19"}) is None
    assert world.repeats.find(SCOPE | {"query_string": b"other"})


def test_what_is_too_old_is_given_no_more_and_leaves_nothing_behind(world: World):
    world.give()
    world.now = CACHE_TTL_SECONDS / 2
    world.give(query_string=b"later")
    world.now = CACHE_TTL_SECONDS
    assert world.repeats.find(SCOPE) is None
    assert world.repeats.find(SCOPE | {"query_string": b"later"})
    world.now = 2 * CACHE_TTL_SECONDS
    assert world.repeats.find(SCOPE) is None
    assert world.repeats.weight == 0


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (b"2026-11-23T07:00:05Z", True),
        (b"2026-11-23T07:00:04.999999Z", True),
        (b"2026-11-23T07:00:05.000001Z", False),
        (b"2026-11-23T09:00:05+02:00", False),
        (b"2026-11-23T00:00:05-09:00", False),
        (b"soon", False),
    ],
)
def test_to_who_has_seen_more_it_is_not_given_and_who_has_seen_less_makes_no_other_of_it(
    world: World, wanted: bytes, given: bool
):
    world.give()
    world.known = snapshot("1", 5)
    asked = SCOPE | {"headers": [(b"as-of", wanted)]}
    assert (world.repeats.find(asked) is not None) is given
    assert world.repeats.find(SCOPE) is not None
