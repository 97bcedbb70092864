"""Turns: who waits for one, in which order, and how many may."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from dashboard.turns import TooManyWaiting, Turns
from tests.waiting import in_a_loop

pytestmark = pytest.mark.unit


async def hold(turns: Turns, address: str, began: list[str], over: asyncio.Event) -> None:
    async with turns.take(address):
        began.append(address)
        await over.wait()


def test_they_are_given_in_the_order_of_asking_and_only_so_many_at_a_time():
    began: list[str] = []

    async def go() -> None:
        turns, over = Turns(2, 10), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for address in "abcde":
                tasks.create_task(hold(turns, address, began, over))
            await asyncio.sleep(0)
            assert began == ["a", "b"]
            over.set()

    in_a_loop(go)
    assert began == list("abcde")


def test_only_so_many_wait_and_half_of_them_from_one_address():
    async def go() -> None:
        turns, over, began = Turns(1, 4), asyncio.Event(), list[str]()
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
            stack.callback(over.set)
            for address in ("a", "b", "b"):
                tasks.create_task(hold(turns, address, began, over))
            await asyncio.sleep(0)
            with pytest.raises(TooManyWaiting):
                await stack.enter_async_context(turns.take("b"))
            for address in ("c", "d"):
                tasks.create_task(hold(turns, address, began, over))
            await asyncio.sleep(0)
            with pytest.raises(TooManyWaiting):
                await stack.enter_async_context(turns.take("e"))

    in_a_loop(go)


def test_who_leaves_while_they_wait_makes_room():
    async def go() -> None:
        turns, over, began = Turns(1, 2), asyncio.Event(), list[str]()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hold(turns, "a", began, over))
            leaving = tasks.create_task(hold(turns, "b", began, over))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.sleep(0)
            tasks.create_task(hold(turns, "b", began, over))
            over.set()

    in_a_loop(go)
