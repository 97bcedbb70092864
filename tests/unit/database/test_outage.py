"""The breaker before the accounts' database: what opens it, and who finds out that it can be closed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from dashboard.database.outage import AccountsAway, DatabaseCircuitBreaker, is_database_outage
from tests.support.waiting import eventually


class DriverError(Exception):
    """What a driver raises: with a code if the server said something."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("It did not work.")
        self.sqlstate = sqlstate


def failed(sqlstate: str | None) -> DBAPIError:
    return OperationalError("SELECT 1", None, DriverError(sqlstate))


class Database:
    """Answers a probe when it is let, and counts how many there are at once."""

    def __init__(self) -> None:
        self.answers: list[bool | DBAPIError] = []
        self.probed = self.dropped = self.done = self.at_once = self.most = 0
        self.go_on = Event()
        self._lock = Lock()

    def probe(self) -> bool:
        with self._lock:
            self.probed += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.go_on.wait(60)
        with self._lock:
            self.at_once -= 1
            answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, DBAPIError):
            raise answer
        return answer

    def breaker(self) -> DatabaseCircuitBreaker:
        return DatabaseCircuitBreaker(self.probe, lambda: self._count("dropped"), lambda: self._count("done"))

    def _count(self, name: str) -> None:
        setattr(self, name, getattr(self, name) + 1)


def test_however_many_fail_there_is_one_probe_at_a_time_until_one_is_answered():
    database = Database()
    database.answers = [failed(None), failed(None)]
    breaker = database.breaker()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: breaker.note(failed(None)), range(40)))
    with pytest.raises(AccountsAway):
        breaker.check()
    database.go_on.set()
    eventually(lambda: database.done, 60)

    assert (database.probed, database.most, database.dropped) == (3, 1, 1)
    breaker.check(writing=True)


@pytest.mark.parametrize("sqlstate", ["57014", "55P03", "53300"])
def test_what_is_slow_or_full_opens_nothing_while_a_probe_is_answered(sqlstate: str):
    database = Database()
    breaker = database.breaker()
    breaker.note(failed(sqlstate))
    breaker.check(writing=True)
    database.answers = [failed("53300")] if sqlstate == "53300" else [True]
    database.go_on.set()
    eventually(lambda: database.done, 60)

    assert (is_database_outage(failed(sqlstate)), database.dropped) == (True, 0)


def test_what_can_be_read_alone_takes_no_changes_and_answers_everything_else():
    database = Database()
    database.answers = [False]
    breaker = database.breaker()
    database.go_on.set()
    breaker.note(failed("25006"))
    eventually(lambda: breaker.unwritten or database.done, 60)
    breaker.check()
    eventually(lambda: database.done, 60)

    breaker.check(writing=True)


@pytest.mark.parametrize("sqlstate", ["42P01", "22021", "23505"])
def test_a_wrong_answer_is_an_answer(sqlstate: str):
    assert not is_database_outage(failed(sqlstate))
