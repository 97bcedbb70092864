"""Turns: who waits for one, in which order, and how many may."""

import asyncio

import pytest

from dashboard.concurrency.admission_queue import AdmissionQueue, QueueFull
from tests.support.waiting import in_a_loop


async def hold(turns: AdmissionQueue, address: str, began: list[str], over: asyncio.Event) -> None:
    async with turns.acquire(address):
        began.append(address)
        await over.wait()


def test_they_are_given_in_the_order_of_asking_and_only_so_many_at_a_time():
    began: list[str] = []

    async def go() -> None:
        turns, over = AdmissionQueue(2, 10), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for address in "abcde":
                tasks.create_task(hold(turns, address, began, over))
            await asyncio.sleep(0)
            assert began == ["a", "b"]
            over.set()

    in_a_loop(go)
    assert began == list("abcde")


async def waiting(turns: AdmissionQueue, addresses: str) -> tuple[list[str], list[str]]:
    """Let one ask from each of these addresses in turn; return whose turn it was, and who was refused."""
    began: list[str] = []
    refused: list[str] = []
    over = asyncio.Event()

    async def ask(address: str) -> None:
        try:
            await hold(turns, address, began, over)
        except QueueFull:
            refused.append(address)

    async with asyncio.TaskGroup() as tasks:
        for address in addresses:
            tasks.create_task(ask(address))
            await asyncio.sleep(0)
        over.set()
    async with asyncio.timeout(60), turns.acquire("a"):
        return began, refused


@pytest.mark.parametrize(
    ("addresses", "began", "refused"),
    [
        ("aaaaa", "aaaaa", ""),
        ("aaaaaaa", "aaaaa", "aa"),
        # A few addresses have all places until others come.
        ("aaaaabcd", "aabcd", "aaa"),
        ("aaabbcde", "aabcd", "abe"),
        # One that would have more than the other then has replaces nobody.
        ("aaaabbb", "aaabb", "ab"),
        ("abcdef", "abcde", "f"),
    ],
)
def test_when_so_many_wait_an_address_with_few_replaces_the_newest_of_the_one_with_most(
    addresses: str, began: str, refused: str
):
    async def go() -> None:
        asked = await waiting(AdmissionQueue(1, 4), addresses)
        assert ("".join(asked[0]), "".join(sorted(asked[1]))) == (began, refused)

    in_a_loop(go)


def test_who_leaves_while_they_wait_makes_room():
    async def go() -> None:
        turns, over, began = AdmissionQueue(1, 2), asyncio.Event(), list[str]()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hold(turns, "a", began, over))
            leaving = tasks.create_task(hold(turns, "b", began, over))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.sleep(0)
            tasks.create_task(hold(turns, "b", began, over))
            over.set()

    in_a_loop(go)
