"""Answers given again: of what is watched alone, while they are true, without holding on to any snapshot."""

import gc
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.live.snapshots import Snapshot
from dashboard.live.watched import Watched
from dashboard.repeats import Answer, Repeats
from dashboard.web.texts import Text
from dashboard.web.told import Told

THING = Watched("release", ("release:r", None))
SCOPE = {"method": "GET", "raw_path": b"/api/releases/release:r", "query_string": b"", "headers": []}
ANSWER = Answer(200, [(b"content-type", b"application/json"), (b"content-length", b"1")], b"x")


class Content:
    """What a snapshot holds."""


class World:
    """What is known, and the mark of the accounts."""

    def __init__(self) -> None:
        self.known: Snapshot[Any] | None = snapshot("1")
        self.mark: object = 1
        self.repeats = Repeats(lambda _what: self.known, lambda: self.mark)

    def give(self) -> None:
        """Give the answer of the first version."""
        told = Told(THING, "1", lambda _snapshot: {}, Text((b"as of ", b""), ("as_of",)))
        self.repeats.keep(SCOPE, ANSWER, told, self.mark)


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
