"""Queue CPU-intensive work without holding threads, with a length limit."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFull(Exception):
    """The queue is full."""


class AdmissionQueue:
    """Runs up to `concurrent` jobs in order of arrival, bound to the event loop.

    At most `most` wait. Beyond that, a request from an address with fewer waiting replaces the newest one of the
    address with the most, so that a few addresses cannot block others.
    """

    def __init__(self, concurrent: int, most: int) -> None:
        self._free = asyncio.Semaphore(concurrent)
        self._most = most
        # The address of each who waits, the newest last, by what ends the waiting.
        self._waiting: dict[asyncio.Timeout, str] = {}

    @asynccontextmanager
    async def acquire(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn, released at the end. Raises QueueFull, also if replaced while waiting."""
        if len(self._waiting) >= self._most:
            self._make_room(address)
        try:
            async with asyncio.timeout(None) as wait:
                await self._wait(wait, address)
        except TimeoutError as exc:
            raise QueueFull from exc
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self, wait: asyncio.Timeout, address: str) -> None:
        self._waiting[wait] = address
        try:
            await self._free.acquire()
        finally:
            self._waiting.pop(wait, None)

    def _make_room(self, address: str) -> None:
        """Evict the newest request of the address with the most waiting. Raises QueueFull."""
        counts = Counter(self._waiting.values())
        largest, count = max(counts.items(), key=lambda each: each[1])
        # Where only one more waits of that address, each would replace the other in turn.
        if counts[address] + 1 >= count:
            raise QueueFull
        newest = next(wait for wait, waiting in reversed(self._waiting.items()) if waiting == largest)
        del self._waiting[newest]
        newest.reschedule(asyncio.get_running_loop().time())
