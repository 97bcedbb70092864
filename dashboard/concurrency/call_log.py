"""Count the calls of a read, from the requesting thread to the event loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class CallLog:
    """The number of calls so far. `background` reads have no waiting user and may be postponed.

    `share` limits calls that could be made by another read as well.
    """

    background: bool = False
    share: int | None = None
    calls: int = 0


_log: ContextVar[CallLog | None] = ContextVar("call_log", default=None)


@contextmanager
def count_calls(*, background: bool = False, share: int | None = None) -> Iterator[CallLog]:
    """Count the calls made within this context, in this thread or on the loop for it."""
    log = CallLog(background, share)
    token = _log.set(log)
    try:
        yield log
    finally:
        _log.reset(token)


def note_call() -> None:
    """Count a call for the current read, if counted."""
    log = _log.get()
    if log is not None:
        log.calls += 1


def is_background_read() -> bool:
    """Return whether the current read is a background refresh."""
    log = _log.get()
    return log is not None and log.background


def call_share(most: int) -> int:
    """Return how many rotating calls this read may make: its share, up to a maximum."""
    log = _log.get()
    return most if log is None or log.share is None else min(most, log.share)
