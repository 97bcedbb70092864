"""Which connections are taken on, by whom they are counted, and which have to go."""

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from dashboard.server.connections import ConnectionRegistry
from dashboard.server.in_flight import RequestCounter
from dashboard.server.limits import (
    MAX_PROBE_CONNECTIONS,
    ConnectionLimits,
    client_address,
    connection_network,
    limit_connections,
)
from tests.support.waiting import in_a_loop


class Line:
    """A connection that notes whether it was dropped."""

    def __init__(self, *, silent: bool = True) -> None:
        self.silent = silent
        self.dropped = False

    def check(self, now: float) -> None:
        """It is never late."""

    def drop(self) -> None:
        self.dropped = True


def connections(**bounds: Any) -> ConnectionRegistry:
    return ConnectionRegistry(ConnectionLimits(**bounds))


def test_as_many_as_the_bounds_say_are_taken_on_and_one_that_goes_makes_room():
    held = connections(connections=3, connections_per_address=2)
    first = Line()
    assert [held.admit(line, "192.0.2.1") for line in (first, Line(), Line())] == [True, True, False]
    assert [held.admit(Line(), "192.0.2.2") for _ in range(2)] == [True, False]
    held.remove(first)
    assert held.admit(Line(), "192.0.2.1")


def test_behind_proxies_no_address_has_a_bound_of_its_own():
    held = connections(connections=5, connections_per_address=1, proxies=1)
    assert [held.admit(Line(), "10.0.0.1") for _ in range(6)] == [True] * 5 + [False]


def test_of_those_kept_for_probes_the_oldest_that_says_nothing_makes_room():
    held = connections(connections=0)
    asking, silent = Line(silent=False), Line()
    for line in (asking, silent, *(Line() for _ in range(MAX_PROBE_CONNECTIONS - 2))):
        held.admit(line, "192.0.2.1")
    held.admit(Line(), "192.0.2.1")
    assert (asking.dropped, silent.dropped) == (False, True)


def test_a_flood_of_refusals_is_written_down_once():
    held = connections(connections_per_address=1)
    with capture_logs() as logs:
        for _ in range(50):
            held.admit(Line(), "192.0.2.1")
    (told,) = logs
    assert (told["event"], told["address"], told["connections"]) == ("connection_refused", "192.0.2.1", 1)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_counts_with_its_network(address: str, network: str):
    assert connection_network(address) == network


@pytest.mark.parametrize(
    ("told", "proxies", "client"),
    [
        ((), 0, "10.0.0.1"),
        ((b"192.0.2.1",), 0, "10.0.0.1"),
        ((b"192.0.2.1",), 1, "192.0.2.1"),
        ((b"198.51.100.9, 192.0.2.1",), 1, "192.0.2.1"),
        ((b"198.51.100.9", b"192.0.2.1, 10.0.0.2"), 2, "192.0.2.1"),
        ((b"192.0.2.1",), 2, "10.0.0.1"),
        ((), 1, "10.0.0.1"),
        ((b"",), 1, "10.0.0.1"),
        # Some proxies add the port, with which each of a client's connections would be another client.
        ((b"192.0.2.1:4711",), 1, "192.0.2.1"),
        ((b"[2001:db8::1]:443",), 1, "2001:db8::"),
    ],
)
def test_a_client_is_who_the_trusted_proxies_say(told: tuple[bytes, ...], proxies: int, client: str):
    assert client_address([(b"x-forwarded-for", value) for value in told], "10.0.0.1", proxies) == client


def test_a_client_behind_a_proxy_has_so_many_requests_under_way():
    requests = RequestCounter(1, 2)

    def scope(address: bytes) -> dict[str, Any]:
        return {"headers": [(b"x-forwarded-for", address)], "client": ("10.0.0.1", 1)}

    with ExitStack() as stack:
        addresses = [b"192.0.2.1", b"192.0.2.1", b"192.0.2.1", b"192.0.2.2"]
        few = [stack.enter_context(requests.of(scope(address))) for address in addresses]
        assert few == [True, True, False, True]
    with requests.of(scope(b"192.0.2.1")) as again:
        assert again


class Broken(Line):
    """One that cannot be checked."""

    def check(self, now: float) -> None:
        raise RuntimeError("It does not work.")


class Checked(Line):
    """One that notes when it has been checked three times."""

    def __init__(self) -> None:
        super().__init__()
        self.often = asyncio.Event()
        self._times = 0

    def check(self, now: float) -> None:
        self._times += 1
        if self._times == 3:
            self.often.set()


def test_one_that_cannot_be_checked_keeps_no_other_from_its_deadlines_and_is_logged():
    held, checked = connections(), Checked()
    for line in (Broken(), checked):
        held.admit(line, "192.0.2.1")

    async def go() -> None:
        watch = asyncio.create_task(held.watch(0.001))
        async with asyncio.timeout(60):
            await checked.often.wait()
        watch.cancel()

    with capture_logs() as logs:
        in_a_loop(go)
    (told,) = logs
    assert (told["event"], told["log_level"], told["address"]) == ("connection_check_failed", "error", "192.0.2.1")
    assert told["exc_info"]


def test_no_more_connections_are_taken_on_than_there_is_room_for():
    assert limit_connections(ConnectionLimits(connections=8_000), 96).connections == 96
    assert limit_connections(ConnectionLimits(connections=50), 96).connections == 50
