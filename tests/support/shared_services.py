"""What is started once for all processes of a run: by whoever needs it first, who ends it when nobody needs it more."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TextIO

import pytest

from tests.support.waiting import eventually

# To end a run that has gone wrong: the others may have many tests left.
LONGEST = 3600.0


def folder_of_run(factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this run share, and other runs do not."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def shared(place: Path, start: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """What `start` says of what it has started, in this process or in another that shares this place.

    Everybody holds `users` as one of many; who wants to hold it alone waits until the last of them is gone.
    """
    with place.with_suffix(".turn").open("w") as turn, place.with_suffix(".users").open("w") as users:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if place.exists():
            fcntl.flock(users, fcntl.LOCK_SH)
            fcntl.flock(turn, fcntl.LOCK_UN)
            yield place.read_text()
            return
        with start() as said:
            place.write_text(said)
            fcntl.flock(turn, fcntl.LOCK_UN)
            yield said
            eventually(lambda: _alone(turn, users), LONGEST)
            place.unlink()
            fcntl.flock(turn, fcntl.LOCK_UN)


def _alone(turn: TextIO, users: TextIO) -> bool:
    """Whether nobody else uses it; then nobody comes before this process lets go of `turn`."""
    fcntl.flock(turn, fcntl.LOCK_EX)
    with suppress(BlockingIOError):
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    fcntl.flock(turn, fcntl.LOCK_UN)
    return False
