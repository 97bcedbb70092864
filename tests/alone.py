"""Tests run on several cores at once, but for those marked `alone`, which measure seconds or calls."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# These folders are locked themselves, so that nothing is left behind.
ROOM = Path(__file__).parent
DOOR = ROOM.parent


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Hold the machine, with others or alone, until the context ends.

    Who waits to be alone keeps the door shut, lest those who come later make them wait for ever.
    """
    room = os.open(ROOM, os.O_RDONLY)
    try:
        with shut(DOOR):
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(room)


@contextmanager
def shut(door: Path) -> Iterator[None]:
    """Let nobody else through; a process that dies leaves it open."""
    held = os.open(door, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
