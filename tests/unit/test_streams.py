"""Streams of news: one subscription for many pages, and what a page hears when."""

import asyncio
from collections.abc import Callable

from dashboard.live.watched import Watched
from dashboard.streams import Hub, Stream, news
from tests.waiting import in_a_loop

THING = Watched("release", ("release:r", None))


class Watching:
    """Subscriptions, as they are asked for and ended."""

    def __init__(self) -> None:
        self.open: list[Watched] = []
        self.asked = 0
        self.notify: Callable[[str], None] = lambda _version: None

    def subscribe(self, what: Watched, notify: Callable[[str], None]) -> Callable[[], None]:
        self.open.append(what)
        self.asked += 1
        self.notify = notify
        return lambda: self.open.remove(what)


async def welcome() -> bool:
    return True


async def hear(stream: Stream, first: str, heard: str = "") -> list[str]:
    """All that a page hears, the hint when to come again left out."""
    said = [text async for text in news(stream, first, heard, welcome)]
    assert said.pop(0).startswith("retry: ")
    return said


def event(name: str, version: str) -> str:
    return f"event: {name}\nid: {version}\ndata: {version}\n\n"


def test_many_streams_share_one_subscription_which_ends_with_the_last() -> None:
    async def go() -> None:
        watching = Watching()
        hub = Hub(watching.subscribe)
        streams = [Stream() for _ in range(3)]
        for stream in streams:
            hub.join(THING, stream)
        assert watching.open == [THING]
        await asyncio.to_thread(watching.notify, "2")
        assert [await stream.wait(1) for stream in streams] == [True] * 3
        assert {stream.version for stream in streams} == {"2"}
        for stream in streams[:2]:
            hub.leave(THING, stream)
        assert watching.open == [THING]
        hub.leave(THING, streams[2])
        assert watching.open == []
        hub.join(THING, streams[0])
        assert watching.asked == 2

    in_a_loop(go)


def test_who_has_left_hears_nothing() -> None:
    async def go() -> None:
        watching = Watching()
        hub = Hub(watching.subscribe)
        stays, leaves = Stream(), Stream()
        hub.join(THING, stays)
        hub.join(THING, leaves)
        hub.leave(THING, leaves)
        watching.notify("2")
        assert await stays.wait(1)
        assert leaves.version is None

    in_a_loop(go)


def test_when_all_end_each_is_told_to_come_again() -> None:
    async def go() -> None:
        hub = Hub(Watching().subscribe)
        stream = Stream()
        hub.join(THING, stream)
        hub.end_all()
        assert await hear(stream, "1") == [event("version", "1"), event("again", "1")]

    in_a_loop(go)


def test_who_knows_the_latest_hears_only_what_comes_after_it() -> None:
    async def go() -> None:
        stream = Stream()
        hearing = asyncio.create_task(hear(stream, "1", heard="1"))
        await asyncio.sleep(0)
        stream.tell("1")
        await asyncio.sleep(0.01)
        stream.tell("2")
        stream.tell("3")
        await asyncio.sleep(0.01)
        stream.end()
        assert await hearing == [event("changed", "3"), event("again", "3")]

    in_a_loop(go)


def test_who_knows_an_older_version_hears_at_once() -> None:
    async def go() -> None:
        stream = Stream()
        stream.end()
        assert await hear(stream, "2", heard="1") == [event("changed", "2"), event("again", "2")]

    in_a_loop(go)
