"""Writes that may fail: nobody is told, a failure is logged once, and nothing is tried again for a while."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from structlog.testing import capture_logs

from dashboard.database.best_effort import RETRY_PAUSE_SECONDS, BestEffort
from dashboard.database.outage import AccountsUnavailable


class Database:
    """Takes writes, or none."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.down = False
        self.uses = BestEffort("use", lambda: self.now)

    def write(self) -> None:
        self.asked += 1
        if self.down:
            raise AccountsUnavailable


def test_after_a_failure_nothing_is_tried_for_a_minute_and_then_again() -> None:
    database = Database()
    database.uses.attempt(database.write)
    database.down = True
    with capture_logs() as lines:
        for database.now in (1.0, 2.0, RETRY_PAUSE_SECONDS):
            database.uses.attempt(database.write)
    assert database.asked == 2
    assert [(line["event"], line["kind"]) for line in lines] == [("best_effort_write_failed", "use")]

    database.down = False
    for database.now in (RETRY_PAUSE_SECONDS + 1, RETRY_PAUSE_SECONDS + 2):
        database.uses.attempt(database.write)
    assert database.asked == 4


def test_of_many_at_once_one_alone_runs_into_a_failure() -> None:
    database, transaction = Database(), Barrier(20)
    database.down = True

    def use(_: int) -> None:
        transaction.wait(60)
        database.uses.attempt(database.write)

    with capture_logs() as lines, ThreadPoolExecutor(20) as pool:
        assert list(pool.map(use, range(20))) == [None] * 20
    assert (database.asked, len(lines)) == (1, 1)
