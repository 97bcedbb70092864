"""Turns of what takes the processor for long: who waits for one holds no thread, and only so many wait."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyWaiting(Exception):
    """So many wait for a turn already that another would wait for too long."""


class Turns:
    """Gives `concurrent` turns at a time, in the order of asking. Belongs to the event loop.

    At most `most` wait, and half of them from one address, so that nobody can take all places.
    """

    def __init__(self, concurrent: int, most: int) -> None:
        self._free = asyncio.Semaphore(concurrent)
        self._most = most
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def take(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn, and give it back. Raises TooManyWaiting."""
        if self._waiting.total() >= self._most or self._waiting[address] >= max(1, self._most // 2):
            raise TooManyWaiting
        self._waiting[address] += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= Counter({address: 1})
        try:
            yield
        finally:
            self._free.release()
