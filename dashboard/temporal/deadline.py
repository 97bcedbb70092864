"""Deadlines that hold: the SDK retries past its own timeout, so calls are also limited from outside."""

import asyncio
from datetime import timedelta


class Deadline:
    """A deadline shared by all calls of a response."""

    def __init__(self, until: float) -> None:
        self._until = until

    @classmethod
    def of(cls, seconds: float) -> "Deadline":
        """Return a deadline in a number of seconds, by the running loop's clock."""
        return cls(asyncio.get_running_loop().time() + seconds)

    def less(self, seconds: float) -> "Deadline":
        """Return a deadline that is earlier by a number of seconds."""
        return Deadline(self._until - seconds)

    @property
    def left(self) -> timedelta:
        """Return the remaining time for `rpc_timeout`; never zero, which the SDK treats as no limit."""
        seconds = self._until - asyncio.get_running_loop().time()
        return timedelta(seconds=max(seconds, 0.001))

    def bounds(self) -> asyncio.Timeout:
        """Return a context that raises TimeoutError at the deadline and cancels running calls."""
        return asyncio.timeout_at(self._until)
