"""How visibility calls share a rate, by a clock that only the test moves."""

import asyncio

import pytest
from temporalio.service import RPCError, RPCStatusCode

from dashboard.temporal.visibility_budget import (
    RATE_DOUBLING_SECONDS,
    RECOVERY_DELAY_SECONDS,
    VisibilityBudget,
    low_priority,
)
from tests.support.waiting import in_a_loop


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> bool:
        self.now += seconds
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def renewals(budget: VisibilityBudget, clock: Clock, names: str, seconds: float) -> list[str]:
    """Who was granted a call, in order, while all of these ask again and again."""
    return [name for _ in range(round(seconds * 100)) if clock.tick(0.01) for name in names if budget.granted(name)]


def test_no_more_renewals_are_granted_than_the_rate_allows_and_each_has_its_share(clock: Clock):
    budget = VisibilityBudget(5, clock)
    order = renewals(budget, clock, "abcdefghijkl", 24.0)
    assert 5 * 24 <= len(order) <= 5 * 24 + 5
    assert {order.count(name) for name in "abcdefghijkl"} <= {9, 10, 11}


def test_one_alone_is_granted_all_that_there_is(clock: Clock):
    assert len(renewals(VisibilityBudget(5, clock), clock, "a", 10.0)) >= 50


def test_what_no_longer_asks_holds_up_no_other(clock: Clock):
    budget = VisibilityBudget(1, clock)
    assert renewals(budget, clock, "a", 1.0)
    while budget.granted("a"):
        pass
    assert not budget.granted("gone")
    clock.now += 60
    assert budget.granted("b")


def test_a_refusal_halves_the_rate_once_and_it_comes_back_slowly(clock: Clock):
    budget = VisibilityBudget(8, clock)
    budget.refused()
    budget.refused()
    assert budget.slowed
    assert (
        4 * RECOVERY_DELAY_SECONDS - 2
        <= len(renewals(budget, clock, "a", RECOVERY_DELAY_SECONDS))
        <= 4 * RECOVERY_DELAY_SECONDS + 1
    ), "halved, not quartered"
    clock.now += RATE_DOUBLING_SECONDS
    assert not budget.slowed
    renewals(budget, clock, "a", 1.0)
    assert len(renewals(budget, clock, "a", 10.0)) >= 79


def test_refusals_that_go_on_slow_it_down_further_but_never_to_nothing(clock: Clock):
    budget = VisibilityBudget(8, clock)
    for _ in range(50):
        budget.refused()
        clock.now += 2
    assert len(renewals(budget, clock, "a", 10.0)) >= 3


def test_what_is_spare_leaves_half_to_others(clock: Clock):
    budget = VisibilityBudget(4, clock)
    spare = [budget.granted(number, spare=True) for number in range(4)]
    assert sum(spare) < 4
    assert budget.granted("needed")


def test_whoever_waits_has_a_call_in_turn_and_what_is_optional_comes_last():
    order: list[str] = []

    async def take(budget: VisibilityBudget, name: str) -> None:
        await budget.take(30)
        order.append(name)

    async def all_at_once() -> None:
        budget = VisibilityBudget(50)
        for _ in range(50):
            await budget.take(0)
        with low_priority():
            tasks = [asyncio.ensure_future(take(budget, "child list"))]
        tasks += [asyncio.ensure_future(take(budget, name)) for name in ("list", "count")]
        await asyncio.gather(*tasks)

    in_a_loop(all_at_once)
    assert order == ["list", "count", "child list"]


def test_whoever_could_not_have_a_call_in_time_is_refused_at_once(clock: Clock):
    async def take_two() -> None:
        budget = VisibilityBudget(1, clock)
        await budget.take(0)
        with pytest.raises(RPCError, match="VISIBILITY_RPS") as refusal:
            await budget.take(0.5)
        assert refusal.value.status is RPCStatusCode.RESOURCE_EXHAUSTED

    in_a_loop(take_two)


def test_a_granted_call_is_not_charged_twice(clock: Clock):
    async def use() -> None:
        budget = VisibilityBudget(2, clock)
        assert budget.granted("a")
        await budget.take(0)
        await budget.take(0)
        with pytest.raises(RPCError):
            await budget.take(0)

    in_a_loop(use)


def test_without_a_rate_there_is_no_limit():
    budget = VisibilityBudget()
    assert all(budget.granted(number) for number in range(1_000))
    budget.refused()
    assert budget.granted("a")
