"""Event streams: updates of a page are rendered once and sent to all its open streams."""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dashboard.domain.snapshot import utc_now
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
    """An update to a `version` as of a time, if known.

    `event` is the event for pages that show the version `known`; other pages have to reload data that is at least as
    new.
    """

    version: str
    known: str = ""
    event: bytes = b""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic and address shared by many streams, independent of their viewers.

    If not `composed`, streams receive only versions and reload.
    """

    what: Topic
    address: PageAddress
    composed: bool = True


class Stream:
    """The stream of one open page, bound to the event loop."""

    def __init__(self) -> None:
        self.ending = False
        self._news: Update | None = None
        self._there = asyncio.Event()

    def put(self, news: Update) -> None:
        """Queue an update; if the previous one was not sent yet, the page has to reload."""
        self._news = news if self._news is None else Update(news.version, as_of=news.as_of)
        self._there.set()

    @property
    def has_update(self) -> bool:
        """Return whether an update is queued."""
        return self._news is not None

    def pop(self) -> Update | None:
        """Remove and return the queued update."""
        news, self._news = self._news, None
        return news

    def end(self) -> None:
        """End the stream."""
        self.ending = True
        self._there.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for an update or the end; return false on timeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._there.wait()
        except TimeoutError:
            return False
        self._there.clear()
        return True


class PerUserChannelQuota:
    """Limits the number of addresses per user for which updates are rendered, to `each`. Thread-safe.

    Above the limit, streams receive only versions, so that made-up addresses cause no rendering.
    """

    def __init__(self, each: int = MAX_CHANNELS_PER_USER) -> None:
        self._each = each
        self._taken: dict[str, Counter[PageAddress]] = {}
        self._lock = threading.Lock()

    def acquire(self, user_id: str, address: PageAddress) -> bool:
        """Reserve rendering for a stream of this user, if possible; the caller must release it."""
        with self._lock:
            taken = self._taken.setdefault(user_id, Counter())
            if address not in taken and len(taken) >= self._each:
                return False
            taken[address] += 1
            return True

    def release(self, user_id: str, address: PageAddress) -> None:
        """Release a reservation."""
        with self._lock:
            taken = self._taken[user_id]
            taken[address] -= 1
            if not taken[address]:
                del taken[address]
            if not taken:
                del self._taken[user_id]


class _Subscribers:
    """The streams of a channel, with the last sent and the latest version."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self.end: Callable[[], None] = lambda: None
        self.heard: str | None = None
        self.latest: str | None = None
        self.telling: asyncio.Task[None] | None = None


class Hub:
    """Sends updates to streams. Create it in the event loop; streams may join and leave from any thread.

    `compose` renders the update of a channel for pages with a given version.
    """

    def __init__(self, subscribe: SubscribeFunction, compose: Callable[[Channel, str], Awaitable[Update]]) -> None:
        self._subscribe = subscribe
        self._compose = compose
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._channels_open: dict[Channel, _Subscribers] = {}

    def join(self, place: Channel, stream: Stream) -> None:
        """Subscribe a stream to a channel."""
        with self._lock:
            subscribers = self._channels_open.get(place)
            if subscribers is None:
                subscribers = self._channels_open[place] = _Subscribers()
                subscribers.end = self._subscribe(place.what, lambda version: self._pass_on(place, version))
            subscribers.streams.add(stream)

    def leave(self, place: Channel, stream: Stream) -> None:
        """Unsubscribe a stream; a channel without streams is closed."""
        with self._lock:
            subscribers = self._channels_open[place]
            subscribers.streams.discard(stream)
            if not subscribers.streams:
                del self._channels_open[place]
                subscribers.end()

    def end_all(self) -> None:
        """End all streams."""
        with self._lock:
            streams = [stream for subscribers in self._channels_open.values() for stream in subscribers.streams]
        for stream in streams:
            stream.end()

    def _pass_on(self, place: Channel, version: str) -> None:
        # The loop may have ended before the last news.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._note, place, version)

    def _note(self, place: Channel, version: str) -> None:
        # Not under the lock: its holder may be waiting for a subscription.
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
            # A bug. Requests for the page meet it as well; later updates continue.
            log.exception("news_failed", address=place.address)
            return _version_only(version)

    async def _tell(self, place: Channel, subscribers: _Subscribers) -> None:
        """Send versions in order, skipping intermediate ones that arrive during rendering."""
        noted: str | None = None
        while noted != subscribers.latest:
            noted, known = subscribers.latest, subscribers.heard
            # Pages start with the first version; pages with another one reload.
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
    """Yield server-sent events; `first` is the current version, `heard` the last one that the page knows.

    Events: `version` is the latest version at the beginning; `rows` updates a page that shows the version named first
    in its data, followed by the time and the rows; `changed` announces another version and its time; `ended` the end of
    the session; `again` a shutdown, after which the page should reconnect. `welcome` checks the session before each
    event.
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
    """Return an update without content: a reload returns data that is at least as new."""
    return Update(version, as_of=utc_timestamp(utc_now()))


def _changed_event(told: Update) -> bytes:
    return server_sent_event("changed", told.version, *((told.version, told.as_of) if told.as_of else ()))


def server_sent_event(name: str, version: str, *texts: str) -> bytes:
    """Format a server-sent event with these texts as data, or the version if there are none."""
    lines = "".join(f"data: {line}\n" for text in texts or (version,) for line in _LINE_BREAK.split(text))
    return f"event: {name}\nid: {version}\n{lines}\n".encode("utf-8", "replace")
