"""Streams of news: one subscription for many pages, news that are made once, and what a page hears when."""

import asyncio
from collections.abc import Callable

from dashboard.live.topic import ReleaseTopic, Topic
from dashboard.push.hub import (
    Channel,
    Hub,
    PerUserChannelQuota,
    Stream,
    Update,
    event_stream,
    server_sent_event,
)
from dashboard.web.address import PageAddress
from tests.support.waiting import in_a_loop

THING = ReleaseTopic("release:r")
PLACE, ELSEWHERE = (
    Channel(THING, PageAddress(endpoint, (("release_id", "release:r"),)))
    for endpoint in ("web.release", "web.hierarchy")
)


class Watching:
    """Subscriptions as they are asked for and ended, and the news that are composed of what is told meanwhile."""

    def __init__(self) -> None:
        self.open: list[Topic] = []
        self.composed: list[tuple[PageAddress, str]] = []
        self.latest = "1"
        self.broken = False
        self.free = asyncio.Event()
        self.free.set()
        self._notified: list[Callable[[str], None]] = []
        self.hub = Hub(self.subscribe, self.compose)

    def subscribe(self, what: Topic, notify: Callable[[str], None]) -> Callable[[], None]:
        self.open.append(what)
        self._notified.append(notify)
        notify(self.latest)
        return lambda: self.open.remove(what)

    async def compose(self, place: Channel, known: str) -> Update:
        self.composed.append((place.address, known))
        if self.broken:
            raise LookupError("no such template")
        await self.free.wait()
        return Update(self.latest, known, server_sent_event("rows", self.latest, known, "rows"))

    def move(self, version: str) -> None:
        """There is another version: told from a thread of its own."""
        self.latest = version
        for notify in self._notified:
            notify(version)

    async def joined(self, count: int, place: Channel = PLACE) -> list[Stream]:
        """So many streams that have heard of the first version."""
        streams = [Stream() for _ in range(count)]
        for stream in streams:
            self.hub.join(place, stream)
        await settled()
        for stream in streams:
            stream.pop()
        return streams


