"""Streams of news: one subscription for each thing that open pages look at, and any number of pages that hear of it."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from time import monotonic

from dashboard.live.watched import Watched

Notify = Callable[[str], None]
Subscribe = Callable[[Watched, Notify], Callable[[], None]]

# Proxies close what is silent for a minute, some for half of one.
KEEP_ALIVE_SECONDS = 10.0
# How often it is found out whether a stream's session still lasts.
SESSION_SECONDS = 10.0
# How long a page waits before it comes again, in milliseconds: not all at the same moment.
COME_AGAIN = (500, 3_000)


class Stream:
    """What one open page is to hear. Belongs to the event loop."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.ending = False
        self._news = asyncio.Event()

    def tell(self, version: str) -> None:
        """Let the page know of a version; where it has not heard of the last one yet, this one comes instead."""
        self.version = version
        self._news.set()

    def end(self) -> None:
        """Let the stream come to its end."""
        self.ending = True
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news or the end; whether either came in so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True


class Hub:
    """Tells streams of news. To be made in the event loop; streams come and go in any thread."""

    def __init__(self, subscribe: Subscribe) -> None:
        self._subscribe = subscribe
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._streams: dict[Watched, set[Stream]] = {}
        self._endings: dict[Watched, Callable[[], None]] = {}

    def join(self, what: Watched, stream: Stream) -> None:
        """Tell this stream of every version from now on."""
        with self._lock:
            self._streams.setdefault(what, set()).add(stream)
            if what not in self._endings:
                self._endings[what] = self._subscribe(what, lambda version: self._pass_on(what, version))

    def leave(self, what: Watched, stream: Stream) -> None:
        """Tell this stream nothing more; with the last of its streams, a thing is left alone."""
        with self._lock:
            streams = self._streams[what]
            streams.discard(stream)
            if streams:
                return
            del self._streams[what]
            end = self._endings.pop(what, None)
            if end:
                end()

    def end_all(self) -> None:
        """Let every stream come to its end."""
        for stream in self._all():
            stream.end()

    def _all(self) -> list[Stream]:
        with self._lock:
            return [stream for streams in self._streams.values() for stream in streams]

    def _pass_on(self, what: Watched, version: str) -> None:
        # The loop may have ended before the last news.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tell, what, version)

    def _tell(self, what: Watched, version: str) -> None:
        # Not under the lock: whoever holds it may be waiting for a subscription.
        for stream in tuple(self._streams.get(what, ())):
            stream.tell(version)


async def news(stream: Stream, first: str, heard: str, welcome: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
    """What an open page hears, as server-sent events; `first` is the version now, `heard` the last that it knows.

    `version` says what is the latest at the beginning, `changed` that there is another one since, `ended` that the
    session has ended, `again` that the server goes and the page shall come again.
    """
    yield f"retry: {random.randint(*COME_AGAIN)}\n\n"  # noqa: S311 - not a secret
    said = first
    if first != heard:
        yield _event("changed" if heard else "version", first)
    looked = monotonic()
    while not stream.ending:
        if not await stream.wait(KEEP_ALIVE_SECONDS):
            yield ":\n\n"
        if monotonic() - looked >= SESSION_SECONDS:
            looked = monotonic()
            if not await welcome():
                yield _event("ended", said)
                return
        if stream.version is not None and stream.version != said:
            said = stream.version
            yield _event("changed", said)
    yield _event("again", said)


def _event(name: str, version: str) -> str:
    return f"event: {name}\nid: {version}\ndata: {version}\n\n"
