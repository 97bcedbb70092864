"""A total deadline that holds: the SDK retries past its own timeout, so calls are bounded from outside as well."""

import asyncio
from datetime import timedelta


class Deadline:
    """The time until one moment, shared by all the calls that make up an answer."""

    def __init__(self, until: float) -> None:
        self._until = until

    @classmethod
    def of(cls, seconds: float) -> "Deadline":
        """Return a budget of so many seconds from now, by the running loop's clock."""
        return cls(asyncio.get_running_loop().time() + seconds)

    def less(self, seconds: float) -> "Deadline":
        """The same budget, but ending so much earlier."""
        return Deadline(self._until - seconds)

    @property
    def left(self) -> timedelta:
        """Return what is left, for a call's `rpc_timeout`; never nothing, which the SDK would take for no limit."""
        seconds = self._until - asyncio.get_running_loop().time()
        return timedelta(seconds=max(seconds, 0.001))

    def bounds(self) -> asyncio.Timeout:
        """Return a context that raises TimeoutError when the time is up and cancels what still runs in it."""
        return asyncio.timeout_at(self._until)
