"""`release-dashboard serve` as a process: it answers without Temporal, and ends when it is told to."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dashboard import ports
from dashboard.demo.server import EmbeddedTemporal
from tests.every_page import BOUND
from tests.served import Served, account, serving
from tests.stage import EMAIL, PASSWORD
from tests.waiting import eventually

# More viewers at once than the server has threads.
MANY = 60
# What needs no Temporal is answered in a moment, in seconds.
MOMENT = 1.0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


def test_it_says_where_and_answers_without_temporal(served: Served) -> None:
    assert served.log.read_text() == f"Serving on http://127.0.0.1:{served.port}\n"
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", "/login")
    assert connection.getresponse().status == 200
    connection.close()


def test_it_ends_well_although_a_client_is_slow(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(b"GET /login HTTP/1.1\r\nHost:")
        assert served.end() == 0
    assert not ports.answers(served.port, "/health")


def test_a_port_that_it_listens_on_is_busy(served: Served) -> None:
    with pytest.raises(ports.PortBusy):
        ports.check("127.0.0.1", served.port)


@pytest.mark.alone
def test_many_pages_that_wait_for_a_frozen_temporal_hold_up_neither_each_other_nor_the_login(tmp_path: Path) -> None:
    account(tmp_path)
    form = urlencode({"username": EMAIL, "password": PASSWORD})
    login = ("POST", "/api/auth/login", form)
    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    with EmbeddedTemporal(log=tmp_path / "temporal.log") as temporal, serving(tmp_path, temporal.address) as served:
        token = json.loads(served.ask(*login, **as_form)[1])["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert served.ask("GET", "/api/releases/release:x", **bearer)[0] == 404
        os.kill(temporal.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(MANY) as pool:
                paths = [f"/api/releases/release:n{number}" for number in range(MANY)]
                waiting = [pool.submit(served.ask, "GET", path, **bearer) for path in paths]
                quick = []
                while not all(answer.done() for answer in waiting):
                    quick += [served.ask("GET", "/health"), served.ask("GET", "/login"), served.ask(*login, **as_form)]
        finally:
            os.kill(temporal.pid, signal.SIGCONT)
        assert {answer.result()[0] for answer in waiting} == {503}
        assert max(answer.result()[2] for answer in waiting) < BOUND
        assert {status for status, _, _ in quick} == {200}
        assert max(seconds for _, _, seconds in quick) < MOMENT
        eventually(lambda: served.ask("GET", "/api/releases/release:x", **bearer)[0] == 404, 5)
