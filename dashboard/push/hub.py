"""Streams of news: what is new on a page is made once, and sent to all who have that page open."""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dashboard.live.snapshot_store import utc_now
from dashboard.live.topic import Topic
from dashboard.web.address import PageAddress
from dashboard.web.page_response import utc_timestamp

log = structlog.get_logger()

VersionCallback = Callable[[str], None]
SubscribeFunction = Callable[[Topic, VersionCallback], Callable[[], None]]

# Proxies close what is silent for a minute, some for half of one. As often at least it is found out
# whether a session lasts.
STREAM_KEEP_ALIVE_SECONDS = 10.0
# For how many different addresses of one user news are composed: more than a browser has streams.
MAX_CHANNELS_PER_USER = 10
# How long a page waits before it comes again, in milliseconds: not all at the same moment.
RECONNECT_MILLISECONDS = (500, 3_000)

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Update:
    """There is a `version`, as of a moment, if that is known.

    With this `event`, who shows the version `known` has it; others have to ask for it: whoever they ask, for what is
    no older than that moment.
    """

    version: str
    known: str = ""
    event: bytes = b""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """What many have open: their streams of one `address` are told the same. It knows of none of those who asked.

    Where nothing is `composed`, they are told of each version, and ask for it themselves.
    """

    what: Topic
    address: PageAddress
    composed: bool = True


class Stream:
    """What one open page is to hear. Belongs to the event loop."""

    def __init__(self) -> None:
        self.ending = False
        self._news: Update | None = None
        self._there = asyncio.Event()

    def put(self, news: Update) -> None:
        """Let the page have news; where it has not heard the last yet, it has to ask."""
        self._news = news if self._news is None else Update(news.version, as_of=news.as_of)
        self._there.set()

    @property
    def has_update(self) -> bool:
        """Return whether there is something that the page has not heard yet."""
        return self._news is not None

    def pop(self) -> Update | None:
        """Return what the page has not heard yet, once."""
        news, self._news = self._news, None
        return news

    def end(self) -> None:
        """Let the stream come to its end."""
        self.ending = True
        self._there.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news or the end; whether either came in so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._there.wait()
        except TimeoutError:
            return False
        self._there.clear()
        return True


class PerUserChannelQuota:
    """The addresses for whose streams news are composed for each user: `each` different ones. Safe for threads.

    Whoever has that many hears of changes to others all the same, and asks: made-up addresses make no work.
    """

    def __init__(self, each: int = MAX_CHANNELS_PER_USER) -> None:
        self._each = each
        self._taken: dict[str, Counter[PageAddress]] = {}
        self._lock = threading.Lock()

    def acquire(self, user_id: str, address: PageAddress) -> bool:
        """Return whether news are composed for one more stream of this user's; it then has to be returned."""
        with self._lock:
            taken = self._taken.setdefault(user_id, Counter())
            if address not in taken and len(taken) >= self._each:
                return False
            taken[address] += 1
            return True

    def release(self, user_id: str, address: PageAddress) -> None:
        """Give one back."""
        with self._lock:
            taken = self._taken[user_id]
            taken[address] -= 1
            if not taken[address]:
                del taken[address]
            if not taken:
                del self._taken[user_id]


