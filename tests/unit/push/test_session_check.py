"""Whether a session lasts: one question for all of its streams, and none that was asked too early."""

import asyncio

from dashboard.push.session_check import SessionCheck
from tests.support.waiting import in_a_loop


class Accounts:
    """Accounts of which nobody can say whether they were written to, and the questions that they were asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.lasts = True
        self.begun, self.may_answer = asyncio.Event(), asyncio.Event()
        self.check = SessionCheck(self.ask, object, object())

    async def ask(self) -> bool:
        self.asked += 1
        lasts = self.lasts
        self.begun.set()
        await self.may_answer.wait()
        return lasts


def test_however_many_ask_at_once_it_is_one_question() -> None:
    async def go() -> None:
        accounts = Accounts()
        accounts.may_answer.set()
        assert await asyncio.gather(*(accounts.check.lasts() for _ in range(50))) == [True] * 50
        assert accounts.asked == 1
        assert await asyncio.gather(*(accounts.check.lasts(within=60) for _ in range(50))) == [True] * 50
        assert accounts.asked == 1, "where nothing is told, it was found out a moment ago"

    in_a_loop(go)


def test_a_question_that_was_asked_before_the_session_ended_answers_nobody_who_asks_after() -> None:
    async def go() -> None:
        accounts = Accounts()
        early = asyncio.create_task(accounts.check.lasts())
        await accounts.begun.wait()
        accounts.lasts = False
        late = [asyncio.create_task(accounts.check.lasts()) for _ in range(50)]
        await asyncio.sleep(0)
        accounts.may_answer.set()
        assert (await early, await asyncio.gather(*late)) == (True, [False] * 50)
        assert accounts.asked == 2
        assert await accounts.check.lasts(within=60) is False

    in_a_loop(go)


def test_while_nobody_has_written_nothing_is_asked() -> None:
    async def go() -> None:
        accounts = Accounts()
        check = SessionCheck(accounts.ask, lambda: "mark", "mark")
        assert [await check.lasts() for _ in range(3)] == [True] * 3
        assert accounts.asked == 0

    in_a_loop(go)
