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

from dashboard.live.snapshots import now
from dashboard.live.watched import Watched
from dashboard.web.address import Address
from dashboard.web.told import utc

log = structlog.get_logger()

Notify = Callable[[str], None]
Subscribe = Callable[[Watched, Notify], Callable[[], None]]

# Proxies close what is silent for a minute, some for half of one. As often at least it is found out
# whether a session lasts.
KEEP_ALIVE_SECONDS = 10.0
# For how many different addresses of one user news are composed: more than a browser has streams.
CHANNELS_PER_USER = 10
# How long a page waits before it comes again, in milliseconds: not all at the same moment.
COME_AGAIN = (500, 3_000)

_LINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class News:
    """There is a `version`, as of a moment, if that is known.

    With this `event`, who shows the version `known` has it; others have to ask for it: whoever they ask, for what is
    no older than that moment.
    """

    version: str
    known: str = ""
    event: bytes = b""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What many have open: their streams of one `address` are told the same. It knows of none of those who asked.

    Where nothing is `composed`, they are told of each version, and ask for it themselves.
    """

    what: Watched
    address: Address
    composed: bool = True


class Stream:
    """What one open page is to hear. Belongs to the event loop."""

    def __init__(self) -> None:
        self.ending = False
        self._news: News | None = None
        self._there = asyncio.Event()

    def tell(self, news: News) -> None:
        """Let the page have news; where it has not heard the last yet, it has to ask."""
        self._news = news if self._news is None else News(news.version, as_of=news.as_of)
        self._there.set()

    @property
    def has_news(self) -> bool:
        """Whether there is something that the page has not heard yet."""
        return self._news is not None

    def take(self) -> News | None:
        """What the page has not heard yet, once."""
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


class ChannelsOfUsers:
    """The addresses for whose streams news are composed for each user: `each` different ones. Safe for threads.

    Whoever has that many hears of changes to others all the same, and asks: made-up addresses make no work.
    """

    def __init__(self, each: int = CHANNELS_PER_USER) -> None:
        self._each = each
        self._taken: dict[str, Counter[Address]] = {}
        self._lock = threading.Lock()

    def take(self, user_id: str, address: Address) -> bool:
        """Whether news are composed for one more stream of this user's; it then has to be given back."""
        with self._lock:
            taken = self._taken.setdefault(user_id, Counter())
            if address not in taken and len(taken) >= self._each:
                return False
            taken[address] += 1
            return True

    def give(self, user_id: str, address: Address) -> None:
        """Give one back."""
        with self._lock:
            taken = self._taken[user_id]
            taken[address] -= 1
            if not taken[address]:
                del taken[address]
            if not taken:
                del self._taken[user_id]


class _Audience:
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

    def __init__(self, subscribe: Subscribe, compose: Callable[[Place, str], Awaitable[News]]) -> None:
        self._subscribe = subscribe
        self._compose = compose
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._audiences: dict[Place, _Audience] = {}

    def join(self, place: Place, stream: Stream) -> None:
        """Tell this stream of every version from now on."""
        with self._lock:
            audience = self._audiences.get(place)
            if audience is None:
                audience = self._audiences[place] = _Audience()
                audience.end = self._subscribe(place.what, lambda version: self._pass_on(place, version))
            audience.streams.add(stream)

    def leave(self, place: Place, stream: Stream) -> None:
        """Tell this stream nothing more; with the last of its streams, a place is left alone."""
        with self._lock:
            audience = self._audiences[place]
            audience.streams.discard(stream)
            if not audience.streams:
                del self._audiences[place]
                audience.end()

    def end_all(self) -> None:
        """Let every stream come to its end."""
        with self._lock:
            streams = [stream for audience in self._audiences.values() for stream in audience.streams]
        for stream in streams:
            stream.end()

    def _pass_on(self, place: Place, version: str) -> None:
        # The loop may have ended before the last news.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._note, place, version)

    def _note(self, place: Place, version: str) -> None:
        # Not under the lock: whoever holds it may be waiting for a subscription.
        audience = self._audiences.get(place)
        if audience is None:
            return
        audience.latest = version
        if audience.telling is None:
            audience.telling = self._loop.create_task(self._tell(place, audience))

    async def _composed(self, place: Place, known: str, version: str) -> News:
        try:
            return await self._compose(place, known)
        except Exception:
            # A mistake of ours. Whoever asks for the page meets it himself; later news go on.
            log.exception("news_failed", address=place.address)
            return _undrawn(version)

    async def _tell(self, place: Place, audience: _Audience) -> None:
        """Tell of one version after another; of those that come while one is composed, of the last."""
        noted: str | None = None
        while noted != audience.latest:
            noted, known = audience.latest, audience.heard
            # The first version is what all have who come; whoever has another finds out as it comes.
            plain = known is None or not place.composed
            news = _undrawn(noted or "") if plain else await self._composed(place, known or "", noted or "")
            audience.heard = news.version
            if news.version != known:
                for stream in tuple(audience.streams):
                    stream.tell(news)
        audience.telling = None


async def news(stream: Stream, first: News, heard: str, welcome: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """What an open page hears, as server-sent events; `first` is the version now, `heard` the last that it knows.

    `version` says what is the latest at the beginning; `rows` brings that version to a page that shows the one which
    its data name first, and after that the moment and the rows; `changed` says that there is another version since, and
    as of when; `ended` that the session has ended; `again` that the server goes and the page shall come again.
    `welcome` says whether the session lasts, and is asked before each.
    """
    yield b"retry: %d\n\n" % random.randint(*COME_AGAIN)  # noqa: S311 - not a secret
    said = first.version
    if said != heard:
        yield _changed(first) if heard else event("version", said)
    while not stream.ending:
        waited = await stream.wait(KEEP_ALIVE_SECONDS)
        if not await welcome():
            yield event("ended", said)
            return
        if not waited:
            yield b":\n\n"
        told = stream.take()
        if told and told.version != said:
            yield told.event if told.event and told.known == said else _changed(told)
            said = told.version
    yield event("again", said)


def _undrawn(version: str) -> News:
    """A version that was not looked at; whoever asks now is shown no older one."""
    return News(version, as_of=utc(now()))


def _changed(told: News) -> bytes:
    return event("changed", told.version, *((told.version, told.as_of) if told.as_of else ()))


def event(name: str, version: str, *texts: str) -> bytes:
    """A server-sent event: its data are these texts, or the version if there are none."""
    lines = "".join(f"data: {line}\n" for text in texts or (version,) for line in _LINE.split(text))
    return f"event: {name}\nid: {version}\n{lines}\n".encode("utf-8", "replace")