class _Subscribers:
    """All streams of one place, the version that they have heard of last, and the latest that there is."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self.end: Callable[[], None] = lambda: None
        self.heard: str | None = None
        self.latest: str | None = None
        self.telling: asyncio.Task[None] | None = None


class Hub:
    """Tells streams of news. To be made in the event loop; streams come and go in any thread.

    `compose` makes the news of a place for those who know this version.
    """

    def __init__(self, subscribe: SubscribeFunction, compose: Callable[[Channel, str], Awaitable[Update]]) -> None:
        self._subscribe = subscribe
        self._compose = compose
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._channels_open: dict[Channel, _Subscribers] = {}

    def join(self, place: Channel, stream: Stream) -> None:
        """Tell this stream of every version from now on."""
        with self._lock:
            subscribers = self._channels_open.get(place)
            if subscribers is None:
                subscribers = self._channels_open[place] = _Subscribers()
                subscribers.end = self._subscribe(place.what, lambda version: self._pass_on(place, version))
            subscribers.streams.add(stream)

    def leave(self, place: Channel, stream: Stream) -> None:
        """Tell this stream nothing more; with the last of its streams, a place is left alone."""
        with self._lock:
            subscribers = self._channels_open[place]
            subscribers.streams.discard(stream)
            if not subscribers.streams:
                del self._channels_open[place]
                subscribers.end()

    def end_all(self) -> None:
        """Let every stream come to its end."""
        with self._lock:
            streams = [stream for subscribers in self._channels_open.values() for stream in subscribers.streams]
        for stream in streams:
            stream.end()

    def _pass_on(self, place: Channel, version: str) -> None:
        # The loop may have ended before the last news.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._note, place, version)

    def _note(self, place: Channel, version: str) -> None:
        # Not under the lock: whoever holds it may be waiting for a subscription.
        subscribers = self._channels_open.get(place)
        if subscribers is None:
            return
        subscribers.latest = version
        if subscribers.telling is None:
            subscribers.telling = self._loop.create_task(self._tell(place, subscribers))

    async def _composed(self, place: Channel, known: str, version: str) -> Update:
        try:
            return await self._compose(place, known)
        except Exception:
            # A mistake of ours. Whoever asks for the page meets it himself; later news go on.
            log.exception("news_failed", address=place.address)
            return _version_only(version)

    async def _tell(self, place: Channel, subscribers: _Subscribers) -> None:
        """Tell of one version after another; of those that come while one is composed, of the last."""
        noted: str | None = None
        while noted != subscribers.latest:
            noted, known = subscribers.latest, subscribers.heard
            # The first version is what all have who come; whoever has another finds out unchanged.
            plain = known is None or not place.composed
            news = _version_only(noted or "") if plain else await self._composed(place, known or "", noted or "")
            subscribers.heard = news.version
            if news.version != known:
                for stream in tuple(subscribers.streams):
                    stream.put(news)
        subscribers.telling = None


async def event_stream(
    stream: Stream, first: Update, heard: str, welcome: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Yield what an open page hears, as server-sent events; `first` is the version now, `heard` the last that it knows.

    `version` says what is the latest at the beginning; `rows` brings that version to a page that shows the one which
    its data name first, and after that the moment and the rows; `changed` says that there is another version since, and
    as of when; `ended` that the session has ended; `again` that the server goes and the page shall come again.
    `welcome` says whether the session lasts, and is asked before each.
    """
    yield b"retry: %d\n\n" % random.randint(*RECONNECT_MILLISECONDS)  # noqa: S311 - not a secret
    said = first.version
    if said != heard:
        yield _changed_event(first) if heard else server_sent_event("version", said)
    while not stream.ending:
        waited = await stream.wait(STREAM_KEEP_ALIVE_SECONDS)
        if not await welcome():
            yield server_sent_event("ended", said)
            return
        if not waited:
            yield b":\n\n"
        told = stream.pop()
        if told and told.version != said:
            yield told.event if told.event and told.known == said else _changed_event(told)
            said = told.version
    yield server_sent_event("again", said)


def _version_only(version: str) -> Update:
    """Return a version that was not looked at; whoever asks now is shown no older one."""
    return Update(version, as_of=utc_timestamp(utc_now()))


def _changed_event(told: Update) -> bytes:
    return server_sent_event("changed", told.version, *((told.version, told.as_of) if told.as_of else ()))


def server_sent_event(name: str, version: str, *texts: str) -> bytes:
    """Return a server-sent event: its data are these texts, or the version if there are none."""
    lines = "".join(f"data: {line}\n" for text in texts or (version,) for line in _LINE_BREAK.split(text))
    return f"event: {name}\nid: {version}\n{lines}\n".encode("utf-8", "replace")
