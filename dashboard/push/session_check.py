"""Check sessions of streams, with one query per session for all of its streams."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from dashboard.server.response_cache import ChangeToken

# How often it is found out whether a session has ended by its age alone.
SESSION_CHECK_SECONDS = 60.0


class SessionCheck:
    """Checks one session for all of its streams, bound to the event loop.

    `ask` runs the check. `vouched` is the change token from before the last successful check.
    """

    def __init__(self, ask: Callable[[], Awaitable[bool]], mark: ChangeToken, vouched: object) -> None:
        self._ask = ask
        self._mark = mark
        self._vouched = vouched
        self._asked_at = monotonic()
        self._lasted = True
        self._running: asyncio.Task[bool] | None = None
        self._due: asyncio.Task[bool] | None = None

    async def lasts(self, within: float = 0.0) -> bool:
        """Return whether the session is valid, using a recent result if available.

        A check that started earlier does not count, so that a session that has just ended is noticed.
        """
        age = monotonic() - self._asked_at
        if self._lasted and age < SESSION_CHECK_SECONDS and self._mark() == self._vouched:
            return True
        if age < within:
            return self._lasted
        if self._due is None:
            self._due = asyncio.create_task(self._ask_after(self._running))
        return await asyncio.shield(self._due)

    async def _ask_after(self, before: asyncio.Task[bool] | None) -> bool:
        if before:
            await asyncio.wait({before})
        self._running, self._due = self._due, None
        mark, now = self._mark(), monotonic()
        lasts = await self._ask()
        self._vouched, self._asked_at, self._lasted = mark, now, lasts
        return lasts
