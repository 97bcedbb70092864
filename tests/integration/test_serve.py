"""`release-dashboard serve` as a process: it answers without Temporal, and ends when it is told to."""

import json
import os
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dashboard.demo.server import EmbeddedTemporal
from dashboard.server import ports
from tests.support.every_page import BOUND
from tests.support.harness import EMAIL, PASSWORD
from tests.support.served import Listener, Served, account, serving
from tests.support.waiting import eventually

# More viewers at once than the server has threads.
MANY = 60
# What needs no Temporal is answered in a moment, in seconds.
MOMENT = 1.0
# How often that is tried at least, whether or not the machine stalls.
ROUNDS = 5
# How late an answer may be where a machine is busy or stalls: far from the minute for which it waits if not told.
LATE = 15.0


@pytest.fixture(scope="module")
def temporal() -> Iterator[EmbeddedTemporal]:
    """A server that may stand still for a while."""
    with EmbeddedTemporal() as temporal:
        yield temporal


@pytest.mark.full
def test_without_temporal_it_says_where_it_is_answers_and_ends_well_although_a_client_is_slow(tmp_path: Path) -> None:
    account(tmp_path).close()
    with serving(tmp_path) as served:
        assert served.log.read_text() == f"Serving on http://127.0.0.1:{served.port}\n"
        assert served.ask("GET", "/login")[0] == 200
        with pytest.raises(ports.PortInUse):
            ports.check_port("127.0.0.1", served.port)
        check_a_wait_for_what_is_not_known(served)
        with socket.create_connection(("127.0.0.1", served.port)) as slow:
            slow.sendall(b"GET /login HTTP/1.1\r\nHost:")
            assert served.end() == 0
        assert not ports.http_answers(served.port, "/health")


def check_a_wait_for_what_is_not_known(served: Served) -> None:
    """Of that nothing is said when the time is over."""
    path, token = "/api/releases/release:x/wait?phase=failed&timeout=1", f"Bearer {served.token()}"
    status, text, seconds = served.ask("GET", path, Authorization=token)
    assert (status, json.loads(text)["error"]["code"]) == (503, "temporal_unavailable")
    assert 1.0 <= seconds < 1.0 + LATE


@pytest.mark.timing
def test_many_pages_that_wait_for_a_frozen_temporal_hold_up_neither_each_other_nor_the_login(
    temporal: EmbeddedTemporal, tmp_path: Path
) -> None:
    account(tmp_path)
    form = urlencode({"username": EMAIL, "password": PASSWORD})
    login = ("POST", "/api/auth/login", form)
    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    with serving(tmp_path, temporal.address) as served:
        token = json.loads(served.ask(*login, **as_form)[1])["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert served.ask("GET", "/api/releases/release:x", **bearer)[0] == 404
        os.kill(temporal.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(MANY) as pool:
                paths = [f"/api/releases/release:n{number}" for number in range(MANY)]
                waiting = [pool.submit(served.ask, "GET", path, **bearer) for path in paths]
                rounds = []
                while len(rounds) < ROUNDS or not all(answer.done() for answer in waiting):
                    rounds.append(
                        (served.ask("GET", "/health"), served.ask("GET", "/login"), served.ask(*login, **as_form))
                    )
        finally:
            os.kill(temporal.pid, signal.SIGCONT)
        assert {answer.result()[0] for answer in waiting} == {503}
        assert max(answer.result()[2] for answer in waiting) < BOUND
        for quick in zip(*rounds, strict=True):
            assert {status for status, _, _ in quick} == {200}
            # Were they held up by Temporal, all were; a machine that stalls holds up one.
            assert statistics.median_low(seconds for _, _, seconds in quick) < MOMENT
        eventually(lambda: served.ask("GET", "/api/releases/release:x", **bearer)[0] == 404, 60)


@pytest.mark.timing
def test_told_to_stop_it_first_says_so_then_finishes_everything(temporal: EmbeddedTemporal, tmp_path: Path) -> None:
    account(tmp_path).close()
    with serving(tmp_path, temporal.address) as served:
        cookie = {"Cookie": served.login()}
        listener = Listener(served, "/releases", **cookie)
        assert listener.event() is not None
        half = socket.create_connection(("127.0.0.1", served.port))
        half.sendall(b"GET /login HTTP/1.1\r\nHost:")
        assert served.ask("GET", "/ready")[0] == 200
        os.kill(temporal.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(5) as pool:
                # Each waits for a Temporal that does not answer.
                paths = [f"/api/releases/release:slow-{number}" for number in range(5)]
                waiting = [pool.submit(served.ask, "GET", path, **cookie) for path in paths]
                served.process.send_signal(signal.SIGTERM)
                began = time.monotonic()
                eventually(lambda: served.ask("GET", "/ready")[0] == 503, 60)
                assert served.ask("GET", "/health")[0] == 200
                assert served.process.wait(30) == 0
                assert time.monotonic() - began < 15
        finally:
            os.kill(temporal.pid, signal.SIGCONT)
        assert {answer.result()[0] for answer in waiting} == {503}
        told = []
        while event := listener.event():
            told.append(event[0])
        assert told[-1] == "again"
        listener.close()
        half.close()
