"""Counts the calls that one read makes, from the thread that asks for it to the event loop that makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class CallLog:
    """How many calls have been made so far. `background` says that nobody waits: such a read may be put off.

    `share` is how many calls it should make at most of those that another read can make as well.
    """

    background: bool = False
    share: int | None = None
    calls: int = 0


_log: ContextVar[CallLog | None] = ContextVar("call_log", default=None)


@contextmanager
def count_calls(*, background: bool = False, share: int | None = None) -> Iterator[CallLog]:
    """Count the calls that are made within this context, in this thread or on the loop for it."""
    log = CallLog(background, share)
    token = _log.set(log)
    try:
        yield log
    finally:
        _log.reset(token)


def note_call() -> None:
    """Count one call for the read that makes it, if its calls are counted."""
    log = _log.get()
    if log is not None:
        log.calls += 1


def is_background_read() -> bool:
    """Return whether the read that is in progress renews something that is known, so that nobody waits for it."""
    log = _log.get()
    return log is not None and log.background


def call_share(most: int) -> int:
    """Return how many calls of a kind that takes turns this read may make: its share, and so many at most."""
    log = _log.get()
    return most if log is None or log.share is None else min(most, log.share)
