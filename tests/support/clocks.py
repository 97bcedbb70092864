"""Another time: for this process, and for the database on a server, whose clock is the one that counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine

from tests.support.postgres import RUNNING


class Clocks:
    """The clocks of both, which stand still until they are moved."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller
        self.shift(timedelta(0))

    def shift(self, by: timedelta) -> None:
        """Move them on."""
        self._traveller.shift(by)
        for postgres in RUNNING:
            postgres.tell_time(datetime.now(UTC))


@contextmanager
def travel(to: datetime | str) -> Iterator[Clocks]:
    """Let it be this moment."""
    try:
        with time_machine.travel(to, tick=False) as traveller:
            yield Clocks(traveller)
    finally:
        for postgres in RUNNING:
            postgres.tell_time(None)
