"""Viewers as browsers are: each has a page and its stream, and takes from both what is new."""

import asyncio
import random
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import cycle

from bench.wire import Event, Events, Page, Target

# What a changed row has, and nothing else: each change has a number of its own.
MARK = re.compile(r"change-\d+")
FRAGMENT = {"HX-Request": "true"}
SECONDS_TO_CONNECT = 60
ARRIVING_AT_ONCE = 50
# As in sse.js: pages that ask because of one event do so within this time.
SPREAD_SECONDS = 0.4


@dataclass
class Seen:
    """For each change, when each viewer had it (by the wall clock) and in how many bytes; and who lost the stream."""

    changes: defaultdict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    connected: int = 0
    broken: int = 0


class Viewer:
    """Looks at a page: takes rows from its stream, and asks for them where the stream says only that there are some."""

    def __init__(self, url: str, cookie: str, seen: Seen) -> None:
        self._target = Target.of(url)
        self._cookie = cookie
        self._seen = seen
        self._had: set[str] = set()
        self._bytes = 0
        self._tag = ""
        self._page = Page(self._target)
        self.there = asyncio.Event()

    async def look(self) -> None:
        """Open the page and follow its stream until that ends, which it should not."""
        try:
            await self._news()
            await self._follow()
        except OSError:
            pass
        finally:
            self._seen.broken += 1
            self.there.set()

    @property
    def _shown(self) -> str:
        """The version that the page shows: its tag names that, and after a dot what was asked for."""
        return self._tag.partition(".")[0]

    async def _follow(self) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": self._shown}
        request = self._target.request(self._cookie, headers, prefix="/live")
        make = asyncio.get_running_loop().create_connection
        _, stream = await make(lambda: Events(request), self._target.host, self._target.port)
        try:
            if await stream.status == 200:
                self._seen.connected += 1
                async for event in stream:
                    await self._hear(event)
        finally:
            stream.close()
            self._page.close()

    async def _hear(self, event: Event) -> None:
        if not self.there.is_set():
            self._bytes = 0
            self.there.set()
        self._bytes += event.length
        if event.name == "rows" and self._shown != event.id:
            await self._take_rows(event)
        elif event.name == "changed":
            # Everybody hears it at the same moment, and does not ask at the same moment.
            await asyncio.sleep(random.random() * SPREAD_SECONDS)  # noqa: S311 - not a secret
            await self._news()

    async def _take_rows(self, event: Event) -> None:
        """Rows bring the version that they name first to that of the event; what shows another asks for itself."""
        known, *rows = (line.decode() for line in event.data)
        if known != self._shown:
            await self._news()
            return
        self._tag = self._tag.replace(known, event.id)
        self._look_for_changes(event.at, "\n".join(rows))

    async def _news(self) -> None:
        headers = FRAGMENT | ({"HX-PTag": self._tag} if self._tag else {})
        answer = await self._page.ask(self._target.request(self._cookie, headers))
        self._tag = answer.tag or self._tag
        self._bytes += len(answer.head) + answer.length
        self._look_for_changes(time.time(), answer.body.decode())

    def _look_for_changes(self, at: float, text: str) -> None:
        """All bytes since the last change count as this one's."""
        for mark in set(MARK.findall(text)) - self._had:
            self._had.add(mark)
            self._seen.changes[mark].append((at, self._bytes))
            self._bytes = 0


async def viewers(urls: list[str], cookies: list[str], clients: int) -> dict[str, object]:
    """Look with so many viewers until a line comes on the standard input."""
    seen, gate = Seen(), asyncio.Semaphore(ARRIVING_AT_ONCE)
    looking: list[asyncio.Task[None]] = []

    async def arrive(url: str, cookie: str) -> None:
        async with gate:
            viewer = Viewer(url, cookie, seen)
            looking.append(asyncio.create_task(viewer.look()))
            await viewer.there.wait()

    async with asyncio.timeout(SECONDS_TO_CONNECT):
        of_each = zip(cycle(urls), cycle(cookies), range(clients), strict=False)
        await asyncio.gather(*(arrive(url, cookie) for url, cookie, _ in of_each))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    found = {"changes": dict(seen.changes), "connected": seen.connected, "broken": seen.broken}
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    return found