async def settled() -> None:
    """All that can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def welcome() -> bool:
    return True


async def hear(stream: Stream, first: str, heard: str = "") -> list[bytes]:
    """All that a page hears, the hint when to come again left out."""
    said = [text async for text in event_stream(stream, Update(first), heard, welcome)]
    assert said.pop(0).startswith(b"retry: ")
    return said


def test_many_streams_share_one_subscription_and_one_composing_which_end_with_the_last() -> None:
    async def go() -> None:
        watching = Watching()
        streams = await watching.joined(3)
        assert watching.open == [THING]
        await asyncio.to_thread(watching.move, "2")
        assert [await stream.wait(1) for stream in streams] == [True] * 3
        assert {stream.pop() for stream in streams} == {Update("2", "1", server_sent_event("rows", "2", "1", "rows"))}
        assert watching.composed == [(PLACE.address, "1")]
        for stream in streams[:2]:
            watching.hub.leave(PLACE, stream)
        assert watching.open == [THING]
        watching.hub.leave(PLACE, streams[2])
        assert watching.open == []
        await watching.joined(1)
        assert watching.open == [THING]

    in_a_loop(go)


def test_each_address_has_news_of_its_own() -> None:
    async def go() -> None:
        watching = Watching()
        await watching.joined(2)
        await watching.joined(2, ELSEWHERE)
        watching.move("2")
        await settled()
        assert set(watching.composed) == {(PLACE.address, "1"), (ELSEWHERE.address, "1")}

    in_a_loop(go)


def test_of_versions_that_come_while_one_is_composed_the_last_is_told() -> None:
    async def go() -> None:
        watching = Watching()
        (stream,) = await watching.joined(1)
        watching.free.clear()
        watching.move("2")
        await settled()
        watching.latest = "2"
        for version in ("3", "4"):
            watching.move(version)
        await settled()
        watching.free.set()
        await settled()
        told = stream.pop()
        assert told is not None
        assert (told.known, told.version) == ("1", "4")
        assert [known for _, known in watching.composed] == ["1", "4"]

    in_a_loop(go)


def test_news_that_cannot_be_made_are_asked_for_and_later_ones_come() -> None:
    async def go() -> None:
        watching = Watching()
        (stream,) = await watching.joined(1)
        watching.broken = True
        watching.move("2")
        await settled()
        told = stream.pop()
        assert told
        assert (told.version, told.event, bool(told.as_of)) == ("2", b"", True)
        watching.broken = False
        watching.move("3")
        await settled()
        assert stream.pop() == Update("3", "2", server_sent_event("rows", "3", "2", "rows"))

    in_a_loop(go)


def test_who_has_left_hears_nothing() -> None:
    async def go() -> None:
        watching = Watching()
        stays, leaves = await watching.joined(2)
        watching.hub.leave(PLACE, leaves)
        watching.move("2")
        assert await stays.wait(1)
        await settled()
        assert leaves.pop() is None

    in_a_loop(go)


def test_who_has_not_heard_the_last_news_has_to_ask() -> None:
    async def go() -> None:
        stream = Stream()
        for number in (2, 3):
            stream.put(Update(str(number), str(number - 1), b"rows"))
        hearing = asyncio.create_task(hear(stream, "1", heard="1"))
        await settled()
        stream.end()
        assert await hearing == [server_sent_event("changed", "3"), server_sent_event("again", "3")]

    in_a_loop(go)


def test_when_all_end_each_is_told_to_come_again() -> None:
    async def go() -> None:
        watching = Watching()
        (stream,) = await watching.joined(1)
        watching.hub.end_all()
        assert await hear(stream, "1") == [server_sent_event("version", "1"), server_sent_event("again", "1")]

    in_a_loop(go)


def test_who_knows_the_latest_hears_only_what_comes_after_it() -> None:
    async def go() -> None:
        stream = Stream()
        hearing = asyncio.create_task(hear(stream, "1", heard="1"))
        rows = server_sent_event("rows", "2", "1", "2026-11-22T14:02:00Z", "<p>\n</p>")
        for told in (Update("1"), Update("2", "1", rows), Update("4", "3", b"of another version")):
            stream.put(told)
            await settled()
        stream.end()
        assert await hearing == [rows, server_sent_event("changed", "4"), server_sent_event("again", "4")]

    in_a_loop(go)


def test_who_knows_an_older_version_hears_at_once() -> None:
    async def go() -> None:
        stream = Stream()
        stream.end()
        assert await hear(stream, "2", heard="1") == [
            server_sent_event("changed", "2"),
            server_sent_event("again", "2"),
        ]

    in_a_loop(go)


def test_nothing_is_told_to_whose_session_has_ended() -> None:
    async def go() -> None:
        stream = Stream()
        stream.put(Update("2", "1", b"secret"))

        async def unwelcome() -> bool:
            return False

        said = [text async for text in event_stream(stream, Update("1"), "1", unwelcome)]
        assert said[1:] == [server_sent_event("ended", "1")]

    in_a_loop(go)


def test_whatever_ends_a_line_an_event_stays_one() -> None:
    assert (
        server_sent_event("rows", "2", "a\r\n\r\nb\rc\nd")
        == b"event: rows\nid: 2\ndata: a\ndata: \ndata: b\ndata: c\ndata: d\n\n"
    )


def test_made_up_addresses_make_no_work_and_their_streams_hear_of_changes_all_the_same() -> None:
    async def go() -> None:
        watching, channels = Watching(), PerUserChannelQuota(2)

        def at(page: int) -> PageAddress:
            return PageAddress("web.releases", (), (("page", str(page)),))

        composed = [channels.acquire("rita", at(number)) for number in (1, 2, 3, 1)]
        assert composed == [True, True, False, True]
        assert channels.acquire("bob", at(3)), "others have channels of their own"
        (stream,) = await watching.joined(1, Channel(THING, at(3), composed=False))
        watching.move("2")
        await settled()
        told = stream.pop()
        assert told
        assert (told.version, told.event, bool(told.as_of)) == ("2", b"", True)
        assert watching.composed == []
        for _ in range(2):
            channels.release("rita", at(1))
        assert channels.acquire("rita", at(3))

    in_a_loop(go)
